"""How one GEMM is cut for a group of tiles: row passes, chunks, panels, and which operand moves how often.

See "Planning a trace" in `docs/machine.md`. All sizes of one head; bytes unless a unit is named.
"""

from __future__ import annotations

from attrs import evolve, frozen

from lsim.arch import Arch
from lsim.errors import ArchError
from lsim.plan.residency import Rings
from lsim.plan.widths import GemmWidths, packed
from lsim.trace import Operator
from lsim.units import ceil_div


@frozen
class Places:
    """Which operands come from HBM, and whether the result goes there."""

    m1_hbm: bool
    m2_hbm: bool
    copied: bool


@frozen(cache_hash=True)
class Tiling:
    """One GEMM cut for `tiles` tiles.

    `rows_a_pass`, `passes`, `last_rows`: the row passes of a head. `chunks`: their depths. `blocks`: column blocks,
    the last of `last_columns` columns. `outer`: blocks of each outer panel. `panel`: whether an outer panel stays in
    the global SRAM for all passes. `inner`: blocks of a full inner panel. `keep`: partial sums stay in the act slot.
    `retain`: M1 from HBM is kept for all inner panels of its pass. `gather`: blocks of an act slot. `groups`: tile groups that
    share the M2 SRAM. `shots`: a K step. `reload`: ticks to write the operand of a chunk into the cores. `widths`: of operands and result.
    """

    widths: GemmWidths
    heads: int
    rows_a_pass: int
    passes: int
    last_rows: int
    chunks: tuple[int, ...]
    blocks: int
    last_columns: int
    outer: tuple[int, ...]
    panel: bool
    inner: int
    keep: bool
    retain: bool
    gather: int
    groups: int = 1
    shots: int = 1
    reload: int = 0
    hbm_bytes: int = 0

    @property
    def inner_panels(self) -> int:
        """Inner panels of a row pass, over all outer panels."""
        return sum(ceil_div(blocks, self.inner) for blocks in self.outer)


@frozen
class Manner:
    """How a mapping does GEMMs: `sharers`: groups that share the M2 SRAM; `holds_m1`: a chunk is one step; `shots`: a step."""

    sharers: int = 1
    holds_m1: bool = False
    shots: int = 1


def chunk_depth(arch: Arch, widths: GemmWidths, manner: Manner = Manner()) -> int:
    """The depth of a full K chunk: the most whole steps whose operands fit a slot of the M1 and of the M2 SRAM, or one if M1 is held."""
    core = arch.core
    step = core.cores * core.wavelengths
    depth = min(
        arch.m1_sram.slot * 8 // (core.rows * widths.m1),
        arch.m2_sram.slot // manner.sharers * 8 // (core.columns * widths.m2),
    )
    if depth < step:
        raise ArchError(
            f"a slot holds {depth} of depth and a step needs {step} (cores·wavelengths): enlarge m1_sram.slot or m2_sram.slot",
            place="m1_sram.slot",
        )
    return step if manner.holds_m1 else depth // step * step


def act_blocks(arch: Arch) -> int:
    """Column blocks whose partial sums one act slot holds."""
    blocks = arch.act_sram.slot // arch.block_bytes
    if blocks < 1:
        raise ArchError(
            f"a block's partial sums are {arch.block_bytes} B and a slot has {arch.act_sram.slot} B",
            place="act_sram.slot",
        )
    return blocks


