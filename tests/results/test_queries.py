"""Is what is said of a tick or a window of a folded run what the unfolded timeline says?"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import Machine, machines, traces
from unfold import records

from lsim import load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.results.result import Result
from lsim.trace import Trace

RUNS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def run(trace: Trace, machine: Machine) -> Result | None:
    try:
        return simulate(trace, machine.arch)
    except InputError:
        return None


@RUNS
@given(traces(), machines(), st.data())
def test_what_does_every_part_do_at_a_tick(trace: Trace, machine: Machine, data: st.DataObject) -> None:
    result = run(trace, machine)
    if result is None or not result.ticks:
        return
    tick = data.draw(st.integers(0, result.ticks - 1))
    codes, positions = result.log.at(tick)
    for part, name in enumerate(result.log.parts):
        before = [(code, position) for when, code, position in records(result, part) if when <= tick]
        assert codes[part] == (before[-1][0] if before else result.log.initial[part]), name
        if before and name in result.plan.programs:
            assert positions[part] >= before[-1][1], name


@RUNS
@given(traces(), machines(), st.data())
def test_do_the_ticks_of_a_window_add_up_to_those_of_its_entries(
    trace: Trace, machine: Machine, data: st.DataObject
) -> None:
    result = run(trace, machine)
    if result is None or not result.ticks:
        return
    begin = data.draw(st.integers(0, result.ticks - 1))
    end = data.draw(st.integers(begin + 1, result.ticks))
    busy = {name: time.busy for name, time in result.timeline.window(begin, end).items()}
    for part, name in enumerate(result.log.parts):
        assert result.timeline.window(begin, end)[name].total == end - begin
        assert busy[name] == _busy(result, part, begin, end), name


def _busy(result: Result, part: int, begin: int, end: int) -> int:
    t = result.log
    states = [(0, t.initial[part]), *((when, code) for when, code, _ in records(result, part))]
    ends = [when for when, _ in states[1:]] + [t.end]
    spans = [
        (max(begin, a), min(end, b))
        for (a, code), b in zip(states, ends, strict=True)
        if t.labels[code].kind == 0
    ]
    return sum(b - a for a, b in spans if a < b)


def test_is_a_tick_of_a_long_run_told_at_once() -> None:
    result = simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))
    middle = result.timeline.at(result.ticks // 2)
    assert middle["core"].operator is None or middle["core"].operator.startswith("layers.")
    assert sum(time.total for time in result.timeline.window(0, result.ticks).values()) == result.ticks * len(
        middle
    )
    assert result.timeline.window(0, result.ticks) == result.parts()


@pytest.mark.parametrize("window", [(-1, 5), (5, 5), (0, 10**12)])
def test_is_a_window_that_is_not_in_the_run_refused(window: tuple[int, int]) -> None:
    result = simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))
    with pytest.raises(InputError, match="is not in the run's"):
        result.timeline.window(*window)
