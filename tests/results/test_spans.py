"""Do the stretches of operators add up, and are they what the unfolded timeline has?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from small import attention, layers, machine
from strategies import Machine, machines, traces
from unfold import columns

from lsim import simulate
from lsim.errors import InputError
from lsim.results.result import Result
from lsim.results.spans import spans, ticks_between
from lsim.results.states import COLUMNS
from lsim.trace import Trace

RUNS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def checked(result: Result) -> None:
    found = spans(result)
    assert sum(span.prolongs for span in found) == result.ticks
    assert all(one.retired == other.before for one, other in pairwise(found))
    peak = result.arch.peak_macs_per_tick
    for span in found:
        assert span.issued <= span.own <= span.end <= span.retired
        assert span.macs <= peak * span.ticks
    assert sum(span.macs for span in found) == result.macs


@RUNS
@given(traces(), machines())
def test_do_operators_prolong_the_run_by_its_ticks(trace: Trace, machine: Machine) -> None:
    try:
        result = simulate(trace, machine.arch)
    except InputError:
        return
    checked(result)


@pytest.mark.parametrize("deps", ["barrier", "chunked"])
def test_do_spans_add_up_with_every_policy(deps: str) -> None:
    checked(simulate(attention(tokens=24, blocks=2), machine(), deps=deps))


def test_are_the_ticks_of_a_stretch_those_of_the_unfolded_timeline() -> None:
    result = simulate(layers(6), machine())
    begins, ends = [0, 5, 5, result.ticks // 2], [result.ticks, 5, 90, result.ticks // 2 + 7]
    parts = ["core", "gb0"]
    for part, ticks in zip(parts, ticks_between(result, parts, begins, ends), strict=True):
        happened = columns(result)[part]
        for a, b, row in zip(begins, ends, ticks, strict=True):
            told = {name: int(n) for name, n in zip(COLUMNS, row, strict=True) if n}
            assert told == Counter(happened[a:b]), (part, a, b)


def test_go_the_ticks_of_an_idle_core_to_their_causes() -> None:
    result = simulate(layers(6), machine())
    ((followed,), (plain,)) = (
        next(iter(ticks_between(result, ["core"], [0], [result.ticks], follow_idle=follow)))
        for follow in (True, False)
    )
    idle = COLUMNS.index("idle")
    assert plain[idle] > 0 and followed[idle] == 0
    assert followed.sum() == plain.sum() == result.ticks
    tile = result.tiles()["tile0"]
    waits = {name: int(n) for name, n in zip(COLUMNS, followed, strict=True) if n and name != "busy"}
    assert waits == {cause: n for cause, n in tile.items() if cause in waits}
    assert sum(tile.values()) - sum(waits.values()) == followed[0]
