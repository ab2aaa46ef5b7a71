"""Section 2: how vector operators are cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from lsim.arch import Arch
from lsim.errors import PlanError
from lsim.trace.ir import Kind, Operator, Trace
from reference.layout import Layout, Unit, byte_count, check_fits, cut, read_width, written_width

ROW_WISE = (Kind.SOFTMAX, Kind.NORM)


class Piece(NamedTuple):
    """A piece of a vector unit: its elements, and whether it writes them (not in the first of two sweeps)."""

    elements: int
    writes: bool
    starts: bool


@dataclass(frozen=True)
class VectorPlan:
    """How a vector unit is cut: widths of the operands that count, of those of them from HBM, and of the result; lane cycles of an
    element."""

    arch: Arch
    unit: Unit
    operands: list[int]
    hbm_operands: list[int]
    out: Fraction
    cycles: int
    first_read: int

    def pieces(self) -> Iterator[Piece]:
        """All pieces in order: heads, row passes, and within a pass as the kind says."""
        operator, starts = self.unit.operators[0], True
        for elements in cut(self.first_read, self._segment()):
            yield Piece(elements, False, starts)
            starts = False
        for _ in range(operator.heads):
            for rows in cut(operator.rows, self.arch.core.tiles * self.arch.core.rows):
                for elements, writes in self._cut_pass(operator, rows):
                    yield Piece(elements, writes, starts)
                    starts = False

    def read(self, elements: int) -> int:
        """I(e)."""
        return sum(byte_count(width, elements) for width in self.operands)

    def fetched(self, elements: int) -> int:
        """Those of it that come from HBM."""
        return sum(byte_count(width, elements) for width in self.hbm_operands)

    def written(self, elements: int) -> int:
        """`bytes_wo(e)`."""
        return byte_count(self.out, elements)

    def _cut_pass(self, operator: Operator, rows: int) -> Iterator[tuple[int, bool]]:
        row = max(self.read(operator.columns), self.written(operator.columns))
        if operator.kind not in ROW_WISE:
            yield from ((elements, True) for elements in cut(rows * operator.columns, self._segment()))
        elif row <= self.arch.dpu.slot:
            for some in cut(rows, self.arch.dpu.slot // row):
                yield some * operator.columns, True
        else:
            for _ in range(rows):
                for writes in (False, True):
                    yield from ((elements, writes) for elements in cut(operator.columns, self._segment()))

    def _segment(self) -> int:
        segment = 8 * self.arch.dpu.slot // max(sum(self.operands), self.out)
        if segment == 0:
            raise PlanError(f"a dpu slot of {self.arch.dpu.slot} B cannot hold one element of each operand")
        return segment


def plan_vector(trace: Trace, layout: Layout, arch: Arch, unit: Unit) -> VectorPlan:
    """Count the operands of a vector unit and check its rings."""
    sources = _counted(trace, unit)
    if not sources:
        raise PlanError(f"{unit.operators[0].name}: no operand has its element count")
    cycles = sum(getattr(arch.dpu, operator.kind.value) for operator in unit.operators)
    widths = [read_width(trace, arch, operand) for operand in sources]
    fetched = [read_width(trace, arch, operand) for operand in sources if layout.from_hbm(operand)]
    out = written_width(trace, arch, unit.outputs)
    plan = VectorPlan(arch, unit, widths, fetched, out, cycles, _surplus(trace, unit.operators[0]))
    largest = max(piece.elements for piece in plan.pieces())
    written = max(piece.elements for piece in plan.pieces() if piece.writes)
    name = unit.operators[0].name
    check_fits(name, "dpu_staging", plan.fetched(largest), layout.dpu_staging)
    if unit.spilled:
        check_fits(name, "the DPU's out_staging", plan.written(written), layout.out_dpu)
    return plan


def _counted(trace: Trace, unit: Unit) -> Sequence[tuple[str, ...]]:
    """The operands that count as read."""
    operator = unit.operators[0]
    if operator.kind is Kind.OPAQUE:
        return operator.operands
    elements = operator.heads * operator.rows * operator.columns
    if operator.kind is Kind.EMBEDDING:  # of several operands the first has the indices
        return unit.outside[1:] if len(operator.operands) > 1 else unit.outside
    return [operand for operand in unit.outside if _is_whole(trace, operand, elements)]


def _surplus(trace: Trace, operator: Operator) -> int:
    """By how many elements the operand of an opaque operator exceeds its output."""
    if operator.kind is not Kind.OPAQUE:
        return 0
    read = sum(trace.tensors[name].elements for operand in operator.operands for name in operand)
    return max(read - operator.heads * operator.rows * operator.columns, 0)


def _is_whole(trace: Trace, operand: Sequence[str], elements: int) -> bool:
    """Whether an operand has all the elements of its operator."""
    return sum(trace.tensors[name].elements for name in operand) == elements
