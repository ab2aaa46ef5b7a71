"""Are the folded, the unfolded, the shot-stepped and the independent per-tick run the same run?"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lsim import simulate
from lsim.errors import InputError
from lsim.results.result import Result
from lsim.trace import Trace
from reference import run as run_reference
from strategies import Machine, machines, traces
from unfold import busy_intervals, intervals

RUNS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def simulated(trace: Trace, machine: Machine, **options: object) -> Result | None:
    """The run, or None for a machine that cannot run the trace."""
    try:
        return simulate(trace, machine.arch, **options)  # type: ignore[arg-type]
    except InputError as error:
        note(str(error))
        return None


POLICIES = st.fixed_dictionaries({"mapping": st.sampled_from(["lockstep", "head-parallel"]), "deps": st.sampled_from(["barrier", "chunked"])})


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), POLICIES)
def test_is_the_folded_run_the_unfolded_run(trace: Trace, machine: Machine, policies: dict[str, str]) -> None:
    folded, unfolded = simulated(trace, machine, **policies), simulated(trace, machine, fold=False, **policies)
    if folded is None or unfolded is None:
        assert folded is unfolded
        return
    same_numbers(folded, unfolded)
    assert intervals(folded) == intervals(unfolded)


@RUNS
@given(traces(layers=2), machines(groups=("1", "2", "4")), POLICIES, st.booleans())
def test_is_the_run_by_blocks_the_run_by_shots(trace: Trace, machine: Machine, policies: dict[str, str], fold: bool) -> None:
    blocks, shots = simulated(trace, machine, **policies), simulated(trace, machine, step="shot", fold=fold, **policies)
    if blocks is None or shots is None:
        assert blocks is shots
        return
    same_numbers(blocks, shots, parts=False)
    there = intervals(shots)
    assert intervals(blocks) == {name: there[name] for name in blocks.timeline.parts}


@RUNS
@given(traces(layers=2), machines())
def test_is_it_the_machine_of_the_page(trace: Trace, machine: Machine) -> None:
    result = simulated(trace, machine)
    try:
        reference = run_reference(trace, machine.arch)
    except InputError as error:
        note(str(error))
        assert result is None
        return
    assert result is not None
    assert result.ticks == reference.ticks
    assert {o.name: (o.start, o.end) for o in result.operators} == reference.operators
    busy = busy_intervals(result)
    for part, expected in reference.intervals.items():
        assert busy[part] == [(start, end) for start, end, _ in expected], part
    assert result.statistics.amounts.get("macs", 0) == reference.macs
    assert result.statistics.amounts.get("shots", 0) == reference.shots


@pytest.mark.slow
@settings(RUNS, max_examples=600)
@given(traces(layers=6, size=20), machines(groups=("1", "2", "4")), POLICIES)
def test_is_the_folded_run_the_unfolded_run_at_length(trace: Trace, machine: Machine, policies: dict[str, str]) -> None:
    test_is_the_folded_run_the_unfolded_run.hypothesis.inner_test(trace, machine, policies)  # type: ignore[attr-defined]


def same_numbers(one: Result, other: Result, parts: bool = True) -> None:
    """All that the results tell, up to how they were come by."""
    a, b = one.to_dict(), other.to_dict()
    for key in ("ticks", "utilization", "tiles", "operators", "bytes") + (("parts",) if parts else ()):
        assert a[key] == b[key], key
