"""Is what is said of a tick or a window of a folded run what the unfolded timeline says?"""

from __future__ import annotations

from collections import Counter
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import runs
from unfold import columns, records

from lsim import load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.kernel.labels import Kind
from lsim.results.result import Result
from lsim.results.statistics import PartTime

RUNS = settings(max_examples=12, suppress_health_check=list(HealthCheck))
Changes = list[tuple[int, int, int]]


@st.composite
def windows(draw: st.DrawFn) -> tuple[Result, int, int]:
    result = draw(runs())
    begin = draw(st.integers(0, result.ticks - 1))
    return result, begin, draw(st.integers(begin + 1, result.ticks))


def changes(result: Result, part: int) -> Changes:
    """Every state of a part: (tick, code, items done)."""
    return [(0, result.log.initial[part], 0), *records(result, part)]


# -- a tick --------------------------------------------------------------------------------------------------------
@RUNS
@given(runs(), st.data())
def test_what_does_every_part_do_at_a_tick(result: Result, data: st.DataObject) -> None:
    ticks = data.draw(st.lists(st.integers(0, result.ticks - 1), min_size=1, max_size=5))
    happened = columns(result)
    every = [changes(result, part) for part in range(len(result.log.parts))]
    for tick in ticks:
        moment, told = result.log.at(tick), result.timeline.at(tick)
        for part, name in enumerate(result.log.parts):
            since, code, position = [change for change in every[part] if change[0] <= tick][-1]
            assert (moment.codes[part], moment.positions[part]) == (code, position), name
            state, label = told[name], result.log.labels[code]
            assert state.state == label.kind.name.lower()
            if state.state == "busy":
                pieces = label.pattern[0].intervals() if label.pattern and label.pattern[0] else []
                spent = [cause for cause, ticks in pieces for _ in range(ticks)]
                cause = spent[tick - since] if spent else label.cause
                assert (state.cause, state.waits_for) == (cause, None), name
            else:
                assert state.waits_for == (None if label.target is None else result.log.parts[label.target])
            if state.state == "wait":
                assert happened[name][tick] == state.cause, name


@RUNS
@given(runs(), st.data())
def test_does_the_chain_of_blame_lead_to_the_root_cause(result: Result, data: st.DataObject) -> None:
    tick = data.draw(st.integers(0, result.ticks - 1))
    told = result.timeline.at(tick)
    for name, state in told.items():
        chain = result.timeline.blame(name, tick)
        assert chain[0] == (name, state)
        assert [one.waits_for for _, one in chain[:-1]] == [link for link, _ in chain[1:]]
        last = chain[-1][1]
        assert last.waits_for is None
        seen = (
            "compute" if last.cause in ("feed", "adc") else last.cause
        )  # whoever waits for a block waits for all of it
        assert state.state == "busy" or state.cause == seen


# -- a window ------------------------------------------------------------------------------------------------------
@RUNS
@given(windows())
def test_where_did_the_ticks_of_a_window_go(drawn: tuple[Result, int, int]) -> None:
    result, begin, end = drawn
    told = result.timeline.window(begin, end)
    for name, happened in columns(result).items():
        counted = Counter(happened[begin:end].tolist())
        busy, idle = counted.pop("busy", 0), counted.pop("idle", 0)
        assert told[name] == PartTime(busy, idle, dict(counted)), name


@RUNS
@given(windows())
def test_which_shots_lie_in_a_window(drawn: tuple[Result, int, int]) -> None:
    result, begin, end = drawn
    told = result.timeline.shots(1, begin, end)
    expected = reduce(np.add, (shots(result, group.part("core")) for group in result.plan.groups))
    counted = expected[begin:end].sum(axis=0)
    assert [int(told[name][0]) for name in ("core_shots", "engine_shots", "macs")] == counted.tolist()
    core, ticks = result.arch.core, end - begin
    engines = core.tiles * core.cores * core.rows * core.columns * ticks
    assert result.timeline.utilization(begin, end) == pytest.approx(
        {
            "core_busy": counted[0] / (core.tiles * core.cores * ticks),
            "occupied": counted[1] / engines,
            "useful_macs": counted[2] / (engines * core.wavelengths),
        }
    )
    assert result.timeline.utilization() == result.utilization()