def tile_gemm(
    op: Operator,
    arch: Arch,
    tiles: int,
    places: Places,
    rings: Rings,
    widths: GemmWidths,
    manner: Manner = Manner(),
) -> Tiling:
    """The candidate with the least (bound on time, HBM bytes, global SRAM bytes); the first of equals."""
    core = arch.core
    rows = tiles * core.rows
    full = chunk_depth(arch, widths, manner)
    chunks = tuple(min(full, op.depth - at) for at in range(0, op.depth, full))
    blocks, passes = ceil_div(op.columns, core.columns), ceil_div(op.rows, rows)
    gather = blocks if "act" in arch.ideal else act_blocks(arch)
    candidates = []
    for panel, outer in _outer_panels(arch, places, rings, widths, blocks, chunks):
        for keep, inner in _inner_panels(arch, rings, rows, len(chunks), max(outer), gather):
            tiling = Tiling(
                widths=widths, heads=op.heads, rows_a_pass=rows, passes=passes, last_rows=op.rows - (passes - 1) * rows,
                chunks=chunks, blocks=blocks, last_columns=op.columns - (blocks - 1) * core.columns,
                outer=outer, panel=panel, inner=inner, keep=keep,
                retain=places.m1_hbm and sum(packed(rows * depth, widths.m1) for depth in chunks) <= rings.m1, gather=gather,
                groups=manner.sharers, shots=manner.shots, reload=arch.reload_ticks(widths.m1),
            )  # fmt: skip
            candidates.append(_costed(op, arch, places, tiling))
    return min(candidates, key=lambda c: c[0])[1]


def _outer_panels(
    arch: Arch, places: Places, rings: Rings, widths: GemmWidths, blocks: int, chunks: tuple[int, ...]
) -> list[tuple[bool, tuple[int, ...]]]:
    if not places.m2_hbm:
        return [(False, (blocks,))]
    offers = []
    fit = rings.m2 // sum(packed(arch.core.columns * depth, widths.m2) for depth in chunks)
    if fit:
        offers.append((True, tuple(min(fit, blocks - at) for at in range(0, blocks, fit))))
    return [*offers, (False, (blocks,))]


def _inner_panels(
    arch: Arch, rings: Rings, rows: int, chunks: int, outer: int, gather: int
) -> list[tuple[bool, int]]:
    if chunks == 1:
        return [(True, outer)]
    fit = rings.psum // _psum(arch, rows * arch.core.columns)
    return [(True, min(gather, outer))] + ([(False, min(fit, outer))] if fit else [])


def _psum(arch: Arch, elements: int) -> int:
    return packed(elements, arch.operands.partial_sum_bits)


def _costed(op: Operator, arch: Arch, places: Places, tiling: Tiling) -> tuple[tuple[int, int, int], Tiling]:
    widths = tiling.widths
    m1, m2 = packed(op.rows * op.depth, widths.m1), packed(op.depth * op.columns, widths.m2)
    out = packed(op.rows * op.columns, widths.out)
    inner = tiling.inner_panels
    hbm = op.heads * (
        places.m1_hbm * m1 * (len(tiling.outer) if tiling.retain else inner)
        + places.m2_hbm * m2 * (1 if tiling.panel else tiling.passes)
        + places.copied * out
    )
    spilled = 0 if tiling.keep else 2 * (len(tiling.chunks) - 1) * _psum(arch, op.rows * op.columns)
    sram = hbm + op.heads * (m1 * inner + m2 * tiling.passes + out + spilled)
    bound = max(compute_ticks(op, arch, tiling), _hbm_ticks(arch, hbm), _sram_ticks(arch, sram))
    return (bound, hbm, sram), evolve(tiling, hbm_bytes=hbm)


def compute_ticks(op: Operator, arch: Arch, tiling: Tiling) -> int:
    """Ticks of the shots, and of writing the operands that cores hold."""
    step = arch.core.cores * arch.core.wavelengths
    shots = tiling.blocks * tiling.shots * sum(ceil_div(k, step) for k in tiling.chunks)
    return op.heads * tiling.passes * (shots + tiling.reload * len(tiling.chunks) * tiling.inner_panels)


def _hbm_ticks(arch: Arch, size: int) -> int:
    return 0 if "hbm" in arch.ideal else ceil_div(size * arch.core.clock, arch.hbm.bandwidth)


def _sram_ticks(arch: Arch, size: int) -> int:
    return (
        0
        if "gb" in arch.ideal
        else ceil_div(size, arch.global_sram.banks * arch.global_sram.line) * arch.sram_cycle
    )
