"""The timeline on the page: what every part did, from the whole run down to single ticks."""

from __future__ import annotations

from lsim.report.blocks import Block, Cell, Explorer, Prose, Run, Section, Table, count
from lsim.report.levels import Held, Window, held
from lsim.report.packing import pack_json
from lsim.results.palette import INKS
from lsim.results.states import COLUMNS
from lsim.units import ticks_as_time


def explorer(run: Run) -> Section:
    timeline = run.result.timeline
    if not timeline.ticks:
        return Section("timeline", "Over time", [Prose("The run took no time: there is nothing to show.")])
    inside = held(timeline, run.spans)
    parts = list(timeline.parts)
    index = {
        "ticks": timeline.ticks,
        "clock": run.result.arch.core.clock,
        "parts": parts,
        "first": run.result.plan.groups[0].part("core"),
        "columns": list(COLUMNS),
        "inks": [[name, ink.css, ink.hatch] for name, ink in INKS.items()],
        "places": [place.title for place in inside.places],
        "windows": [[w.begin, w.end, w.bins, w.place] for w in inside.windows],
    }
    operators = pack_json([[span.name, span.issued, span.end] for span in run.spans])
    blocks: list[Block] = [
        Prose(_said(run, inside)),
        Explorer(index, [operators, *inside.packed]),
        _table(inside),
    ]
    return Section("timeline", "Over time", blocks)


def _said(run: Run, inside: Held) -> str:
    ticks, clock = run.result.ticks, run.result.arch.core.clock
    finest = max(w.bins for w in inside.windows if w.place < 0)
    each = -(-ticks // finest)
    if each == 1:
        return f"This page holds every one of the {ticks:,} ticks."
    return (
        f"This page holds the whole run in {finest:,} bins of {each:,} ticks ({ticks_as_time(each, clock)}) or less, and windows in which "
        f"every single tick is there at {len(inside.places)} places, with all levels in between. Elsewhere it does not go deeper: "
        "what every part did at any other tick is in the run's folder, and lsim inspect tells it. "
        "All numbers are exact counts of ticks; nothing is sampled."
    )


def _table(inside: Held) -> Table:
    rows: list[list[Cell]] = [
        [
            inside.places[w.place].title if w.place >= 0 else "whole run",
            count(w.begin),
            count(w.end),
            count(w.bins),
            _length(w),
        ]
        for w in inside.windows
    ]
    return Table(["where", "first tick", "end", "bins", "ticks a bin"], rows, "Windows that this page holds")


def _length(window: Window) -> str:
    low, rest = divmod(window.end - window.begin, window.bins)
    return f"{low:,}" if not rest else f"{low:,} or {low + 1:,}"
