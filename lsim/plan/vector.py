"""The programs of one vector unit on the DPU: pieces of rows, of segments of rows, or of elements."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from lsim.arch import Arch
from lsim.errors import PlanError
from lsim.kernel.program import Builder, Program
from lsim.plan.items import Drain, Edge, Fill, Lanes
from lsim.plan.loops import Ends, nth
from lsim.plan.transfers import pieces
from lsim.plan.units import ROW_WISE
from lsim.plan.widths import Bits, packed
from lsim.trace import Kind
from lsim.units import ceil_div


@frozen(cache_hash=True)
class VectorTask:
    """One vector unit, with what its neighbours in the trace want of it.

    `operands`: of each full-size operand that is read, how many bits an element has; `from_hbm`: of those from HBM. `out_bits`: of an
    element of the result. `kinds`: the fused chain's kinds. `ahead`: elements read before the first is written, beyond those of
    the full size.
    """

    kinds: tuple[Kind, ...]
    heads: int
    rows: int
    columns: int
    operands: tuple[int, ...]
    from_hbm: tuple[int, ...]
    out_bits: Bits
    copied: bool
    spilled: bool
    ahead: int = 0
    done: tuple[Edge, ...] = ()
    pass_done: tuple[Edge, ...] = ()
    pass_needs: tuple[Edge, ...] = ()


@frozen
class Cut:
    """One piece: its elements, whether the lanes' result is written, and where it stands; of two sweeps only the second writes."""

    elements: int
    writes: bool
    starts_pass: bool
    ends_pass: bool
    first: bool
    last: bool
    first_written: bool


Body = Callable[[Cut], Program]


def vector_programs(task: VectorTask, arch: Arch, builder: Builder) -> dict[str, Program]:
    """Process → program. Processes with nothing to do are left out."""
    maker = VectorLoops(task, arch, builder)
    programs = {name: maker.walk(body) for name, body in maker.bodies().items()}
    return {name: program for name, program in programs.items() if program.size}


def _side_by_side(elements: int, widths: tuple[int, ...]) -> int:
    """Bytes of so many elements of each of several operands."""
    return sum(packed(elements, bits) for bits in widths)


