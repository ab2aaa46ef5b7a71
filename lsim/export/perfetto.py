"""A window of a run as a Perfetto trace, for ui.perfetto.dev: a track a part, grouped; a slice an interval; counters.

Perfetto's clocks count whole nanoseconds, and a tick is 0.2 ns at 5 GHz. So that every slice is exact, a tick is shown as one
nanosecond; the trace says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import frozen

from lsim.export.detail import Stretch, Summary
from lsim.export.files import new_file
from lsim.export.packets import Packets, Value
from lsim.export.rows import Window
from lsim.plan.mappings import Group
from lsim.results.intervals import changes
from lsim.results.telling import Teller, Told
from lsim.units import ticks_as_time

MOST_SLICES = 1_000_000  # some 80 bytes each
BINS = 1000


@frozen
class Counter:
    """A number over the window: (tick, value from there on), to be shown below the track of a part, or of its own."""

    name: str
    unit: str
    values: Iterable[tuple[int, float]]
    part: int | None = None


def write_perfetto(
    window: Window, path: Path, counters: Iterable[Counter] = (), most: int | None = None
) -> Mapping[str, str]:
    """Writes a trace and answers what it says of itself.

    A window of at most so many intervals (`MOST_SLICES`) is shown interval by interval, any other in one slice for each
    operator that a part works on (`lsim.export.detail`). Raises InputError for a file that cannot be written, and without the package that
    has the schema.
    """
    count, most = window.count(), MOST_SLICES if most is None else most
    with new_file(path) as file:
        packets = Packets(file)
        about_track = packets.track("about this trace")
        tracks = _tracks(window, packets)
        if count <= most:
            _write_intervals(window, packets, tracks)
        slices = sum(
            _write_summary(Summary(window, part), packets, track, stretches=count > most)
            for part, track in tracks.items()
        )
        for counter in counters:
            _write_counter(counter, packets, None if counter.part is None else tracks[counter.part])
        about = {**window.about(), "time": _time(window), "detail": _detail(count, slices, most)}
        packets.attributes(about)
        packets.begin(about_track, window.begin, "1 ns shown = 1 tick", "about", about)
        packets.end(about_track, window.end)
        packets.close()
    return about


def _tracks(window: Window, packets: Packets) -> dict[int, int]:
    """A track for each part, below that of its group."""
    parents: dict[str, int] = {}
    tracks = {}
    groups = window.result.plan.groups
    names = {part: window.result.log.parts[part] for part in window.parts}
    titles = {part: _group(name, groups) for part, name in names.items()}
    for title in dict.fromkeys(titles.values()):
        parents[title] = packets.track(title)
    for part, name in names.items():
        tracks[part] = packets.track(name, parents[titles[part]])
    return tracks


def _group(part: str, groups: Iterable[Group]) -> str:
    """The title of the tracks that a part is among."""
    first = part.partition(".")[0]
    if first in ("controller", "retire"):
        return "control"
    if first == "dpu":
        return "DPU"
    if first.rstrip("0123456789") in ("gb", "hbm", "broadcast"):
        return "global SRAM, HBM and broadcast"
    tiles = {group.name: group.tiles for group in groups}
    group = first if first in tiles else ""
    return " ".join(filter(None, (group, f"tiles {tiles[group].start} to {tiles[group].stop - 1}")))


def _write_intervals(window: Window, packets: Packets, tracks: Mapping[int, int]) -> None:
    """A slice for each interval, in the order of time."""
    teller, begun = Teller(window.result.plan, window.result.log), set()
    for tick, part, code, position in changes(window.result.log, window.parts, window.begin, window.end):
        told = teller.tell(part, code, position)
        if part in begun:
            packets.end(tracks[part], tick)
        begun.add(part)
        arguments: dict[str, Value] = {
            "operator": told.operator,
            "cause": told.cause,
            "waits_for": told.waits_for,
            "block": told.block,
        }
        packets.begin(tracks[part], tick, title(told), told.state, arguments)
    for part in window.parts:
        packets.end(tracks[part], window.end)


def title(told: Told) -> str:
    """What the slice of a state is called: what a busy part's time is spent on, or for whom or what it waits."""
    if told.state != "wait":
        return told.cause or told.state if told.state == "busy" else told.state
    return f"wait for {told.waits_for or told.cause}"


def _write_summary(summary: Summary, packets: Packets, track: int, stretches: bool) -> int:
    """The busy share of a part as a counter and, if they are wanted, its stretches; how many these are."""
    slices = list(summary.stretches()) if stretches else []
    for stretch in slices:
        packets.begin(track, stretch.begin, stretch.operator or "idle", "stretch", _arguments(stretch))
        packets.end(track, stretch.end)
    shares = ((tick, 100 * share) for tick, share in summary.busy_shares(BINS))
    _write_counter(Counter("busy", "%", shares), packets, track)
    return len(slices)


def _arguments(stretch: Stretch) -> dict[str, Value]:
    return {
        "busy_share": stretch.share,
        "busy_ticks": stretch.busy,
        "waiting_ticks": stretch.waiting,
        "idle_ticks": stretch.idle,
    }


def _write_counter(counter: Counter, packets: Packets, parent: int | None) -> None:
    track = packets.counter(counter.name, counter.unit, parent)
    for tick, value in counter.values:
        packets.value(track, tick, value)


def _time(window: Window) -> str:
    tick = ticks_as_time(1, window.result.arch.core.clock)
    return f"1 ns shown = 1 tick = {tick}: Perfetto's clocks count whole nanoseconds, and no tick is rounded"


def _detail(count: int, slices: int, most: int) -> str:
    bins = f"counters are means of {BINS} bins of the window"
    if not slices:
        return f"a slice for each interval of each part; {bins}"
    return (
        f"{count:,} intervals are merged into {slices:,} slices, one for each operator that a part works on, "
        f"with exact sums; {bins}. A window of at most {most:,} intervals shows each"
    )
