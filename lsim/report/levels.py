"""Which windows of a timeline a page holds, and in how many bins: the whole run coarsely, and ways down to single ticks.

No page can hold 10¹⁰ ticks one by one. So the whole run is there at levels of detail, each eight times as fine, as deep as the
budget goes; and at telling places there is a ladder of windows, each a sixteenth of the one around it, the innermost with a
bin a tick. All of it is exact: a bin holds the ticks that `Timeline.series` counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from lsim.report.packing import pack_json
from lsim.results.grouping import layerless
from lsim.results.spans import Span
from lsim.results.states import COLUMNS
from lsim.results.timeline import Timeline

WHOLE = (512, 4096, 32768)  # bins of the levels of the whole run
FINEST = 1024  # ticks of a window with a bin a tick
STEP = 16  # each rung of a ladder is as many times as long as the one within
RUNG = 256  # bins of a rung
SLOWEST = 4  # operators with a place in their middle and one at their end
LEVELS_BUDGET = 1_900_000  # characters of the levels of the whole run
BUDGET = 3_200_000  # and with the ladders
GROWTH = 4  # a level is taken to be at least so many times as large as the one before


@frozen
class Place:
    """A tick worth a close look, and why."""

    title: str
    tick: int


@frozen
class Window:
    """[begin, end) in `bins` bins. `place`: the number of the place it leads down to; −1 for the whole run."""

    begin: int
    end: int
    bins: int
    place: int = -1


@frozen
class Held:
    """What a page holds: windows, and for each its numbers as `pack_json` of, for each part, {column: [ticks, …]}."""

    places: tuple[Place, ...]
    windows: tuple[Window, ...]
    packed: tuple[str, ...]


def held(timeline: Timeline, spans: Sequence[Span]) -> Held:
    """The windows that the budget has room for, the most telling first."""
    windows, packed = [], []
    for window, content in _levels(timeline):
        windows.append(window)
        packed.append(content)
    chosen: list[Place] = []
    size = sum(map(len, packed))
    for place in places(timeline.ticks, spans):
        rungs = [w for w in ladder(place.tick, timeline.ticks, len(chosen)) if not _known(w, windows)]
        contents = [pack(timeline, rung) for rung in rungs]
        size += sum(map(len, contents))
        if size > BUDGET:
            break
        chosen.append(place)
        windows += rungs
        packed += contents
    return Held(tuple(chosen), tuple(windows), tuple(packed))


def pack(timeline: Timeline, window: Window) -> str:
    """The ticks of every part in every bin; columns without any are left out."""
    series = timeline.series_all(window.bins, window.begin, window.end)
    return pack_json(
        [
            {i: columns[name].tolist() for i, name in enumerate(COLUMNS) if columns[name].any()}
            for columns in series.values()
        ]
    )


def _levels(timeline: Timeline) -> Iterator[tuple[Window, str]]:
    size = last = 0
    for bins in WHOLE:
        if size + GROWTH * last > LEVELS_BUDGET:
            return
        window = Window(0, timeline.ticks, min(bins, timeline.ticks))
        content = pack(timeline, window)
        last = len(content)
        size += last
        if size > LEVELS_BUDGET and bins > WHOLE[0]:
            return
        yield window, content
        if window.bins == timeline.ticks:
            return


def places(ticks: int, spans: Sequence[Span]) -> Iterator[Place]:
    """The start, the middle and the end of the operators that prolong the run most, of each the middle one of all layers, and
    the end of the run."""
    yield Place("start of the run", 0)
    groups: dict[str, list[Span]] = {}
    for span in spans:
        groups.setdefault(layerless(span.name), []).append(span)
    slowest = sorted(groups.values(), key=lambda group: -sum(span.prolongs for span in group))[:SLOWEST]
    chosen = [group[len(group) // 2] for group in slowest]
    for span in chosen:
        yield Place(f"middle of {span.name}", (span.own + span.end) // 2)
    for span in chosen:
        if span.end < ticks:
            yield Place(f"seam after {span.name}", span.end)
    yield Place("end of the run", ticks)


def ladder(tick: int, ticks: int, place: int) -> Iterator[Window]:
    """Windows around a tick, the innermost first, up to where the second level of the whole run is as fine."""
    span = FINEST
    while True:
        begin = max(0, min(tick - span // 2, ticks - span))
        end = min(ticks, begin + span)
        yield Window(begin, end, end - begin if span == FINEST else RUNG, place)
        span *= STEP
        if span * RUNG >= ticks * STEP:
            return


def _known(window: Window, windows: Sequence[Window]) -> bool:
    return any((w.begin, w.end, w.bins) == (window.begin, window.end, window.bins) for w in windows)
