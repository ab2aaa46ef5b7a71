"""Are the intervals of a window those of the unfolded run, folds within folds and seams included?"""

from __future__ import annotations

from itertools import combinations

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

RUNS = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


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


IDLE, BUSY = Label(Kind.IDLE, Cause.DONE), Label(Kind.BUSY, Cause.DPU)


def by_hand(entries: list[tuple[int, int, int, int]], folds: tuple[Fold, ...], end: int) -> FoldedLog:
    return FoldedLog(np.array(entries, np.int64), folds, ("a",), (IDLE, BUSY), (0,), end)


def is_busy_at(log: FoldedLog, busy: list[tuple[int, int]]) -> None:
    """In every window of a short run: busy in these intervals and no others, one item done at the end of each."""
    whole, last = [], 0
    for item, (begin, end) in enumerate(busy):
        whole += [Interval(0, last, begin, 0, item), Interval(0, begin, end, 1, item)]
        last = end
    whole.append(Interval(0, last, log.end, 0, len(busy)))
    for a, b in combinations(range(log.end + 1), 2):
        cut = [i._replace(begin=max(i.begin, a), end=min(i.end, b)) for i in whole]
        assert list(intervals(log, [0], a, b)) == [i for i in cut if i.begin < i.end], (a, b)


def test_is_an_interval_over_the_edge_of_a_fold_one() -> None:
    """Busy one tick in five; the period that is repeated begins in the middle of the idle time, at 3."""
    fold = Fold(first=0, last=3, count=3, period=5, shift=5, steps=(1,), offsets=(1,))
    entries = [(3, CUT, 0, 0), (5, 0, 1, 0), (6, 0, 0, 1), (8, FOLD, 0, 0), (23, CUT, 0, 0)]
    is_busy_at(by_hand(entries, (fold,), 23), [(5, 6), (10, 11), (15, 16), (20, 21)])


def test_is_a_fold_within_a_fold_repeated_with_it() -> None:
    """Busy 2 ticks, idle 1, four times (three of them folded), idle 2; and that three times (two of them folded)."""
    inner = Fold(first=0, last=3, count=3, period=3, shift=3, steps=(1,), offsets=(1,))
    outer = Fold(first=0, last=5, count=2, period=14, shift=14, steps=(4,), offsets=(4,))
    entries = [
        (1, CUT, 0, 0), (1, 0, 1, 0), (3, 0, 0, 1),
        (4, FOLD, 0, 0), (13, CUT, 0, 0),
        (15, FOLD, 1, 0), (43, CUT, 0, 0),
    ]  # fmt: skip
    starts = [1 + 14 * far + 3 * near for far in range(3) for near in range(4)]
    is_busy_at(by_hand(entries, (inner, outer), 45), [(start, start + 2) for start in starts])


def test_is_a_stretch_that_was_written_long_ago_repeated() -> None:
    """Busy 2, idle 1, once; idle to 10; then the first three ticks twice more."""
    again = Fold(first=0, last=3, count=2, period=3, shift=10, steps=(1,), offsets=(1,))
    entries = [(0, CUT, 0, 0), (0, 0, 1, 0), (2, 0, 0, 1), (3, CUT, 0, 0), (10, FOLD, 0, 0), (16, CUT, 0, 0)]
    is_busy_at(by_hand(entries, (again,), 17), [(0, 2), (10, 12), (13, 15)])


def test_is_a_window_of_a_long_run_unfolded_alone() -> None:
    """A run of which only a thousandth would be looked at; each tick of the window is there once for each part."""
    result = simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))
    begin = result.ticks // 2
    lengths = [0] * len(result.log.parts)
    for i in intervals(result.log, None, begin, begin + 5000):
        lengths[i.part] += i.end - i.begin
    assert lengths == [5000] * len(lengths)
