"""Section 2, first half: units, where their tensors live, and the sizes that all of planning counts in. No clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from lsim.arch import Arch
from lsim.errors import PlanError
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace

ELEMENT_WISE = (Kind.ACTIVATION, Kind.RESIDUAL, Kind.MULTIPLY, Kind.ROTARY)
UNBOUNDED = 1 << 40


def up(dividend: int, divisor: int) -> int:
    """The quotient rounded up."""
    return -(-dividend // divisor)


def byte_count(width: int | Fraction, elements: int) -> int:
    """`bytes_w(n)`."""
    return ceil(Fraction(elements * width, 8))


def psum_count(arch: Arch, elements: int) -> int:
    """`psum(n)`."""
    return up(elements * arch.operands.partial_sum_bits, 8)


class Widths(NamedTuple):
    """w1, w2, wo of a GEMM as it is done."""

    m1: int
    m2: int
    out: Fraction


def stored(arch: Arch, tensor: Tensor) -> int:
    """w of a tensor."""
    o = arch.operands
    by_role = {Role.WEIGHT: o.weight_bits, Role.KV: o.kv_bits}
    return by_role.get(tensor.role, o.activation_bits) or o.bits


def read_width(trace: Trace, arch: Arch, operand: Sequence[str]) -> int:
    """The widest of an operand's tensors."""
    return max(stored(arch, trace.tensors[name]) for name in operand)


def written_width(trace: Trace, arch: Arch, result: Sequence[str]) -> Fraction:
    """The mean of a result's tensors."""
    tensors = [trace.tensors[name] for name in result]
    bits = sum(tensor.elements * stored(arch, tensor) for tensor in tensors)
    return Fraction(bits, sum(tensor.elements for tensor in tensors))


@dataclass
class Place:
    """A stretch of the resident region, held from unit `first` to unit `last`."""

    size: int
    first: int
    last: int


@dataclass
class Unit:
    """What the controller issues: an operator or a chain of fused ones, with its one allocation.

    `place` is None if the allocation is spilled; `takes` are the bytes of the region that its issue takes.
    """

    index: int
    operators: list[Operator]
    size: int = 0
    readers: list[int] = field(default_factory=list)
    place: Place | None = None
    takes: int = 0
    copied: bool = False

    @property
    def is_gemm(self) -> bool:
        return self.operators[0].is_gemm

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.operators[-1].outputs

    @property
    def outside(self) -> list[tuple[str, ...]]:
        """The operands that do not come from within the chain."""
        inner = [operator.outputs for operator in self.operators[:-1]]
        operands = [operand for operator in self.operators for operand in operator.operands]
        return [operand for operand in operands if operand not in inner]

    @property
    def reads(self) -> list[str]:
        """The tensors of those operands."""
        return [tensor for operand in self.outside for tensor in operand]

    @property
    def spilled(self) -> bool:
        return self.place is None


@dataclass
class Layout:
    """Where everything lives: the units, the bytes of the rings and the peak use of the resident region."""

    units: list[Unit]
    producer: dict[str, Unit]
    peak: int
    m1_staging: int
    m2_staging: int
    out_drain: int
    out_dpu: int
    dpu_staging: int
    psum_staging: int

    def in_hbm(self, tensor: str) -> bool:
        """Whether a tensor lives in HBM: there from the start, or spilled."""
        return tensor not in self.producer or self.producer[tensor].spilled

    def from_hbm(self, operand: Sequence[str]) -> bool:
        """Whether an operand is read from HBM."""
        return any(self.in_hbm(tensor) for tensor in operand)


def lay_out(trace: Trace, arch: Arch) -> Layout:
    """Decide for every output whether it is resident, and whether it is copied to HBM."""
    units = _units(trace)
    producer = {tensor: unit for unit in units for tensor in unit.outputs}
    for unit in units:
        written = [trace.tensors[name] for name in unit.outputs]
        unit.size = sum(byte_count(stored(arch, tensor), tensor.elements) for tensor in written)
        for tensor in unit.reads:
            if tensor in producer:
                producer[tensor].readers.append(unit.index)
    region = _region(arch)
    peak = _place(units, producer, UNBOUNDED if "capacity" in arch.ideal else region)
    layout = Layout(units, producer, peak, *_rings(arch, region - peak))
    _decide_copies(trace, layout)
    return layout


