"""Is no run shorter than the bound, whatever the machine, the mapping and the policy; and is the bound what it says?"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import gemm, layers, linear, machine, only, trace, vector
from strategies import Machine, machines, traces

from lsim import load_arch, load_model, load_trace, predict, simulate
from lsim.arch import IDEALS
from lsim.errors import InputError
from lsim.models.bound import WHAT, Bound
from lsim.trace import Kind, Trace

MAPPINGS = ["lockstep", "head-parallel", "m1-stationary"]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    traces(layers=2),
    machines(groups=("1", "2", "4")),
    st.sampled_from(MAPPINGS),
    st.sampled_from(["barrier", "chunked"]),
)
def test_is_no_run_shorter(work: Trace, small: Machine, mapping: str, deps: str) -> None:
    try:
        ticks = simulate(work, small.arch, mapping=mapping, deps=deps).ticks
    except InputError:
        assume(False)
    sharp, general = (Bound(*policy).bind(work).bounds(small.arch) for policy in ((mapping, deps), ()))
    assert {name: bound.ticks for name, bound in sharp.all.items() if bound.ticks > ticks} == {}
    assert {name: bound.ticks for name, bound in general.all.items() if bound.ticks > ticks} == {}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    traces(layers=2), machines(groups=("1", "2", "4")), st.sampled_from(["adc", "hbm", "gb", "dpu", "dispatch", "reload", ""]),
    st.sampled_from(MAPPINGS), st.sampled_from(["barrier", "chunked"]),
)  # fmt: skip
def test_is_no_run_with_one_real_part_shorter(
    work: Trace, small: Machine, real: str, mapping: str, deps: str
) -> None:
    """With nothing else in the way a bound is near, and one that says a little too much is found out."""
    alone = Machine(small.settings, frozenset(IDEALS.keys() - {real}))
    try:
        ticks = simulate(work, alone.arch, mapping=mapping, deps=deps).ticks
    except InputError:
        assume(False)
    for policy in ((mapping, deps), (None, None)):
        found = Bound(*policy).bind(work).bounds(alone.arch).all
        assert {name: bound.ticks for name, bound in found.items() if bound.ticks > ticks} == {}


@settings(max_examples=40)
@given(traces(layers=2), machines(groups=("1", "2")))
def test_are_the_shares_of_operators_the_bound(work: Trace, small: Machine) -> None:
    for deps in (None, "barrier"):
        said = predict(Bound("lockstep", deps), work, small.arch)
        ticks = Bound("lockstep", deps).bind(work).bounds(small.arch)
        assert (
            said.ticks == ticks.all[ticks.binding].ticks == max(bound.ticks for bound in ticks.all.values())
        )
        assert said.ticks.denominator == 1
        assert (
            sum((estimate.ticks for estimate in said.terms.values()), Fraction(0))
            < small.arch.dpu_cycle + small.arch.sram_cycle
        )


def bounds(work: Trace, arch: object, deps: str = "barrier") -> dict[str, int]:
    found = Bound("lockstep", deps).bind(work).bounds(arch).all  # type: ignore[arg-type]
    return {name: bound.ticks for name, bound in found.items()}


def test_what_the_bounds_of_a_layer_are_by_hand() -> None:
    """8 x 8 · 8 x 8 on the small machine: 2 row passes of 4 column blocks of 4 steps; 64 B of weights and 64 B of input at 8 B a
    tick, 64 B of result out; the SRAM moves those 192 B, M1 once, M2 in both passes and the result, at 8 B each 2 ticks."""
    assert bounds(linear(8, 8, 8), machine()) == {
        "cores": 2 * 4 * 4,
        "converters": (2 * 4 * 2 - 1) * 3,
        "hbm": 192 // 8,
        "global_sram": (192 + 64 + 2 * 64 + 64) // 8 * 2,
        "dpu": 0,
        "controller": 4,
        "path": 4 + 32 + 4 + 1,
    }


def test_what_the_bounds_are_by_hand_where_widths_differ() -> None:
    """The same, its 4-bit weights 32 B, its 16-bit input 128 B, its result for the cache 64 B; then a norm that reads what is 8 bits
    wide and writes 16."""
    work = trace(gemm("w", "x", "o", 8, 8, 8), vector(Kind.NORM, ["o"], "n", 8, 8), kv=["o"])
    found = bounds(work, machine().with_widths("W4A16KV8"))
    assert found["hbm"] == (32 + 128 + 64 + 128) // 8
    assert found["global_sram"] == (352 + 32 + 2 * 128 + 64 + 64 + 128) // 8 * 2


def test_does_the_bound_know_how_wide_what_is_held_is() -> None:
    """2 · 2 values a tile through a port of 1 B in cycles of 2 ticks: 4 ticks of 4 bits, 16 of 16; 4 steps in 2 passes, 8 columns."""
    held = {"core__kind": "mrr-bank", "core__columns": "1", "m1_sram__port": "1 B"}
    for weights, ticks in ((4, 4), (16, 16)):
        arch = machine(**held).with_widths(f"W{weights}A8")
        assert bounds(linear(8, 8, 8), arch)["cores"] == 2 * 4 * (8 + ticks)


def test_does_the_bound_know_how_wide_what_is_fed_is() -> None:
    """2 · 2 inputs through a port of 1 B: 4 ticks a shot of 4 bits, 16 of 16, whatever weights are."""
    for activations, ticks in ((4, 4), (16, 16)):
        arch = machine(m2_sram__port="1 B").with_widths(f"W8A{activations}")
        assert bounds(linear(8, 8, 8), arch)["cores"] == 2 * 4 * 4 * ticks


def test_follow_layers_each_other_on_the_path() -> None:
    """Issue, shots, readout and propagation, three times; where row passes may overlap only of the last."""
    assert bounds(layers(3), machine())["path"] == 3 * (4 + 32 + 4 + 1)
    by_m1 = trace(
        gemm("x", "y", "a", 8, 8, 8), vector(Kind.SOFTMAX, ["a"], "p", 8, 8), gemm("p", "v", "o", 8, 8, 8)
    )
    assert bounds(by_m1, machine(), "chunked")["path"] == 41
    assert bounds(by_m1, machine())["path"] > 2 * 41


def test_is_a_run_with_nothing_in_the_way_its_bound() -> None:
    for work in (layers(3), trace(gemm("q", "k", "s", 8, 16, 4, heads=3))):
        arch = machine(IDEALS)
        assert predict(Bound("lockstep", "barrier"), work, arch).ticks == simulate(work, arch).ticks


def test_do_all_of_them_bind_somewhere() -> None:
    found = set()

    @settings(max_examples=200, database=None, derandomize=True)
    @given(traces(layers=2), machines())
    def look(work: Trace, small: Machine) -> None:
        found.add(Bound("lockstep", "chunked").bind(work).bounds(small.arch).binding)

    look()
    apart = trace(*(gemm(f"w{i}", f"x{i}", f"o{i}", 8, 8, 8) for i in range(4)))
    for work, arch in ((layers(3), only("hbm")), (apart, machine(controller__issue="1000 ticks"))):
        found.add(max(bounds(work, arch).items(), key=lambda bound: bound[1])[0])
    assert found == WHAT.keys()


@pytest.mark.parametrize("arch", ["lt-b-4bit", "lt-l-8bit", "mrr-bank-4bit", "mzi-mesh-8bit"])
@pytest.mark.parametrize("name", ["deit-tiny", "bert-base"])
def test_is_it_near_a_real_run(name: str, arch: str) -> None:
    work, real = load_trace(name), load_arch(arch)
    ticks = simulate(work, real).ticks
    assert (
        ticks / 2
        <= predict(load_model("bound", real, mapping="lockstep", deps="barrier"), work, real).ticks
        <= ticks
    )


def test_what_is_said_of_the_one_that_binds() -> None:
    said = predict(load_model("bound", machine()), linear(8, 8, 8), machine())
    assert said.options == {"mapping": "any", "deps": "any"}
    assert said.notes[0].startswith("global_sram binds: ")
    assert said.ticks == 112


def test_tells_the_bound_shots_and_lanes_from_what_else_it_counts() -> None:
    """On the path a layer is its 32 shots, and issue, readout and propagation beside; a softmax 32 ticks of the lanes, and issue."""
    work = trace(gemm("w", "x", "s", 8, 8, 8), vector(Kind.SOFTMAX, ["s"], "p", 8, 8))
    arch = machine(global_sram__banks="4", global_sram__line="16 B", dpu__softmax="1")
    said = predict(Bound("lockstep", "barrier"), work, arch)
    assert [(one.ticks, one.compute) for _, one in said.operators] == [(41, 32), (36, 32)]
