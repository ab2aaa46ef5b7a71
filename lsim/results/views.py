"""What `lsim inspect` shows of a timeline: as plain objects for JSON, and those as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table

from lsim.results.states import CAUSES
from lsim.results.tables import percent, plain
from lsim.results.timeline import State, Timeline
from lsim.results.waits import Wait

Told = dict[str, Any]
SHOWN = 6  # parts that a table of bins has room for


# -- objects -------------------------------------------------------------------------------------------------------
def state(said: State) -> Told:
    """`block`: which of how many items, and the counters of the loops it stands in."""
    block = said.block and {"index": said.block.index, "items": said.block.items, **said.block.place}
    return {
        "state": said.state,
        "operator": said.operator,
        "block": block,
        "cause": said.cause,
        "waits_for": said.waits_for,
    }


def window(timeline: Timeline, begin: int, end: int, parts: Iterable[str]) -> Told:
    found = timeline.window(begin, end)
    times = ((name, found[name]) for name in parts)
    return {name: {"busy": t.busy, "idle": t.idle, "waiting": dict(t.waiting)} for name, t in times}


def bins(timeline: Timeline, count: int, begin: int, end: int, parts: Iterable[str]) -> Told:
    """Columns of equal length, one entry a bin; causes that no bin has are left out."""
    shots = {name: values.tolist() for name, values in timeline.shots(count, begin, end).items()}
    series = timeline.series_all(count, begin, end)
    told: Told = {"begin": shots.pop("begin"), "end": shots.pop("end"), "shots": shots, "parts": {}}
    for name in parts:
        columns = {column: values.tolist() for column, values in series[name].items()}
        waiting = {cause.value: columns[cause.value] for cause in CAUSES if any(columns[cause.value])}
        told["parts"][name] = {"busy": columns["busy"], "idle": columns["idle"], "waiting": waiting}
    return told


def wait(said: Wait) -> Told:
    return {
        "part": said.part,
        "begin": said.begin,
        "end": said.end,
        "ticks": said.ticks,
        "waits_for": said.waits_for,
        "cause": said.cause,
        "times": said.times,
    }


# -- tables --------------------------------------------------------------------------------------------------------
def states_table(told: Iterable[tuple[str, Told]], tick: int) -> Table:
    """What parts do at a tick."""
    rows = []
    for name, said in told:
        whom = f"for {said['waits_for']}" if said["waits_for"] else ""
        rows.append((name, said["state"], said["cause"], whom, _block(said)))
    return plain((f"part at {tick:,}", "state", "cause", "waits", "operator and block"), rows)


_SHORT = {"outer_panel": "panel", "row_pass": "pass", "inner_panel": "inner", "column_block": "block"}


def _block(said: Told) -> str:
    """The operator and the counters that there are; the item's number where there are none."""
    if said["block"] is None:
        return ""
    place = {name: n for name, n in said["block"].items() if name not in ("index", "items")}
    where = [f"{_SHORT.get(name, name)} {n}" for name, n in place.items()]
    return ": ".join([said["operator"], *([", ".join(where)] if where else [])])


def window_table(told: Told) -> Table:
    """Where the ticks of every part went in a window."""
    rows = []
    for name, said in told.items():
        waiting = sum(said["waiting"].values())
        rows.append(
            (name, f"{said['busy']:,}", f"{waiting:,}", f"{said['idle']:,}", _mostly(said["waiting"]))
        )
    return plain(("part, in ticks", "busy", "waiting", "idle", "waits mostly for"), rows, right=(1, 2, 3))


def _mostly(waiting: Mapping[str, int], of: int | None = None) -> str:
    """The chief causes: in ticks, or as shares of so many."""
    worst = sorted(waiting.items(), key=lambda wait: -wait[1])[:3]
    return ", ".join(
        f"{cause} {ticks:,}" if of is None else f"{cause} {percent(ticks / of)}" for cause, ticks in worst
    )


def utilization_table(shares: Mapping[str, float]) -> Table:
    return plain(
        ("utilization", "share"), [(name, percent(share)) for name, share in shares.items()], right=(1,)
    )


def bins_table(told: Told) -> Iterator[object]:
    """Bin by bin: where the ticks of a single part went, or how busy the busiest of several were."""
    if len(told["parts"]) == 1:
        ((name, columns),) = told["parts"].items()
        yield _bins_of_one(told, name, columns)
        return
    parts = sorted(told["parts"], key=lambda name: -sum(told["parts"][name]["busy"]))
    shown, left = parts[:SHOWN], len(parts) - SHOWN
    rows = (
        (*place, *(percent(told["parts"][name]["busy"][i] / ticks) for name in shown))
        for i, ticks, place in _bins(told)
    )
    yield plain(("busy, from tick", "ticks", *shown), rows, right=range(2 + len(shown)))
    yield ""
    others = f"{left} less busy parts are left out; " if left > 0 else ""
    yield f"{others}--part P tells of a part how long it waited and was idle, --json of all."


def _bins_of_one(told: Told, name: str, columns: Told) -> Table:
    rows = []
    for i, ticks, place in _bins(told):
        waits = {cause: n[i] for cause, n in columns["waiting"].items() if n[i]}
        spent = (columns["busy"][i], sum(waits.values()), columns["idle"][i])
        rows.append((*place, *(percent(n / ticks) for n in spent), _mostly(waits, ticks)))
    head = (f"{name}, from tick", "ticks", "busy", "waiting", "idle", "waits mostly for")
    return plain(head, rows, right=range(5))


def _bins(told: Told) -> Iterator[tuple[int, int, tuple[str, str]]]:
    """Of each bin its number, its ticks, and the cells that say where it is."""
    for i, (begin, end) in enumerate(zip(told["begin"], told["end"], strict=True)):
        yield i, end - begin, (f"{begin:,}", f"{end - begin:,}")


def waits_table(told: Iterable[Told]) -> Table:
    rows = [
        (w["part"], f"{w['ticks']:,}", f"{w['begin']:,}", f"{w['times']:,}", w["waits_for"] or "", w["cause"])
        for w in told
    ]
    return plain(("part", "ticks", "from tick", "times", "waits for", "root cause"), rows, right=(1, 2, 3))
