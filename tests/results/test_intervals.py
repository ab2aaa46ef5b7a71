"""Are the intervals of a window those of the unfolded run, folds within folds and seams included?"""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Machine, machines, traces
from unfold import records

from lsim import Result, load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.log import CUT, FOLD, Fold
from lsim.results.folded import FoldedLog
from lsim.results.intervals import Interval, changes, intervals
from lsim.trace import Trace

RUNS = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def unfolded(result: Result, part: int, begin: int, end: int) -> list[Interval]:
    """The same from every record of the run, one after the other."""
    found = [(0, result.log.initial[part], 0), *records(result, part)]
    ends = [tick for tick, _, _ in found[1:]] + [result.ticks]
    return [
        Interval(part, max(a, begin), min(b, end), code, position)
        for (a, code, position), b in zip(found, ends, strict=True)
        if max(a, begin) < min(b, end)
    ]


@RUNS
@given(traces(layers=4), machines(groups=("1", "2", "4")), st.booleans(), st.data())
def test_are_the_intervals_of_a_window_those_of_the_unfolded_run(
    trace: Trace, machine: Machine, chunked: bool, data: st.DataObject
) -> None:
    try:
        mapping = "head-parallel" if machine.settings["broadcast.groups"] != "1" else "lockstep"
        result = simulate(trace, machine.arch, mapping=mapping, deps="chunked" if chunked else "barrier")
    except InputError:
        assume(False)
        return
    assume(result.ticks > 0)
    begin = data.draw(st.integers(0, result.ticks - 1))
    end = data.draw(st.integers(begin + 1, result.ticks))
    ranks = range(len(result.log.parts))
    chosen = data.draw(st.none() | st.lists(st.sampled_from(ranks), unique=True, min_size=1))
    found = list(intervals(result.log, chosen, begin, end))
    for part in ranks if chosen is None else chosen:
        assert [i for i in found if i.part == part] == unfolded(result, part, begin, end)
    assert {i.part for i in found} == set(ranks if chosen is None else chosen)
    assert [i.end for i in found] == sorted(i.end for i in found)
    began = [(c.tick, c.part, c.code, c.position) for c in changes(result.log, chosen, begin, end)]
    assert began == sorted((i.begin, i.part, i.code, i.position) for i in found)


def test_is_an_interval_over_the_edge_of_a_fold_one() -> None:
    """Busy for a tick, then idle for 4 of a period of 5 that is written from the middle of its idle time on.

    The run: idle [0, 3), then [3, 8) four times: busy at 5, 10, 15, 20; ends at 23.
    """
    idle, busy = Label(Kind.IDLE, Cause.DONE), Label(Kind.BUSY, Cause.DPU)
    entries = [
        (3, CUT, 0, 0), (5, 0, 1, 0), (6, 0, 0, 1),
        (8, FOLD, 0, 0), (23, CUT, 0, 0),
    ]  # fmt: skip
    fold = Fold(first=0, last=3, count=3, period=5, shift=5, steps=(1,), offsets=(1,))
    log = FoldedLog(np.array(entries, np.int64), (fold,), ("a",), (idle, busy), (0,), 23)
    told = list(intervals(log, None, 7, 17))
    assert told == [
        Interval(0, 7, 10, 0, 1),
        Interval(0, 10, 11, 1, 1),
        Interval(0, 11, 15, 0, 2),
        Interval(0, 15, 16, 1, 2),
        Interval(0, 16, 17, 0, 3),
    ]
    assert [(i.begin, i.end) for i in intervals(log, [0], 21, 23)] == [(21, 23)]


def test_is_a_window_of_a_long_run_unfolded_alone() -> None:
    """A run of which only a thousandth would be looked at; each tick of the window is there once for each part."""
    result = simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))
    begin = result.ticks // 2
    lengths = [0] * len(result.log.parts)
    for i in intervals(result.log, None, begin, begin + 5000):
        lengths[i.part] += i.end - i.begin
    assert lengths == [5000] * len(lengths)
