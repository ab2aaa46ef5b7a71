"""What plans of traces share that differ in sizes alone, as the steps of a generation do: it is worked out once.

Sizes decide where tensors live and how each GEMM is cut; both are done anew. They do not decide who needs whom; nor, as long as
tensors live where they lived, which units are alike: a unit of the second layer that had the sizes, the places and the edges of
one of the first has them still if both have grown alike, and that is looked up.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property

from attrs import evolve, frozen

from lsim.arch import Arch
from lsim.kernel.program import Program
from lsim.plan.edges import Edges
from lsim.plan.residency import Residency, plan_residency, reads_hbm
from lsim.plan.units import ELEMENT_WISE, Unit
from lsim.trace import Kind, Operator, Trace
from lsim.trace.structure import Piece

Made = Mapping[str, Program]
"""The programs of one unit, by process."""


@frozen
class Skeleton:
    """What a plan had that sizes alone do not change.

    `finishers`: of each unit, the processes that complete it. `weights`: of each unit that is a linear layer, which of them it is.
    `made`: the programs of each unit. `cover`: how those of all are folded into loops.
    """

    trace: Trace
    units: tuple[Unit, ...]
    residency: Residency
    edges: Edges
    finishers: tuple[tuple[str, ...], ...]
    weights: Mapping[int, int]
    made: Sequence[Made] = ()
    cover: Sequence[Piece] = ()

    @cached_property
    def first(self) -> tuple[int, ...]:
        """Of each unit, the first that has the same programs, of operators of the same kinds, labels and sizes, on operands of the same
        roles and makers in the same places."""
        known: dict[Hashable, int] = {}
        pairs = enumerate(zip(self.units, self.made, strict=True))
        return tuple(known.setdefault(self._key(unit, made), i) for i, (unit, made) in pairs)

    def grown(self, trace: Trace, arch: Arch) -> tuple[tuple[Unit, ...], Residency] | None:
        """The units of a trace and where its tensors live, if all else of the skeleton holds for it, too."""
        changed = _changed(self.trace, trace)
        if changed is None:
            return None
        units = tuple(
            evolve(unit, operators=(changed[unit.first],)) if unit.first in changed else unit
            for unit in self.units
        )
        residency = plan_residency(trace, units, arch)
        same = _lives_as(self.residency, residency) and self._still_alike(trace, units, residency)
        return (units, residency) if same else None

    def _still_alike(self, trace: Trace, units: Sequence[Unit], residency: Residency) -> bool:
        """Whether units that were alike have grown alike."""
        measures = {at: sizes(trace, units[at]) for at in set(self.first)}
        return all(
            residency.claims[i] == residency.claims[at]
            and residency.frees[i] == residency.frees[at]
            and sizes(trace, unit) == measures[at]
            for i, (unit, at) in enumerate(zip(units, self.first, strict=True))
            if i != at
        )

    def _key(self, unit: Unit, made: Made) -> Hashable:
        trace, resident = self.trace, self.residency.resident
        structure = tuple(
            (
                operator.kind,
                operator.label,
                operator.causal,
                tuple(trace.tensors[name].role for name in (*operator.reads, *operator.outputs)),
                tuple(tuple(map(self._maker, operand)) for operand in operator.operands),
                tuple(reads_hbm(operand, resident) for operand in operator.operands),
            )
            for operator in unit.operators
        )
        return structure, sizes(trace, unit), tuple((name, id(program)) for name, program in made.items())

    def _maker(self, tensor: str) -> Kind | None:
        maker = self.trace.producer(tensor)
        return None if maker is None else maker.kind


def sizes(trace: Trace, unit: Unit) -> Hashable:
    """All sizes that the plan of a unit reads."""
    tensors = trace.tensors
    return tuple(
        (o.heads, o.rows, o.depth, o.columns, o.window, *[tensors[t].shape for t in (*o.reads, *o.outputs)])
        for o in unit.operators
    )


def _changed(before: Trace, trace: Trace) -> dict[int, Operator] | None:
    """Operators that differ in sizes, by place; None if anything else differs, or sizes by which operators join in chains."""
    if len(before.operators) != len(trace.operators) or before.tensors.keys() != trace.tensors.keys():
        return None
    pairs = enumerate(zip(before.operators, trace.operators, strict=True))
    changed = {i: (one, other) for i, (one, other) in pairs if one is not other}
    grown = all(_grown(*pair) for pair in changed.values())
    roles = all(
        one is trace.tensors[name] or one.role is trace.tensors[name].role
        for name, one in before.tensors.items()
    )
    return {i: other for i, (_, other) in changed.items()} if grown and roles else None


def _grown(one: Operator, other: Operator) -> bool:
    sized = evolve(
        one,
        heads=other.heads,
        rows=other.rows,
        depth=other.depth,
        columns=other.columns,
        window=other.window,
    )
    return one.kind not in ELEMENT_WISE and sized == other


def _lives_as(one: Residency, other: Residency) -> bool:
    return (one.resident, one.copied, one.spilled) == (other.resident, other.copied, other.spilled)
