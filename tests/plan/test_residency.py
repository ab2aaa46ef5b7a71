"""Does what lives in the global SRAM at any time fit there, and does everything else go to HBM?"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from reference.layout import byte_count, stored
from small import SETTINGS, gemm, machine, trace, vector
from strategies import Machine, machines, traces

from lsim.arch import Arch
from lsim.plan.residency import plan_residency
from lsim.plan.units import fuse
from lsim.trace import Kind, Operator, Role, Trace

MANY = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
STAGING = sum(int(value.split()[0]) for key, value in SETTINGS.items() if key.endswith("_staging"))


def with_region(size: int) -> Arch:
    """The small machine with so many bytes left for activations."""
    return machine(global_sram__capacity=f"{STAGING + size} B")


def resident(*operators: Operator, region: int, kv: tuple[str, ...] = ()) -> tuple[set[str], set[str]]:
    """(what stays, what is copied to HBM)."""
    work = trace(*operators, kv=kv)
    units = fuse(work)
    r = plan_residency(work, units, with_region(region))
    return set(r.resident), {
        t for unit, copied in zip(units, r.copied, strict=True) if copied for t in unit.outputs
    }


@MANY
@given(traces(), machines())
def test_is_the_region_never_overfull(work: Trace, machine: Machine) -> None:
    """Claimed at issue and freed at retirement, one unit after another; and what is alive at each unit, counted anew."""
    units, arch = fuse(work), machine.arch
    r = plan_residency(work, units, arch)
    live = peak = 0
    for claim, free in zip(r.claims, r.frees, strict=True):
        live += claim
        peak = max(peak, live)
        live -= free
        assert live >= 0
    assert live == 0
    assert peak == r.region <= arch.live_capacity
    readers = {t: i for i, unit in enumerate(units) for t in unit.reads}
    made = {t: i for i, unit in enumerate(units) for t in unit.outputs}
    for u in range(len(units)):
        # An output that overwrites an operand is not counted twice: what dies here and what is born here share a place.
        alive = sum(_bytes(work, arch, t) for t in r.resident if made[t] < u < readers.get(t, -1))
        assert alive <= r.region


@MANY
@given(traces(), machines())
def test_is_everything_in_a_place(work: Trace, machine: Machine) -> None:
    units = fuse(work)
    r = plan_residency(work, units, machine.arch)
    read = {t for unit in units for t in unit.reads}
    for unit, copied, spilled in zip(units, r.copied, r.spilled, strict=True):
        here = [t in r.resident for t in unit.outputs]
        assert all(here) or not any(here), "all outputs of a unit live together"
        assert spilled is not all(here)
        must = spilled or any(work.tensors[t].role is Role.KV for t in unit.outputs)
        assert copied or not must
        assert spilled or any(t in read for t in unit.outputs), "what nobody reads is not kept"
    if "capacity" in machine.ideal:
        assert r.resident == {t for unit in units if read & set(unit.outputs) for t in unit.outputs}


@MANY
@given(traces(), machines())
def test_is_what_the_region_never_uses_given_to_the_rings(work: Trace, machine: Machine) -> None:
    arch, r = machine.arch, plan_residency(work, fuse(work), machine.arch)
    spare = r.m1_staging + r.m2_staging - arch.m1_staging - arch.m2_staging
    assert spare == arch.live_capacity - r.region
    assert 0 <= (r.m2_staging - arch.m2_staging) - (r.m1_staging - arch.m1_staging) <= 1


def _bytes(work: Trace, arch: Arch, tensor: str) -> int:
    return byte_count(stored(arch, work.tensors[tensor]), work.tensors[tensor].elements)


# x0 → x1 → x2, 16 B each; no element-wise ones, which would fuse.
CHAIN = (
    gemm("w", "i", "x0", 4, 8, 4),
    vector(Kind.SOFTMAX, ["x0"], "x1", 4, 4),
    vector(Kind.NORM, ["x1"], "x2", 4, 4),
)


def test_does_an_output_stay_that_has_a_reader_and_room() -> None:
    assert resident(*CHAIN, region=16) == ({"x0", "x1"}, {"x2"})


def test_does_an_output_go_to_hbm_that_has_no_room() -> None:
    """What is in the way is there first: x0."""
    two = (
        gemm("w", "i", "x0", 4, 8, 4),
        gemm("v", "x0", "x1", 4, 4, 4),
        vector(Kind.RESIDUAL, ["x1", "x0"], "x2", 4, 4),
    )
    assert resident(*two, region=31) == ({"x0"}, {"x1", "x2"})
    assert resident(*two, region=32) == ({"x0", "x1"}, {"x2"})
    assert resident(*two, region=15) == (set(), {"x0", "x1", "x2"})


def test_is_a_place_overwritten_only_by_the_last_reader() -> None:
    """x0 is read again after the softmax: then both need room."""
    later = (*CHAIN, vector(Kind.RESIDUAL, ["x2", "x0"], "x3", 4, 4))
    assert resident(*later, region=16) == ({"x0"}, {"x1", "x2", "x3"})
    assert resident(*later, region=32)[0] == {"x0", "x1", "x2"}


def test_are_keys_kept_in_hbm_too() -> None:
    keys = (
        gemm("w", "x", "k", 8, 2, 8),
        gemm("q", "k", "s", 4, 8, 8),
        vector(Kind.SOFTMAX, ["s"], "o", 4, 8),
    )
    assert resident(*keys, region=96, kv=("k",)) == ({"k", "s"}, {"k", "o"})
    assert resident(*keys, region=96) == ({"k", "s"}, {"o"})


def test_is_what_stands_beside_hbm_data_copied() -> None:
    """An operand of two tensors, one of which is an input, comes from HBM as a whole."""
    work = trace(gemm("w", "i", "a", 4, 8, 2), gemm("w2", "j", "b", 4, 8, 4))
    joined = Operator("join", Kind.GEMM, (("w2",), ("a", "j")), ("o",), 1, 4, 8, 5)
    tensors = {**work.tensors, "o": work.tensors["b"]}
    both = Trace("joined", tensors, (work.operators[0], joined))
    r = plan_residency(both, fuse(both), with_region(64))
    assert (r.resident, r.copied, r.spilled) == ({"a"}, (True, True), (False, True))