class VectorLoops:
    """The loops of a vector unit, and what each process does for a piece."""

    def __init__(self, task: VectorTask, arch: Arch, builder: Builder) -> None:
        self.task, self.arch, self.b = task, arch, builder
        self.cycles = sum(getattr(arch.dpu, kind.value) for kind in task.kinds)

    def bodies(self) -> dict[str, Body]:
        """What each process that has something to do does for a piece."""
        return {
            **({"dpu.dma": self.pieces_in} if self.task.from_hbm else {}),
            "dpu.read": self.read,
            "dpu.lanes": self.lanes,
            "dpu.write": self.write,
            **({"dpu.out": self.pieces_out} if self.task.copied else {}),
        }

    # -- how the unit is cut ---------------------------------------------------------------------------------------
    def walk(self, body: Body) -> Program:
        """What is read ahead; then the loops, head and row pass, around the pieces of a pass."""
        passes = self.b.loop(self.task.heads, lambda *head: self.passes(body, head))
        return self.b.seq(self.ahead(body), passes) if self.task.ahead else passes

    def ahead(self, body: Body) -> Program:
        return self.b.cut(
            self.task.ahead,
            self._fit(),
            lambda n, f, _: body(Cut(n, False, False, False, f, False, False)),
        )

    def passes(self, body: Body, head: Ends) -> Program:
        return self.b.cut(
            self.task.rows, self.rows, lambda n, *at: self.row_pass(body, n, head, (at[0], at[1]))
        )

    def row_pass(self, body: Body, rows: int, head: Ends, at: Ends) -> Program:
        cut = self.rows_of if self.task.kinds[0] in ROW_WISE else self.elements_of
        return cut(rows, body, head[0] and at[0], head[1] and at[1])

    @property
    def rows(self) -> int:
        """Rows of a pass."""
        return self.arch.core.tiles * self.arch.core.rows

    def locate(self, body: Body, index: int) -> dict[str, int]:
        """Head and row pass of an item of `walk(body)`; what is read ahead is in neither."""
        ahead = self.ahead(body).size if self.task.ahead else 0
        if index < ahead:
            return {}
        index -= ahead
        count = ceil_div(self.task.rows, self.rows)
        last = self.task.rows - (count - 1) * self.rows
        head, ends, index = nth(self.task.heads, lambda *at: self.passes(body, at).size, index)
        number, _, _ = nth(
            count, lambda *at: self.row_pass(body, last if at[1] else self.rows, ends, at).size, index
        )
        return {"head": head, "row_pass": number}

    def elements_of(self, rows: int, body: Body, first: bool, last: bool) -> Program:
        size = self._fit()
        return self.b.cut(
            rows * self.task.columns,
            size,
            lambda n, f, end: body(
                Cut(n, True, f, end, first and f and not self.task.ahead, last and end, first and f)
            ),
        )

    def rows_of(self, rows: int, body: Body, first: bool, last: bool) -> Program:
        columns = self.task.columns
        row = max(_side_by_side(columns, self._inputs()), packed(columns, self.task.out_bits))
        fit = self.arch.dpu.slot // row
        if not fit:
            return self.b.loop(rows, lambda f, end: self.sweeps(body, f, end, first and f, last and end))
        return self.b.cut(
            rows,
            fit,
            lambda n, f, end: body(Cut(n * columns, True, f, end, first and f, last and end, first and f)),
        )

    def sweeps(self, body: Body, starts: bool, ends: bool, first: bool, last: bool) -> Program:
        """A row too long for a slot: all its segments for the row's statistic, then all again for the result."""
        columns, size = self.task.columns, self._fit()
        statistic = self.b.cut(
            columns, size, lambda n, f, _: body(Cut(n, False, starts and f, False, first and f, False, False))
        )
        result = self.b.cut(
            columns,
            size,
            lambda n, f, end: body(Cut(n, True, False, ends and end, False, last and end, first and f)),
        )
        return self.b.seq(statistic, result)

    def _inputs(self) -> tuple[int, ...]:
        """Bits of the operands that are read; raises PlanError where there is none."""
        if not self.task.operands:
            raise PlanError(f"a {self.task.kinds[0].value} has no operand of its own size to read")
        return self.task.operands

    def _fit(self) -> int:
        """Elements of a piece whose operands, or whose result, fill a slot; raises PlanError if not one fits."""
        inputs = self._inputs()
        elements = 8 * self.arch.dpu.slot // max(sum(inputs), self.task.out_bits)
        if not elements:
            said = (
                f"a slot of {self.arch.dpu.slot} B cannot hold an element of each of {len(inputs)} operands, "
                "or one of the result"
            )
            raise PlanError(said, place="dpu.slot")
        return elements

    # -- what each process does for a piece ------------------------------------------------------------------------
    def pieces_in(self, cut: Cut) -> Program:
        size = _side_by_side(cut.elements, self.task.from_hbm)
        needs = self.task.pass_needs if cut.starts_pass else ()
        return pieces(self.b, self.arch, size, "go" if cut.first else "", cut.first, needs=needs)

    def read(self, cut: Cut) -> Program:
        task = self.task
        return self.b.leaf(
            Fill(
                bytes=_side_by_side(cut.elements, task.operands),
                go=cut.first,
                restart=cut.first,
                staged=bool(task.from_hbm),
                frees=_side_by_side(cut.elements, task.from_hbm),
                needs=task.pass_needs if cut.starts_pass and not task.from_hbm else (),
            )
        )

    def lanes(self, cut: Cut) -> Program:
        cycles = ceil_div(cut.elements * self.cycles, self.arch.dpu.lanes)
        reads = _side_by_side(cut.elements, self.task.operands)
        writes = packed(cut.elements, self.task.out_bits) if cut.writes else 0
        functions = tuple(kind.value for kind in self.task.kinds)
        return self.b.leaf(Lanes(cut.elements, cycles, reads, writes, functions))

    def write(self, cut: Cut) -> Program:
        if not cut.writes:
            return self.b.empty
        task, size = self.task, packed(cut.elements, self.task.out_bits)
        return self.b.leaf(
            Drain(
                reads=0,
                writes=size,
                sums=size,
                restart=cut.first_written,
                room=size if task.spilled else 0,
                copies=task.copied,
                gives=() if task.copied else self.gives(cut),
            )
        )

    def pieces_out(self, cut: Cut) -> Program:
        if not cut.writes:
            return self.b.empty
        size = packed(cut.elements, self.task.out_bits)
        return pieces(
            self.b, self.arch, size, "", cut.first_written, staged=self.task.spilled, gives=self.gives(cut)
        )

    def gives(self, cut: Cut) -> tuple[Edge, ...]:
        return (self.task.pass_done if cut.ends_pass else ()) + (self.task.done if cut.last else ())