def shots(result: Result, core: str) -> np.ndarray:
    """(tick, 3): what each tick of a core counts: each block written out shot by shot."""
    t, counts = result.log, np.zeros((result.ticks, 3), dtype=np.int64)
    amounts: dict[str, int] = {}
    done = 0
    for tick, code, _ in changes(result, t.parts.index(core)):
        label = t.labels[code]
        if dict(label.amounts).get("shots"):
            amounts, done = dict(label.amounts), 0
        if label.pattern is None:
            continue
        pieces = [(label.cause, 1)] if label.pattern[0] is None else label.pattern[0].intervals()
        for cause, ticks in pieces:
            if cause == "compute":
                cores, engines = (
                    amounts[name] // amounts["shots"] for name in ("core_shots", "engine_shots")
                )
                most = engines * result.arch.core.wavelengths
                counts[tick] += cores, engines, min(most, amounts["macs"] - done * most)
                done += 1
            tick += ticks
    return counts


@RUNS
@given(windows())
def test_which_intervals_lie_in_a_window(drawn: tuple[Result, int, int]) -> None:
    result, begin, end = drawn
    for part, name in enumerate(result.log.parts):
        told = list(result.timeline.intervals(name, begin, end))
        states = [*changes(result, part), (result.ticks, 0, 0)]
        expected = [
            (max(a, begin), min(b, end), result.log.labels[code].kind.name.lower())
            for (a, code, _), (b, _, _) in pairwise(states)
            if max(a, begin) < min(b, end)
        ]
        assert [(i.begin, i.end, i.told.state) for i in told] == expected, name


# -- waits ---------------------------------------------------------------------------------------------------------
@RUNS
@given(runs(), st.integers(1, 10))
def test_which_waits_were_the_longest(result: Result, count: int) -> None:
    happened, lengths = columns(result), []
    for part, name in enumerate(result.log.parts):
        expected: Counter[tuple[int, str | None]] = Counter()
        starts = {}
        for (a, code, _), (b, _, _) in pairwise([*changes(result, part), (result.ticks, 0, 0)]):
            label = result.log.labels[code]
            if a < b and label.kind is Kind.WAIT:
                starts[a] = b - a, None if label.target is None else result.log.parts[label.target]
                expected[starts[a]] += 1
        told = result.timeline.longest_waits(count, name)
        found: Counter[tuple[int, str | None]] = Counter()
        for wait in told:
            assert starts[wait.begin] == (wait.ticks, wait.waits_for)
            spent = Counter(happened[name][wait.begin : wait.end])
            assert spent[wait.cause] == max(spent.values()), (name, wait)
            found[wait.ticks, wait.waits_for] += wait.times
        least = told[-1].ticks if len(told) == count else 0
        for span, times in expected.items():
            assert found[span] == times or span[0] <= least, (name, span)
        assert all(times <= expected[span] for span, times in found.items())
        lengths += [wait.ticks for wait in told]
    assert [w.ticks for w in result.timeline.longest_waits(count)] == sorted(lengths, reverse=True)[:count]


# -- long runs, and what is refused --------------------------------------------------------------------------------
def test_is_a_tick_of_a_long_run_told_at_once() -> None:
    result = simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))
    middle = result.timeline.at(result.ticks // 2)
    assert middle["core"].operator is None or middle["core"].operator.startswith("layers.")
    assert result.timeline.window(0, result.ticks) == result.parts()
    whole = result.timeline.utilization()
    assert whole == result.utilization()


@pytest.mark.parametrize("window", [(-1, 5), (5, 5), (0, 10**12)])
def test_is_a_window_that_is_not_in_the_run_refused(window: tuple[int, int]) -> None:
    timeline = simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit")).timeline
    for query in (timeline.window, timeline.utilization, lambda a, b: timeline.intervals("core", a, b)):
        with pytest.raises(InputError, match=r"is not in the run's|\[5, 5\) holds no tick"):
            query(*window)
    with pytest.raises(InputError, match="did you mean 'core'"):
        timeline.blame("cor", 5)


def test_is_an_answer_that_would_fill_the_memory_refused() -> None:
    timeline = simulate(load_trace("bert-large"), load_arch("lt-l-4bit")).timeline
    for query in (timeline.shots, timeline.series_all, lambda bins: timeline.series("core", bins)):
        with pytest.raises(InputError, match="an answer has at most"):
            query(10**18)
    with pytest.raises(InputError, match="0 bins are none"):
        timeline.shots(0)
