"""Do the stretches of operators add up, and are they what the unfolded timeline has?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import attention, gemm, layers, machine, trace, vector
from strategies import Machine, machines, traces
from unfold import columns

from lsim import simulate
from lsim.errors import InputError
from lsim.results.result import Result
from lsim.results.spans import spans, tile_ticks
from lsim.results.states import COLUMNS
from lsim.trace import Kind, Trace

RUNS = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def checked(result: Result) -> None:
    found = spans(result)
    assert sum(span.prolongs for span in found) == result.ticks
    assert all(one.retired == other.before for one, other in pairwise(found))
    peak = result.arch.peak_macs_per_tick
    for span in found:
        assert span.issued <= span.own <= span.end <= span.retired
        assert span.prolongs >= 0
        assert span.macs <= peak * span.ticks
    assert sum(span.macs for span in found) == result.macs


@RUNS
@given(traces(), machines())
def test_do_operators_prolong_the_run_by_its_ticks(work: Trace, machine: Machine) -> None:
    try:
        result = simulate(work, machine.arch)
    except InputError:
        return
    checked(result)


@pytest.mark.parametrize("deps", ["barrier", "chunked"])
def test_do_spans_add_up_with_every_policy(deps: str) -> None:
    checked(simulate(attention(tokens=24, blocks=2), machine(), deps=deps))


def test_prolongs_an_operator_that_ends_before_an_earlier_one_the_run_by_nothing() -> None:
    result = simulate(trace(gemm("w", "x", "o", 8, 64, 64), vector(Kind.NORM, ["z"], "n", 2, 4)), machine())
    long, short = spans(result)
    assert short.end < long.end == result.ticks
    assert (long.prolongs, short.prolongs) == (result.ticks, 0)


def test_are_the_ticks_of_a_stretch_those_of_the_unfolded_timeline() -> None:
    result = simulate(layers(6), machine())
    begins, ends = [0, 5, 5, result.ticks // 2], [result.ticks, 5, 90, result.ticks // 2 + 7]
    happened = columns(result)["core"]
    for a, b, row in zip(begins, ends, tile_ticks(result, 0, begins, ends), strict=True):
        told = Counter({name: int(n) for name, n in zip(COLUMNS, row, strict=True) if n})
        core = Counter(happened[a:b])
        idle = core.pop("idle", 0)
        assert told.total() == b - a
        assert (told - core).total() == idle and not core - told  # idle ticks have gone to their causes


@RUNS
@given(traces(), machines(), st.sampled_from(["lockstep", "head-parallel"]))
def test_are_the_ticks_of_a_run_those_of_its_tiles(work: Trace, machine: Machine, mapping: str) -> None:
    try:
        result = simulate(work, machine.arch, mapping=mapping)
    except InputError:
        return
    for number, tile in enumerate(result.tiles().values()):
        (row,) = tile_ticks(result, number, [0], [result.ticks])
        told = {name: int(n) for name, n in zip(COLUMNS, row, strict=True) if n}
        busy = told.pop("busy", 0)
        assert sum(tile.values()) == busy + sum(told.values()) == result.ticks
        in_blocks = {"compute", "feed", "adc", "edge"}
        assert {c: n for c, n in tile.items() if c not in in_blocks} == {
            c: n for c, n in told.items() if c not in in_blocks
        }
