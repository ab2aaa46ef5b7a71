"""Section 2: how GEMMs are tiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from attrs import evolve

from lsim.arch import MATCHED, Arch
from lsim.errors import PlanError
from lsim.trace.ir import Kind, Operator, Role, Trace
from reference.layout import (
    UNBOUNDED,
    Layout,
    Unit,
    Widths,
    byte_count,
    check_fits,
    cut,
    psum_count,
    read_width,
    split,
    up,
    written_width,
)


class Visit(NamedTuple):
    """One inner panel of a row pass: `blocks` are the columns of its column blocks, of `outer_blocks` in its
    outer panel.

    `first_pass` and `last_pass` are of the outer panel; `first_inner` and `last_inner` of the row pass.
    """

    rows: int
    outer_blocks: int
    blocks: tuple[int, ...]
    first_pass: bool
    last_pass: bool
    first_inner: bool
    last_inner: bool


class Transfer(NamedTuple):
    """A unit that moves: m1, m2, an act unit or the operands of a DPU piece.

    `starts` resets counters: the first of its operator; `fetched` says that it comes anew from HBM, `released` that it is not used
    again. The first unit of a load takes its weight from the window of its dma, the last gives it back.
    """

    size: int
    starts: bool = False
    fetched: bool = False
    released: bool = False
    window_takes: int = 0
    window_gives: int = 0


class Result(NamedTuple):
    """A drained act unit: bytes of partial sums read, bytes written, and whether those are final."""

    read: int
    written: int
    final: bool
    starts: bool


class Work(NamedTuple):
    """A GEMM as it is done, before it is cut into passes and panels."""

    unit: Unit
    operator: Operator
    widths: Widths
    shots: int
    chunks: list[int]


@dataclass(frozen=True)
class GemmPlan:
    """How a GEMM is tiled.

    `m1` is retain, refetch or resident; `m2` is panel, stream or resident; `sums` is keep or spill. `panels`
    are the outer panels, each a list of inner panels, each the columns of its blocks.
    """

    arch: Arch
    unit: Unit
    operator: Operator
    widths: Widths
    shots: int
    m1: str
    m1_weight: bool
    m2: str
    sums: str
    passes: list[int]
    chunks: list[int]
    panels: list[list[tuple[int, ...]]]
    cost: tuple[int, int, int]

    def visits(self) -> Iterator[Visit]:
        """The four outermost loops: head, outer panel, row pass, inner panel."""
        for _ in range(self.operator.heads):
            for outer in self.panels:
                count = sum(len(inner) for inner in outer)
                for r, rows in enumerate(self.passes):
                    for i, blocks in enumerate(outer):
                        at_pass = (r == 0, r == len(self.passes) - 1)
                        yield Visit(rows, count, blocks, *at_pass, i == 0, i == len(outer) - 1)

    def gathers(self, chunk: int) -> tuple[int, int]:
        """Blocks of an M2 unit and of an act unit that does not span chunks, for a chunk of this depth."""
        g = self.arch.m2_sram.slot // byte_count(self.widths.m2, self.arch.core.columns * chunk)
        q = act_blocks(self.arch)
        if self.spans_chunks or q == UNBOUNDED or g % q == 0 or q % g == 0:
            return g, q
        return (g - g % q, q) if g > q else (g, q - q % g)

    @property
    def spans_chunks(self) -> bool:
        """Whether an act unit is an inner panel over all its chunks."""
        return self.sums == "keep" and len(self.chunks) > 1

    def m1_units(self) -> Iterator[Transfer]:
        """Every fill of an M1 slot."""
        starts = True
        for visit in self.visits():
            fetched = self.m1 == "refetch" or (self.m1 == "retain" and visit.first_inner)
            released = self.m1 == "refetch" or (self.m1 == "retain" and visit.last_inner)
            load = byte_count(self.widths.m1, visit.rows * self.operator.depth)
            weight = min(load, self.arch.controller.m1_ahead // 2)
            for c, chunk in enumerate(self.chunks):
                size = byte_count(self.widths.m1, visit.rows * chunk)
                takes = weight if fetched and c == 0 else 0
                gives = weight if released and c == len(self.chunks) - 1 else 0
                yield Transfer(size, starts, fetched, released, takes, gives)
                starts = False

    def m2_units(self) -> Iterator[Transfer]:
        """Every fill of an M2 slot."""
        starts = True
        for visit in self.visits():
            fetched = self.m2 == "stream" or (self.m2 == "panel" and visit.first_pass)
            released = self.m2 == "stream" or (self.m2 == "panel" and visit.last_pass)
            load = byte_count(
                self.widths.m2, visit.outer_blocks * self.arch.core.columns * self.operator.depth
            )
            weight = min(load, self.arch.controller.m2_ahead // 2)
            sizes = [size for chunk in self.chunks for size in self._m2_sizes(visit, chunk)]
            for at, size in enumerate(sizes):
                begins, ends = visit.first_inner and at == 0, visit.last_inner and at == len(sizes) - 1
                takes, gives = weight * (fetched and begins), weight * (released and ends)
                yield Transfer(size, starts, fetched, released, takes, gives)
                starts = False

    def _m2_sizes(self, visit: Visit, chunk: int) -> list[int]:
        """The bytes of the M2 units of one chunk."""
        units = split(visit.blocks, self.gathers(chunk)[0])
        return [sum(byte_count(self.widths.m2, columns * chunk) for columns in blocks) for blocks in units]

    def results(self) -> Iterator[Result]:
        """Every act unit, as it is drained."""
        starts = True
        for visit in self.visits():
            if self.spans_chunks:
                yield Result(0, self._bytes(visit, visit.blocks), True, starts)
                starts = False
                continue
            for c, chunk in enumerate(self.chunks):
                for blocks in split(visit.blocks, self.gathers(chunk)[1]):
                    final = c == len(self.chunks) - 1
                    sums = sum(psum_count(self.arch, visit.rows * columns) for columns in blocks)
                    written = self._bytes(visit, blocks) if final else sums
                    yield Result(sums if c > 0 else 0, written, final, starts)
                    starts = False

    def _bytes(self, visit: Visit, blocks: Sequence[int]) -> int:
        return sum(byte_count(self.widths.out, visit.rows * columns) for columns in blocks)


def act_blocks(arch: Arch) -> int:
    """Blocks of an act slot, q."""
    block = psum_count(arch, arch.core.rows * arch.core.columns)
    if "act" in arch.ideal:
        return UNBOUNDED
    if arch.act_sram.slot < block:
        raise PlanError(f"an act slot of {arch.act_sram.slot} B cannot hold the {block} B of one block")
    return arch.act_sram.slot // block


def holds(arch: Arch) -> bool:
    """Whether cores hold M1."""
    return arch.core.kind in ("mrr-bank", "mzi-mesh")


def reload_ticks(arch: Arch, width: int) -> int:
    """Ticks to write what the cores hold."""
    if not holds(arch) or "reload" in arch.ideal:
        return 0
    size = byte_count(width, arch.core.cores * arch.core.rows * arch.core.wavelengths)
    port = arch.m1_sram.port
    through = 1 if port == MATCHED else up(size * (arch.core.clock // arch.global_sram.clock), int(port))
    return max(up(arch.core.reload * arch.core.clock, 10**12), through)


def as_done(trace: Trace, arch: Arch, operator: Operator) -> tuple[Operator, int]:
    """The GEMM as it is done, turned or not, and its shots a step."""
    if not holds(arch):
        return operator, 1
    writers = {name: each.kind for each in trace.operators for name in each.outputs}
    softmax = [
        all(writers.get(name) is Kind.SOFTMAX for name in operand) for operand in operator.operands[:2]
    ]
    if softmax[0]:
        m1, m2 = operator.operands[:2]
        turned = evolve(
            operator, operands=(m2, m1, *operator.operands[2:]), rows=operator.columns, columns=operator.rows
        )
        return turned, 1
    return operator, 1 if softmax[1] else arch.core.passes


def widths_of(trace: Trace, arch: Arch, done: Operator) -> Widths:
    """Of a GEMM as it is done."""
    m1, m2 = (read_width(trace, arch, operand) for operand in done.operands[:2])
    return Widths(m1, m2, written_width(trace, arch, done.outputs))


def chunk_depth(arch: Arch, widths: Widths) -> int:
    """The depth of a K chunk."""
    step = arch.core.cores * arch.core.wavelengths
    if holds(arch):
        return step
    depth = 0
    while _fits(arch, widths, depth + step):
        depth += step
    if depth == 0:
        raise PlanError(f"no slot holds one step, {step} deep")
    return depth


def _fits(arch: Arch, widths: Widths, depth: int) -> bool:
    m1 = byte_count(widths.m1, arch.core.rows * depth)
    m2 = byte_count(widths.m2, arch.core.columns * depth)
    return m1 <= arch.m1_sram.slot and m2 <= arch.m2_sram.slot


def _by_chunks(width: int, vectors: int, chunks: list[int]) -> int:
    """Bytes of so many operand vectors, each chunk rounded up by itself."""
    return sum(byte_count(width, vectors * chunk) for chunk in chunks)


def plan_gemm(trace: Trace, layout: Layout, arch: Arch, unit: Unit) -> GemmPlan:
    """The cheapest candidate, the first of equals."""
    operator, shots = as_done(trace, arch, unit.operators[0])
    widths = widths_of(trace, arch, operator)
    chunks = cut(operator.depth, chunk_depth(arch, widths))
    work = Work(unit, operator, widths, shots, chunks)
    candidates = []
    for m2, width in _outer_widths(layout, arch, work):
        for sums, inner in _inner_widths(layout, arch, work):
            candidates.append(_candidate(trace, layout, arch, work, m2, width, sums, inner))
    plan = min(candidates, key=lambda candidate: candidate.cost)
    _check_rings(layout, arch, plan)
    return plan


def _outer_widths(layout: Layout, arch: Arch, work: Work) -> Iterator[tuple[str, int]]:
    if not layout.from_hbm(work.operator.operands[1]):
        yield "resident", UNBOUNDED
        return
    panel = layout.m2_staging // _by_chunks(work.widths.m2, arch.core.columns, work.chunks)
    if panel > 0:
        yield "panel", panel
    yield "stream", UNBOUNDED


def _inner_widths(layout: Layout, arch: Arch, work: Work) -> Iterator[tuple[str, int]]:
    if len(work.chunks) == 1:
        yield "keep", UNBOUNDED
        return
    yield "keep", act_blocks(arch)
    rows = arch.core.tiles * arch.core.rows
    spill = layout.psum_staging // psum_count(arch, rows * arch.core.columns)
    if spill > 0:
        yield "spill", spill


def _candidate(
    trace: Trace,
    layout: Layout,
    arch: Arch,
    work: Work,
    m2: str,
    width: int,
    sums: str,
    inner: int,
) -> GemmPlan:
    unit, operator, widths, shots, chunks = work
    rows = arch.core.tiles * arch.core.rows
    m1 = "resident"
    if layout.from_hbm(operator.operands[0]):
        m1 = "retain" if _by_chunks(widths.m1, rows, chunks) <= layout.m1_staging else "refetch"
    weight = all(trace.tensors[name].role is Role.WEIGHT for name in operator.operands[0])
    blocks = cut(operator.columns, arch.core.columns)
    panels = [split(outer, inner) for outer in split(blocks, width)]
    passes = cut(operator.rows, rows)
    cost = _cost(arch, work, (m1, m2, sums), len(passes), panels)
    return GemmPlan(arch, unit, operator, widths, shots, m1, weight, m2, sums, passes, chunks, panels, cost)


def _cost(
    arch: Arch,
    work: Work,
    modes: tuple[str, str, str],
    passes: int,
    panels: list[list[tuple[int, ...]]],
) -> tuple[int, int, int]:
    """What candidates are compared by: ticks of the slowest resource, HBM bytes, global SRAM bytes."""
    m1, m2, sums = modes
    unit, operator, widths, shots, chunks = work
    heads, rows, depth, columns = operator.heads, operator.rows, operator.depth, operator.columns
    n_outer, n_inner = len(panels), sum(len(outer) for outer in panels)
    sizes = (rows * depth, depth * columns, rows * columns)
    b1, b2, bo = (byte_count(width, n) for width, n in zip(widths, sizes, strict=True))
    hbm = {"resident": 0, "retain": b1 * n_outer, "refetch": b1 * n_inner}[m1]
    hbm += {"resident": 0, "panel": b2, "stream": b2 * passes}[m2]
    hbm += bo if unit.copied else 0
    gb = hbm + b1 * n_inner + b2 * passes + bo
    gb += 2 * (len(chunks) - 1) * psum_count(arch, rows * columns) if sums == "spill" else 0
    hbm, gb = hbm * heads, gb * heads
    steps = sum(up(chunk, arch.core.cores * arch.core.wavelengths) for chunk in chunks)
    reloads = reload_ticks(arch, widths.m1) * len(chunks) * n_inner
    compute = heads * passes * (up(columns, arch.core.columns) * steps * shots + reloads)
    sram = arch.global_sram
    hbm_ticks = 0 if "hbm" in arch.ideal else up(hbm * arch.core.clock, arch.hbm.bandwidth)
    gb_cycles = 0 if "gb" in arch.ideal else up(gb, sram.banks * sram.line)
    return max(compute, hbm_ticks, gb_cycles * (arch.core.clock // sram.clock)), hbm, gb


def _check_rings(layout: Layout, arch: Arch, plan: GemmPlan) -> None:
    """Refuse what no ring can ever hold."""
    name = plan.operator.name
    if plan.m1 != "resident":
        check_fits(name, "m1_staging", max(unit.size for unit in plan.m1_units()), layout.m1_staging)
    if plan.m2 != "resident":
        check_fits(name, "m2_staging", max(unit.size for unit in plan.m2_units()), layout.m2_staging)
    if plan.unit.spilled:
        written = max(result.written for result in plan.results() if result.final)
        check_fits(name, "the drain's out_staging", written, layout.out_drain)