def _rings(arch: Arch, surplus: int) -> tuple[int, int, int, int, int, int]:
    """Bytes of the rings, in the order of `Layout`."""
    if "capacity" in arch.ideal:
        return (UNBOUNDED,) * 6
    sram = arch.global_sram
    m1, m2 = sram.m1_staging + surplus // 2, sram.m2_staging + surplus - surplus // 2
    drain = sram.out_staging // 2
    if "act" in arch.ideal:
        return m1, m2, UNBOUNDED, UNBOUNDED, sram.dpu_staging, sram.psum_staging
    return m1, m2, drain, sram.out_staging - drain, sram.dpu_staging, sram.psum_staging


def _units(trace: Trace) -> list[Unit]:
    units: list[Unit] = []
    for operator in trace.operators:
        if units and _joins(trace, units[-1].operators[-1], operator):
            units[-1].operators.append(operator)
        else:
            units.append(Unit(len(units), [operator]))
    return units


def _joins(trace: Trace, before: Operator, operator: Operator) -> bool:
    """Whether an operator is fused to the one just before it."""
    if before.kind not in ELEMENT_WISE or operator.kind not in ELEMENT_WISE:
        return False
    if any(trace.tensors[name].role is Role.KV for name in before.outputs):
        return False
    sizes = [(each.heads, each.rows, each.columns) for each in (before, operator)]
    others = [each for each in trace.operators if each is not operator]
    read_elsewhere = any(set(before.outputs) & set(each.reads) for each in others)
    return before.outputs in operator.operands and not read_elsewhere and sizes[0] == sizes[1]


def _region(arch: Arch) -> int:
    sram = arch.global_sram
    staging = (sram.m1_staging, sram.m2_staging, sram.out_staging, sram.dpu_staging, sram.psum_staging)
    return sram.capacity - sum(staging)


def _place(units: list[Unit], producer: dict[str, Unit], region: int) -> int:
    """Give each output a place while there is room; returns the peak use of the region."""
    load = [0] * len(units)
    for unit in units:
        if not unit.readers:
            continue
        last = max(unit.readers)
        under = _overwritten(unit, producer)
        if under is not None:
            unit.place, first = under.place, unit.index + 1
            assert unit.place is not None
            unit.place.last = last
        elif all(load[index] + unit.size <= region for index in range(unit.index, last + 1)):
            unit.place, first = Place(unit.size, unit.index, last), unit.index
            unit.takes = unit.size
        else:
            continue
        for index in range(first, last + 1):
            load[index] += unit.size
    return max(load, default=0)


def _overwritten(unit: Unit, producer: dict[str, Unit]) -> Unit | None:
    """The unit whose allocation this one overwrites in place."""
    if unit.is_gemm or unit.operators[0].kind in (Kind.EMBEDDING, Kind.OPAQUE):
        return None
    first = unit.outside[0]
    source = producer.get(first[0])
    if source is None or source.spilled or sorted(first) != sorted(source.outputs):
        return None
    return source if source.size == unit.size and max(source.readers) == unit.index else None


def _decide_copies(trace: Trace, layout: Layout) -> None:
    for unit in layout.units:
        kv = any(trace.tensors[name].role is Role.KV for name in unit.outputs)
        unit.copied = unit.spilled or kv or not unit.readers
    for unit in layout.units:
        for operand in unit.outside:
            if layout.from_hbm(operand):
                for tensor in operand:
                    if tensor in layout.producer:
                        layout.producer[tensor].copied = True


def cut(total: int, piece: int) -> list[int]:
    """Whole pieces, then what remains."""
    return [min(piece, total - at) for at in range(0, total, piece)]


def check_fits(name: str, ring: str, need: int, size: int) -> None:
    if need > size:
        raise PlanError(f"{name}: {need} B do not fit {ring} of {size} B")


def split(blocks: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Consecutive stretches of at most so many blocks."""
    return [tuple(blocks[at : at + size]) for at in range(0, len(blocks), size)]
