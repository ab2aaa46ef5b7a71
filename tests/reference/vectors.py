"""Section 2: how vector operators are cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lsim.arch import Arch
from lsim.errors import PlanError
from lsim.trace.ir import Kind, Operator, Trace
from reference.layout import Layout, Unit, byte_count, check_fits, cut

ROW_WISE = (Kind.SOFTMAX, Kind.NORM)


class Piece(NamedTuple):
    """A piece of a vector unit: its elements, and whether it writes them (not in the first of two sweeps)."""

    elements: int
    writes: bool
    starts: bool


@dataclass(frozen=True)
class VectorPlan:
    """How a vector unit is cut: operands that count, those of them from HBM, lane cycles of an element."""

    arch: Arch
    unit: Unit
    operands: int
    hbm_operands: int
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

    def _cut_pass(self, operator: Operator, rows: int) -> Iterator[tuple[int, bool]]:
        row = self.operands * byte_count(self.arch, operator.columns)
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
        segment = 8 * self.arch.dpu.slot // (self.arch.operands.bits * self.operands)
        if segment == 0:
            raise PlanError(f"a dpu slot of {self.arch.dpu.slot} B cannot hold one element of each operand")
        return segment


def plan_vector(trace: Trace, layout: Layout, arch: Arch, unit: Unit) -> VectorPlan:
    """Count the operands of a vector unit and check its rings."""
    sources = _counted(trace, layout, unit)
    if not sources:
        raise PlanError(f"{unit.operators[0].name}: no operand has its element count")
    cycles = sum(getattr(arch.dpu, operator.kind.value) for operator in unit.operators)
    plan = VectorPlan(arch, unit, len(sources), sum(sources), cycles, _surplus(trace, unit.operators[0]))
    largest = byte_count(arch, max(piece.elements for piece in plan.pieces()))
    name = unit.operators[0].name
    check_fits(name, "dpu_staging", plan.hbm_operands * largest, layout.dpu_staging)
    if unit.spilled:
        check_fits(name, "the DPU's out_staging", largest, layout.out_dpu)
    return plan


def _counted(trace: Trace, layout: Layout, unit: Unit) -> list[bool]:
    """For each operand that counts as read, whether it comes from HBM."""
    operator = unit.operators[0]
    if operator.kind is Kind.OPAQUE:
        return [layout.from_hbm(operator.operands[0])]
    elements = operator.heads * operator.rows * operator.columns
    if operator.kind is Kind.EMBEDDING:  # of several operands the first has the indices
        counting = unit.outside[1:] if len(operator.operands) > 1 else unit.outside
    else:
        counting = [operand for operand in unit.outside if _is_whole(trace, operand, elements)]
    return [layout.from_hbm(operand) for operand in counting]


def _surplus(trace: Trace, operator: Operator) -> int:
    """By how many elements the operand of an opaque operator exceeds its output."""
    if operator.kind is not Kind.OPAQUE:
        return 0
    read = sum(trace.tensors[name].elements for operand in operator.operands for name in operand)
    return max(read - operator.heads * operator.rows * operator.columns, 0)


def _is_whole(trace: Trace, operand: Sequence[str], elements: int) -> bool:
    """Whether an operand has all the elements of its operator."""
    return sum(trace.tensors[name].elements for name in operand) == elements
