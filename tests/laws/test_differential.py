"""Are the folded, the unfolded, the shot-stepped and the independent per-tick run the same run?"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from reference import run as run_reference
from small import gemm, machine, trace, vector
from strategies import Causal, Machine, causals, machines, traces
from unfold import busy_intervals, intervals

from lsim import simulate, skip_masked
from lsim.errors import InputError
from lsim.kernel import cursor, fold
from lsim.results.result import Result
from lsim.trace import Kind, Trace
from lsim.trace.check import build

RUNS = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def simulated(trace: Trace, machine: Machine, **options: object) -> Result | None:
    """The run, or None for a machine that cannot run the trace."""
    try:
        return simulate(trace, machine.arch, **options)  # type: ignore[arg-type]
    except InputError as error:
        note(str(error))
        return None


POLICIES = st.fixed_dictionaries(
    {
        "mapping": st.sampled_from([None, "lockstep", "head-parallel", "m1-stationary"]),
        "deps": st.sampled_from(["barrier", "chunked"]),
    }
)


KNOBS = st.tuples(
    st.sampled_from([2, 12, 1000]),
    st.sampled_from([2, 16]),
    st.sampled_from([1, 12]),
    st.sampled_from([1, 4]),
)
"""From which size on loops are folded and their parts are phases, and how many anchors and periods are kept: nothing of it may matter."""


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), POLICIES, KNOBS)
def test_is_the_folded_run_the_unfolded_run(
    trace: Trace, machine: Machine, policies: dict[str, str | None], knobs: tuple[int, int, int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "LONG", knobs[0])
        patch.setattr(cursor, "WORTH_FOLDING", knobs[1])
        patch.setattr(fold, "WORTH_AN_ANCHOR", knobs[2])
        patch.setattr(fold, "PERIODS_KEPT", knobs[3])
        folded, unfolded = (
            simulated(trace, machine, **policies),
            simulated(trace, machine, fold=False, **policies),
        )
    if folded is None or unfolded is None:
        assert folded is unfolded
        return
    same_numbers(folded, unfolded)
    assert intervals(folded) == intervals(unfolded)


@RUNS
@given(traces(layers=2), machines(groups=("1", "2", "4")), POLICIES, st.booleans())
def test_is_the_run_by_blocks_the_run_by_shots(
    trace: Trace, machine: Machine, policies: dict[str, str | None], folded: bool
) -> None:
    blocks, shots = (
        simulated(trace, machine, **policies),
        simulated(trace, machine, step="shot", fold=folded, **policies),
    )
    if blocks is None or shots is None:
        assert blocks is shots
        return
    same_numbers(blocks, shots, parts=False)
    there = intervals(shots)
    assert intervals(blocks) == {name: there[name] for name in blocks.log.parts}


@RUNS
@given(traces(layers=2), machines())
def test_is_it_the_machine_of_the_page(trace: Trace, machine: Machine) -> None:
    compare_with_the_reference(trace, machine)


BANDS = settings(RUNS, max_examples=25)


@BANDS
@given(causals(tokens=7, layers=2), st.integers(1, 4), machines())
def test_is_attention_in_bands_the_machine_of_the_page(one: Causal, queries: int, machine: Machine) -> None:
    compare_with_the_reference(skip_masked(build(one.document), queries), machine)


@BANDS
@given(causals(tokens=7), st.integers(1, 4), machines(groups=("1", "2")), POLICIES, KNOBS)
def test_is_the_folded_run_of_bands_the_unfolded_run(
    one: Causal,
    queries: int,
    machine: Machine,
    policies: dict[str, str | None],
    knobs: tuple[int, int, int, int],
) -> None:
    banded = skip_masked(build(one.document), queries)
    test_is_the_folded_run_the_unfolded_run.hypothesis.inner_test(banded, machine, policies, knobs)  # type: ignore[attr-defined]


def compare_with_the_reference(trace: Trace, machine: Machine) -> None:
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


LATE = machine(
    hbm__channels="3", hbm__transaction="8 B", global_sram__groups="2", act_sram__slot="8 B", global_sram__m1_staging="32 B",
    global_sram__psum_staging="256 B", global_sram__capacity="737 B",
)  # fmt: skip


@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 5])
def test_do_results_that_come_late_begin_at_the_first_channel(pieces: int) -> None:
    """Where the first thing that a program does for an operator writes nothing: a chunk whose sums are spilled, a first sweep.

    What went before leaves the turns of channels and bank groups anywhere.
    """
    gemms = gemm("w0", "i", "h", 4, 8, 2 * pieces), gemm("w", "x", "o", 4, 16, 32)
    vectors = vector(Kind.ACTIVATION, ["i"], "h", 1, 8 * pieces), vector(Kind.SOFTMAX, ["y"], "o", 2, 40)
    for work in (trace(*gemms), trace(*vectors)):
        result, reference = simulate(work, LATE), run_reference(work, LATE)
        assert all(not tiling.keep for name, tiling in result.plan.tilings.items() if name == "make o")
        busy = busy_intervals(result)
        for part, expected in reference.intervals.items():
            assert busy[part] == [(start, end) for start, end, _ in expected], part


@pytest.mark.slow
@settings(RUNS, max_examples=120)
@given(traces(layers=6, size=20), machines(groups=("1", "2", "4")), POLICIES, KNOBS)
def test_is_the_folded_run_the_unfolded_run_at_length(
    trace: Trace, machine: Machine, policies: dict[str, str | None], knobs: tuple[int, int, int, int]
) -> None:
    test_is_the_folded_run_the_unfolded_run.hypothesis.inner_test(trace, machine, policies, knobs)  # type: ignore[attr-defined]


def same_numbers(one: Result, other: Result, parts: bool = True) -> None:
    """All that the results tell, up to how they were come by."""
    a, b = one.to_dict(), other.to_dict()
    for key in ("ticks", "utilization", "tiles", "operators", "bytes", "energy") + (
        ("parts",) if parts else ()
    ):
        assert a[key] == b[key], key
