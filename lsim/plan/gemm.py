"""The programs of one GEMM: what each process of a tile group does, in the order of the loops.

Loops, outermost first: head, outer panel, row pass, inner panel, K chunk, column block.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from lsim.arch import Arch
from lsim.kernel.program import Builder, Program
from lsim.plan.items import Block, Drain, Edge, Fill
from lsim.plan.loops import Body, Loops, Place
from lsim.plan.tiling import Places, Tiling
from lsim.plan.transfers import pieces
from lsim.plan.widths import Bits, packed
from lsim.units import ceil_div


@frozen(cache_hash=True)
class GemmTask:
    """One GEMM on one tile group, with what its neighbours in the trace want of it.

    `m1_go`: the token its M1 DMA starts with. `spilled`: the result lives in HBM only. `done`, `pass_done`: edges to
    give when the operator, and when each row pass, is complete. `pass_needs`: edges to take for each row pass of M1.
    `m1_after`, `m2_after`: edges to take before buffers are filled that another group had; `hands_over`: edges to give
    when the last result has left this group's buffers.
    """

    tiling: Tiling
    places: Places
    m1_go: str
    spilled: bool
    done: tuple[Edge, ...] = ()
    pass_done: tuple[Edge, ...] = ()
    pass_needs: tuple[Edge, ...] = ()
    m1_after: tuple[Edge, ...] = ()
    m2_after: tuple[Edge, ...] = ()
    hands_over: tuple[Edge, ...] = ()


def gemm_programs(task: GemmTask, arch: Arch, builder: Builder) -> dict[str, Program]:
    """Process (without the group's prefix) → program. Processes with nothing to do are left out."""
    maker = GemmLoops(task, arch, builder)
    return {name: maker.walk(body) for name, body in maker.bodies().items()}


def gemm_passes(task: GemmTask, arch: Arch, builder: Builder) -> dict[str, list[tuple[int, Program]]]:
    """The same pass by pass: process → (count, program of a row pass). For operators of one outer panel."""
    maker = GemmLoops(task, arch, builder)
    return {name: maker.walk_passes(body) for name, body in maker.bodies().items()}


class GemmLoops(Loops):
    """The bodies of the loops, one for each process."""

    def __init__(self, task: GemmTask, arch: Arch, builder: Builder) -> None:
        super().__init__(task.tiling, builder)
        self.task, self.arch, self.widths = task, arch, task.tiling.widths
        self.columns = arch.core.columns
        self.step = arch.core.cores * arch.core.wavelengths

    def bodies(self) -> dict[str, Body]:
        """What each process that has something to do does for one inner panel of a row pass."""
        places = self.task.places
        return {
            **({"dma.m1": self.m1_pieces} if places.m1_hbm else {}),
            **({"dma.m2": self.m2_pieces} if places.m2_hbm else {}),
            "m1": self.m1_fills,
            "m2": self.m2_fills,
            "core": self.blocks,
            "drain": self.drains,
            **({"dma.out": self.out_pieces} if places.copied else {}),
        }

    def named(self, process: str, counters: dict[str, int], place: Place, index: int) -> dict[str, int]:
        """The counters, with those of an inner panel's loops."""
        if process == "m1":
            return {**counters, "chunk": index}
        if process != "core":
            return counters
        chunk, block = divmod(index, place.blocks)
        block += counters["outer_panel"] * self.t.outer[0] + counters["inner_panel"] * self.t.inner
        return {**counters, "chunk": chunk, "column_block": block}

    # -- sizes -----------------------------------------------------------------------------------------------------
    def gathers(self, depth: int) -> tuple[int, int]:
        """Blocks of an M2 unit and of an act unit in a chunk of this depth."""
        m2 = max(1, self.arch.m2_sram.slot // self.t.groups // packed(self.columns * depth, self.widths.m2))
        act = self.t.gather
        unbounded = "act" in self.arch.ideal
        if self.whole_panel_acts or unbounded or m2 % act == 0 or act % m2 == 0:
            return m2, act
        return (m2 // act * act, act) if m2 > act else (m2, act // m2 * m2)

    @property
    def whole_panel_acts(self) -> bool:
        """Whether an act unit is an inner panel over all its chunks."""
        return self.t.keep and len(self.t.chunks) > 1

    def m2_bytes(self, blocks: int, depth: int, edge: bool) -> int:
        last = self.t.last_columns if edge else self.columns
        bits = self.widths.m2
        return (blocks - 1) * packed(self.columns * depth, bits) + packed(last * depth, bits)

    def result_bytes(self, place: Place, blocks: int, edge: bool, bits: Bits) -> int:
        last = self.t.last_columns if edge else self.columns
        return (blocks - 1) * packed(place.rows * self.columns, bits) + packed(place.rows * last, bits)

    def results(self, place: Place, blocks: int, edge: bool) -> int:
        """Elements of the result."""
        last = self.t.last_columns if edge else self.columns
        return place.rows * ((blocks - 1) * self.columns + last)

    def m1_load(self, at: Place) -> int:
        """What the M1 operand of a row pass counts in the window of what is fetched ahead: its bytes, at most half of it."""
        return min(packed(at.rows * sum(self.t.chunks), self.widths.m1), self.arch.controller.m1_ahead // 2)

    def m2_load(self, at: Place) -> int:
        """The same for an outer panel of M2."""
        return min(
            packed(at.outer * self.columns * sum(self.t.chunks), self.widths.m2),
            self.arch.controller.m2_ahead // 2,
        )

    # -- operands in -----------------------------------------------------------------------------------------------
    def m1_pieces(self, at: Place) -> Program:
        if self.t.retain and not at.first_inner:
            return self.b.empty
        go = self.task.m1_go if at.first else ""

        def unit(depth: int, first: bool, _: bool) -> Program:
            starts_pass = at.first_inner and first
            needs = self.task.pass_needs if starts_pass and at.first_outer else ()
            size = packed(at.rows * depth, self.widths.m1)
            return pieces(
                self.b,
                self.arch,
                size,
                go if first else "",
                at.first and first,
                load=self.m1_load(at) if first else 0,
                needs=needs,
            )

        return self.chunks(unit)

    def m1_fills(self, at: Place) -> Program:
        hbm, retain = self.task.places.m1_hbm, self.t.retain

        def fill(depth: int, first: bool, last: bool) -> Program:
            size = packed(at.rows * depth, self.widths.m1)
            starts_pass = at.first_inner and first
            waits = self.task.pass_needs if starts_pass and at.first_outer and not hbm else ()
            after = self.task.m1_after if at.first and first else ()
            return self.b.leaf(
                Fill(
                    bytes=size,
                    go=at.first and first,
                    restart=at.first and first,
                    staged=hbm and (at.first_inner or not retain),
                    frees=size if hbm and (at.last_inner or not retain) else 0,
                    ends_load=self.m1_load(at) if hbm and last and (at.last_inner or not retain) else 0,
                    needs=after + waits,
                )
            )

        return self.chunks(fill)

    def m2_pieces(self, at: Place) -> Program:
        if self.t.panel and not at.first_pass:
            return self.b.empty

        def unit(size: int, first: bool, _: bool) -> Program:
            begins = at.first_inner and first
            return pieces(
                self.b,
                self.arch,
                size,
                "go" if at.first and first else "",
                at.first and first,
                load=self.m2_load(at) if begins else 0,
            )

        return self.m2_units(at, unit)

    def m2_fills(self, at: Place) -> Program:
        hbm, panel = self.task.places.m2_hbm, self.t.panel

        def unit(size: int, first: bool, last: bool) -> Program:
            return self.b.leaf(
                Fill(
                    bytes=size,
                    go=at.first and first,
                    restart=at.first and first,
                    staged=hbm and (at.first_pass or not panel),
                    frees=size if hbm and (at.last_pass or not panel) else 0,
                    ends_load=self.m2_load(at)
                    if hbm and at.last_inner and last and (at.last_pass or not panel)
                    else 0,
                    needs=self.task.m2_after if at.first and first else (),
                )
            )

        return self.m2_units(at, unit)

    def m2_units(self, at: Place, unit: Callable[[int, bool, bool], Program]) -> Program:
        """`unit(bytes, first, last of the inner panel)` for each M2 unit."""

        def chunk(depth: int, first_chunk: bool, last_chunk: bool) -> Program:
            gather = self.gathers(depth)[0]
            return self.b.cut(
                at.blocks,
                gather,
                lambda n, first, last: unit(
                    self.m2_bytes(n, depth, at.edge and last), first_chunk and first, last_chunk and last
                ),
            )

        return self.chunks(chunk)

    # -- blocks ----------------------------------------------------------------------------------------------------
    def blocks(self, at: Place) -> Program:
        def chunk(depth: int, first_chunk: bool, last_chunk: bool) -> Program:
            m2, act = self.gathers(depth)
            whole = self.whole_panel_acts
            small, large = (m2, at.blocks) if whole else (min(m2, act), max(m2, act))
            m2_is_small = whole or m2 <= act

            def block(
                first_l: bool, last_l: bool, first_s: bool, last_s: bool, first: bool, last: bool
            ) -> Program:
                first_m2, last_m2 = (first_s, last_s) if m2_is_small else (first_l, last_l)
                first_act, last_act = (first_l, last_l) if m2_is_small else (first_s, last_s)
                steps = ceil_div(depth, self.step)
                fed = not self.arch.holds_operand and (steps > 1 or first)
                return self.b.leaf(
                    Block(
                        shots=steps * self.t.shots,
                        feed=self.arch.feed_interval(self.widths.m1 if fed else 0, self.widths.m2),
                        rows=at.rows,
                        columns=self.t.last_columns if at.edge and last else self.columns,
                        depth=depth,
                        m1_bits=self.widths.m1,
                        m2_bits=self.widths.m2,
                        go=at.first and first_chunk and first,
                        first_of_chunk=first,
                        last_of_chunk=last,
                        takes_m2=first_m2,
                        frees_m2=last_m2,
                        takes_act=first_act and (first_chunk or not whole),
                        gives_act=last_act and (last_chunk or not whole),
                        deposits=last_chunk or not whole,
                        reload=self.t.reload if first else 0,
                    )
                )

            return self.nest(at.blocks, large, small, block)

        return self.chunks(chunk)

    # -- results out -----------------------------------------------------------------------------------------------
    def drains(self, at: Place) -> Program:
        task = self.task

        def drain(blocks: int, edge: bool, earlier: bool, partial: bool, first: bool, last: bool) -> Program:
            result = self.result_bytes(at, blocks, edge, self.widths.out)
            psum = self.result_bytes(at, blocks, edge, self.arch.operands.partial_sum_bits)
            return self.b.leaf(
                Drain(
                    reads=psum if earlier else 0,
                    writes=psum if partial else result,
                    merges=self.results(at, blocks, edge) if earlier else 0,
                    sums=psum,
                    partial=partial,
                    restart=at.first and first and not earlier,
                    room=result if task.spilled and not partial else 0,
                    copies=task.places.copied and not partial,
                    gives=self.drain_gives(at, last),
                )
            )

        return self.act_units(at, drain)

    def act_units(self, at: Place, unit: Callable[[int, bool, bool, bool, bool, bool], Program]) -> Program:
        """`unit(blocks, edge, earlier sums, partial, first of its chunk, last of the inner panel)` for each act unit."""
        if self.whole_panel_acts:
            return unit(at.blocks, at.edge, False, False, True, True)

        def chunk(depth: int, first_chunk: bool, last_chunk: bool) -> Program:
            return self.b.cut(
                at.blocks,
                self.gathers(depth)[1],
                lambda n, first, last: unit(
                    n,
                    at.edge and last,
                    not first_chunk,
                    not last_chunk,
                    first,
                    last_chunk and last,
                ),
            )

        return self.chunks(chunk)

    def out_pieces(self, at: Place) -> Program:
        def unit(blocks: int, edge: bool, _: bool, partial: bool, first: bool, last: bool) -> Program:
            if partial:
                return self.b.empty
            size = self.result_bytes(at, blocks, edge, self.widths.out)
            gives = self.gives(at, last)
            return pieces(
                self.b, self.arch, size, "", at.first and first, staged=self.task.spilled, gives=gives
            )

        return self.act_units(at, unit)

    def drain_gives(self, at: Place, last: bool) -> tuple[Edge, ...]:
        done = () if self.task.places.copied else self.gives(at, last)
        return done + (self.task.hands_over if at.last and last else ())

    def gives(self, at: Place, last: bool) -> tuple[Edge, ...]:
        """Edges to give when an act unit is done: is it the last of its pass, of its operator?"""
        ends_pass = last and at.last_inner and at.last_outer
        return (self.task.pass_done if ends_pass else ()) + (self.task.done if at.last and last else ())
