"""Is every product of a GEMM computed once, and does everything fit where it is put?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reference.layout import read_width, written_width
from small import gemm, linear, machine, only, trace
from strategies import Machine, machines, traces

from lsim.arch import Arch
from lsim.errors import ArchError, InputError, PlanError
from lsim.kernel.program import Builder, leaves
from lsim.plan.schedule import Deps, Plan, plan
from lsim.plan.tiling import Manner, chunk_depth
from lsim.plan.vector import VectorTask, vector_programs
from lsim.plan.widths import GemmWidths
from lsim.trace import Operator, Trace

PLANS = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
MAPPINGS = st.sampled_from([None, "lockstep", "head-parallel", "m1-stationary"])
GEMMS = st.builds(
    lambda rows, depth, columns, heads: trace(gemm("w" if heads == 1 else "q", "x", "o", rows, depth, columns, heads)),
    st.integers(1, 30), st.integers(1, 40), st.integers(1, 30), st.integers(1, 4),
)  # fmt: skip


def planned(work: Trace, arch: Arch, mapping: str | None = None, deps: str = "barrier") -> Plan:
    try:
        return plan(work, arch, mapping, Deps(deps))
    except InputError:
        assume(False)
        raise


def counted(p: Plan, process: str) -> Counter[Any]:
    """How often it does each thing."""
    total: Counter[Any] = Counter()
    if process in p.programs:
        for times, item in leaves(p.programs[process]):
            total[item] += times
    return total


def cut(total: int, size: int) -> list[int]:
    return [min(size, total - at) for at in range(0, total, size)]


def depth_of_a_chunk(arch: Arch, widths: GemmWidths, sharers: int, mapping: str | None = None) -> int:
    """The most whole steps of which M1 of a tile and M2 fit their slots; one step where M1 is held."""
    core, slots = arch.core, (arch.m1_sram.slot, arch.m2_sram.slot // sharers)
    step, depth = core.cores * core.wavelengths, 0
    vectors = (core.rows * widths.m1, core.columns * widths.m2)
    while all(bits * (depth + step) <= 8 * slot for bits, slot in zip(vectors, slots, strict=True)):
        depth += step
    held = mapping == "m1-stationary" or arch.core.kind != "dptc"
    return min(depth, step) if held else depth


def widths_of(work: Trace, op: Operator, arch: Arch) -> GemmWidths:
    m1, m2 = (read_width(work, arch, operand) for operand in op.operands[:2])
    return GemmWidths(m1, m2, written_width(work, arch, op.outputs))


def blocks_of(
    work: Trace, op: Operator, heads: int, arch: Arch, tiles: int, sharers: int, mapping: str | None
) -> Counter[tuple[int, int, int]]:
    """(rows, columns, depth) of every block there must be: each row, column and depth of each head once."""
    chunks = cut(op.depth, depth_of_a_chunk(arch, widths_of(work, op, arch), sharers, mapping))
    passes, columns = cut(op.rows, tiles * arch.core.rows), cut(op.columns, arch.core.columns)
    return Counter((r, c, k) for _ in range(heads) for r in passes for c in columns for k in chunks)


@PLANS
@given(GEMMS, machines(groups=("1", "2", "4")), MAPPINGS)
def test_is_every_row_column_and_depth_computed_once(
    work: Trace, machine: Machine, mapping: str | None
) -> None:
    arch, (op,) = machine.arch, work.operators
    p = planned(work, arch, mapping)
    groups, macs = arch.broadcast.groups, 0
    alone = mapping != "head-parallel" or groups == 1 or op.heads == 1
    for g, group in enumerate([p.groups[0]] if alone else p.groups[1:]):
        heads = op.heads if alone else len(range(g, op.heads, groups))
        tiles = arch.core.tiles if alone else arch.core.tiles // groups
        done = counted(p, group.part("core"))
        shapes: Counter[tuple[int, int, int]] = Counter()
        for block, times in done.items():
            shapes[block.rows, block.columns, block.depth] += times
            macs += times * block.rows * block.columns * block.depth
        assert shapes == blocks_of(work, op, heads, arch, tiles, 1 if alone else groups, mapping)
    assert macs == op.macs


@PLANS
@given(traces(), machines(groups=("1", "2", "4")), MAPPINGS, st.sampled_from(["barrier", "chunked"]))
def test_is_all_work_of_a_trace_planned(
    work: Trace, machine: Machine, mapping: str | None, deps: str
) -> None:
    p = planned(work, machine.arch, mapping, deps)
    cores = [counted(p, group.part("core")) for group in p.groups]
    assert (
        sum(times * b.rows * b.columns * b.depth for core in cores for b, times in core.items()) == work.macs
    )
    lanes = sum(times * piece.elements for piece, times in counted(p, "dpu.lanes").items() if piece.writes)
    ends = [unit.operators[-1] for unit in p.units if not unit.is_gemm]
    assert lanes == sum(op.elements for op in ends)


@PLANS
@given(traces(), machines(groups=("1", "2", "4")), MAPPINGS, st.sampled_from(["barrier", "chunked"]))
def test_do_slots_change_hands_as_often_on_both_sides(
    work: Trace, machine: Machine, mapping: str | None, deps: str
) -> None:
    p = planned(work, machine.arch, mapping, deps)
    for group in p.groups:
        core, drain = counted(p, group.part("core")), counted(p, group.part("drain"))
        for flag, process in (
            ("takes_m2", "m2"),
            ("frees_m2", "m2"),
            ("first_of_chunk", "m1"),
            ("last_of_chunk", "m1"),
            ("takes_act", "drain"),
            ("gives_act", "drain"),
        ):
            assert (
                sum(n for block, n in core.items() if getattr(block, flag))
                == counted(p, group.part(process)).total()
            ), flag
        partial = [(item, n) for item, n in drain.items() if item.partial]
        assert sum(n * item.reads for item, n in drain.items()) == sum(n * item.writes for item, n in partial)
        for m in ("m1", "m2"):
            taken, given_ = counted(p, group.part(f"dma.{m}")), counted(p, group.part(m))
            assert sum(n * item.load for item, n in taken.items()) == sum(
                n * item.ends_load for item, n in given_.items()
            )
            assert sum(n * item.bytes for item, n in taken.items()) == sum(
                n * item.frees for item, n in given_.items()
            )
            assert sum(n for item, n in taken.items() if item.last) == sum(
                n for item, n in given_.items() if item.staged
            )


@PLANS
@given(traces(), machines(groups=("1", "2", "4")), MAPPINGS, st.sampled_from(["barrier", "chunked"]))
def test_does_everything_fit_where_it_is_put(
    work: Trace, machine: Machine, mapping: str | None, deps: str
) -> None:
    arch = machine.arch
    p = planned(work, arch, mapping, deps)
    for group in p.groups:
        rings, tiles = p.residency.rings(group.ring_share), len(group.tiles)
        sums = arch.operands.partial_sum_bits
        for block in counted(p, group.part("core")):
            rows = min(block.rows, arch.core.rows)
            assert rows * block.depth * block.m1_bits <= 8 * arch.m1_sram.slot
            assert block.columns * block.depth * block.m2_bits <= 8 * (arch.m2_sram.slot // group.sharers)
        for fill in counted(p, group.part("m2")):
            assert fill.bytes <= arch.m2_sram.slot // group.sharers
        for fill in counted(p, group.part("m1")):
            assert fill.bytes <= tiles * arch.m1_sram.slot
        for item in counted(p, group.part("drain")):
            assert item.room <= rings.out
            if "act" not in arch.ideal:
                assert (
                    8 * item.sums <= tiles * 8 * arch.act_sram.slot + sums
                )  # bytes of a pass are rounded up once, not for each tile
        for name, ring in (("dma.m1", rings.m1), ("dma.m2", rings.m2)):
            assert all(piece.unit_bytes <= ring for piece in counted(p, group.part(name)))
            assert all(piece.bytes <= arch.hbm.transaction for piece in counted(p, group.part(name)))
    for task in (tasks[""] for tasks in p.tasks if isinstance(tasks.get(""), VectorTask)):
        for _, piece in leaves(vector_programs(task, arch, Builder())["dpu.lanes"]):
            bits = sum(task.operands)
            assert piece.elements * bits <= 8 * arch.dpu.slot  # bytes of each operand are rounded up
            assert piece.writes <= arch.dpu.slot
    for group in p.groups[1:]:
        assert group.ring_share == p.groups[0].ring_share * (len(p.groups) - 1), (
            "rings of the groups and of all are disjoint"
        )


@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from(["16 B", "40 B", "64 B"]),
    st.sampled_from(["16 B", "24 B"]),
    st.integers(1, 2),
    st.builds(GemmWidths, st.sampled_from([4, 8]), st.sampled_from([4, 8]), st.just(8)),
)
@settings(max_examples=60)
def test_is_a_chunk_the_most_whole_steps_that_fit(
    rows: int, wavelengths: int, m1: str, m2: str, groups: int, widths: GemmWidths
) -> None:
    try:
        arch = machine(
            core__rows=str(rows),
            core__wavelengths=str(wavelengths),
            m1_sram__slot=m1,
            m2_sram__slot=m2,
            act_sram__slot="64 B",
        )
    except ArchError:
        assume(False)
    depth = depth_of_a_chunk(arch, widths, groups)
    if depth:
        assert chunk_depth(arch, widths, Manner(groups)) == depth
    else:
        with pytest.raises(ArchError, match=r"enlarge m1_sram.slot or m2_sram.slot"):
            chunk_depth(arch, widths, Manner(groups))


# -- choices, each on a machine where it is the better one ---------------------------------------------------------------
def tiling(work: Trace, arch: Arch) -> Any:
    return plan(work, arch).tilings["make o"]


def test_is_m2_kept_where_it_fits_and_streamed_where_no_block_does() -> None:
    """A block of a panel is 2 columns of 64 deep: 128 B."""
    wide = linear(16, 64, 8)
    assert tiling(wide, only("hbm", "capacity", global_sram__m2_staging="512 B")).panel
    assert not tiling(
        wide, only("hbm", "capacity", global_sram__m2_staging="64 B", global_sram__capacity="385 B")
    ).panel


def test_is_m1_kept_where_a_pass_fits() -> None:
    """R·D = 4 · 16 = 64 B."""
    for staging, kept in (("64 B", True), ("63 B", False)):
        sizes = {
            "global_sram__m1_staging": staging,
            "global_sram__capacity": f"{64 * 3 + 128 + int(staging[:2]) + 1} B",
        }
        assert tiling(linear(4, 16, 8), only("capacity", **sizes)).retain is kept


def test_are_sums_spilled_where_that_saves_more_than_it_costs() -> None:
    """Two chunks; act slots of 2 blocks make 16 inner panels, for each of which M1 comes from HBM again."""
    sizes = {
        "global_sram__m1_staging": "32 B",
        "global_sram__psum_staging": "512 B",
        "global_sram__out_staging": "1 KiB",
        "global_sram__capacity": "1697 B",
    }
    assert not tiling(linear(4, 16, 64), only("capacity", "act", "hbm", **sizes)).keep
    assert tiling(linear(4, 16, 64), only("capacity", "hbm", **sizes)).keep, (
        "with ideal act nothing is spilled"
    )
    assert tiling(linear(4, 8, 64), only("capacity", "act", "hbm", **sizes)).keep, (
        "one chunk has nothing to spill"
    )


@pytest.mark.parametrize("mapping", ["lockstep", "head-parallel"])
def test_is_a_unit_larger_than_its_share_of_a_ring_refused(mapping: str | None) -> None:
    """Weights of a pass, 4 · 8 = 32 B: they fit a ring of 48 B, but not the half that all tiles have beside the groups'."""
    arch = machine(
        core__tiles="2", broadcast__groups="2", global_sram__m1_staging="48 B", global_sram__capacity="369 B"
    )
    if mapping == "lockstep":
        plan(linear(4, 8, 2), arch, mapping)
    else:
        with pytest.raises(PlanError, match="one transfer of 32 B has to fit its staging area of 24 B"):
            plan(linear(4, 8, 2), arch, mapping)
