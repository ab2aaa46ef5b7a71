"""Where each tensor lives: which outputs stay in the global SRAM, which go to HBM and come back.

Decided before the run, in trace order: an output stays if it has a reader and the resident region has room for it
until its last reader. What the region never uses goes to the operand staging rings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from lsim.arch import UNBOUNDED_BYTES, Arch
from lsim.errors import ArchError
from lsim.plan.units import Unit
from lsim.plan.widths import TensorWidths, packed
from lsim.trace import Kind, Operator, Role, Trace


@frozen
class Rings:
    """Staging bytes of one tile group."""

    m1: int
    m2: int
    psum: int
    out: int


@frozen
class Residency:
    """The memory plan of a run. Sizes in bytes.

    `resident`: tensors that live in the global SRAM; all others live in HBM. `copied`: units whose output goes to HBM.
    `claims`, `frees`: of each unit, the region bytes taken at its issue and given back at its retirement;
    `used`: what is taken of the region while the unit runs, one unit at a time.
    """

    resident: frozenset[str]
    copied: tuple[bool, ...]
    spilled: tuple[bool, ...]
    claims: tuple[int, ...]
    frees: tuple[int, ...]
    used: tuple[int, ...]
    region: int
    m1_staging: int
    m2_staging: int
    out_staging: int
    dpu_staging: int
    psum_staging: int

    def rings(self, share: int) -> Rings:
        """What one of `share` equal shares has."""
        return Rings(
            self.m1_staging // share,
            self.m2_staging // share,
            self.psum_staging // share,
            self.out_staging // share,
        )


class _Allocation:
    """A stretch of the region: the output of one unit, or of several that overwrite each other."""

    def __init__(self, size: int, last: int) -> None:
        self.size, self.last = size, last


def plan_residency(trace: Trace, units: Sequence[Unit], arch: Arch) -> Residency:
    """Walks the units in order and decides, first come first served."""
    region = arch.live_capacity
    if region < 0:
        raise ArchError(
            f"the staging areas need {-region} B more than the global SRAM has", place="global_sram.capacity"
        )
    last_reader, widths = _last_readers(units), TensorWidths(trace, arch)
    used = [0] * len(units)
    claims, allocations = [0] * len(units), [None] * len(units)  # type: tuple[list[int], list[_Allocation | None]]
    by_tensor: dict[str, _Allocation] = {}
    for i, unit in enumerate(units):
        last = max([last_reader.get(t, -1) for t in unit.outputs], default=-1)
        if last < 0:
            continue
        size = sum([packed(trace.tensors[t].elements, widths.tensor(t)) for t in unit.outputs])
        over = _overwritten(unit, i, size, by_tensor)
        begin = i if over is None else i + 1
        if max(used[begin : last + 1]) + size > region:
            continue
        for u in range(begin, last + 1):
            used[u] += size
        if over is None:
            over = _Allocation(size, last)
            claims[i] = size
        over.last = last
        allocations[i] = over
        by_tensor.update((t, over) for t in unit.outputs)
    return _assemble(trace, units, arch, by_tensor, allocations, claims, used)


def _assemble(
    trace: Trace,
    units: Sequence[Unit],
    arch: Arch,
    by_tensor: Mapping[str, _Allocation],
    allocations: Sequence[_Allocation | None],
    claims: Sequence[int],
    used: Sequence[int],
) -> Residency:
    frees = [0] * len(units)
    for allocation in {id(a): a for a in allocations if a is not None}.values():
        frees[allocation.last] += allocation.size
    peak = max(used, default=0)
    spare = arch.live_capacity - peak
    resident = frozenset(by_tensor)
    mixed = _concatenated_with_hbm(units, resident)
    return Residency(
        resident=resident,
        copied=tuple(_copied(trace, unit, resident, mixed) for unit in units),
        spilled=tuple(not resident.issuperset(unit.outputs) for unit in units),
        claims=tuple(claims),
        frees=tuple(frees),
        used=tuple(used),
        region=peak,
        m1_staging=arch.m1_staging + spare // 2,
        m2_staging=arch.m2_staging + spare - spare // 2,
        out_staging=UNBOUNDED_BYTES if "act" in arch.ideal else arch.out_staging // 2,
        dpu_staging=arch.dpu_staging,
        psum_staging=arch.psum_staging,
    )


def _last_readers(units: Sequence[Unit]) -> dict[str, int]:
    return {tensor: i for i, unit in enumerate(units) for tensor in unit.reads}


def _overwritten(unit: Unit, at: int, size: int, by_tensor: Mapping[str, _Allocation]) -> _Allocation | None:
    """The allocation that a vector unit may write its output over: its first operand's, as large and dead afterwards."""
    first = unit.operators[0]
    if first.is_gemm or first.kind in (Kind.EMBEDDING, Kind.OPAQUE):
        return None
    allocations = {id(by_tensor.get(t)): by_tensor.get(t) for t in first.operands[0]}
    allocation = allocations.popitem()[1]
    if allocations or allocation is None or allocation.size != size or allocation.last != at:
        return None
    return allocation


def _concatenated_with_hbm(units: Sequence[Unit], resident: frozenset[str]) -> frozenset[str]:
    """Resident tensors that some operand puts side by side with one that is not."""
    operands = [operand for unit in units for operator in unit.operators for operand in operator.operands]
    mixed = [operand for operand in operands if len(operand) > 1 and not resident.issuperset(operand)]
    return frozenset(tensor for operand in mixed for tensor in operand if tensor in resident)


def _copied(trace: Trace, unit: Unit, resident: frozenset[str], mixed: frozenset[str]) -> bool:
    return any(t not in resident or t in mixed or trace.tensors[t].role is Role.KV for t in unit.outputs)


def reads_hbm(operand: Sequence[str], resident: frozenset[str]) -> bool:
    """Whether an operand comes from HBM: it does unless all of it is resident."""
    return not resident.issuperset(operand)


def full_operands(trace: Trace, operator: Operator) -> list[tuple[str, ...]]:
    """The operands of a vector operator that move: those of its full size, and that of an opaque one. Gains, angles and
    indices are held by the DPU."""
    if operator.kind is Kind.OPAQUE:
        return list(operator.operands)
    if operator.kind is Kind.EMBEDDING:
        return list(
            operator.operands[1:] or operator.operands
        )  # of several operands the first has the indices
    return [o for o in operator.operands if sum(trace.tensors[t].elements for t in o) == operator.elements]
