"""Who tells whom that something is done: the token channels between units.

An edge is named after its taker's *template* (its place in the first of the repeated layers it belongs to), so that the
same layer has the same edges each time round, and after its giver, so that each channel has one giver and one taker
and tokens come in order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from attrs import define, field

from lsim.arch import Arch
from lsim.plan.items import ROWS, Edge
from lsim.plan.mappings import Mapping
from lsim.plan.orient import is_turned
from lsim.plan.residency import Residency, full_operands, reads_hbm
from lsim.plan.units import Unit
from lsim.trace import Kind, Trace
from lsim.trace.structure import repeats


@define
class Edges:
    """The edges of every unit, by what they are for."""

    givers: dict[Edge, str] = field(factory=dict)
    _done: dict[tuple[int, str], list[Edge]] = field(factory=dict)
    _pass_done: dict[int, list[Edge]] = field(factory=dict)
    _pass_needs: dict[int, list[Edge]] = field(factory=dict)
    _issue: dict[int, list[Edge]] = field(factory=dict)
    _retire: dict[int, list[Edge]] = field(factory=dict)
    _handoff_needs: dict[tuple[int, str, str], list[Edge]] = field(factory=dict)
    _handoff_gives: dict[tuple[int, str], list[Edge]] = field(factory=dict)

    def done(self, unit: int, giver: str) -> tuple[Edge, ...]:
        """Given by a process when it has finished the unit."""
        return tuple(self._done.get((unit, giver), ()))

    def pass_done(self, unit: int) -> tuple[Edge, ...]:
        """Given whenever a row pass of the unit is complete."""
        return tuple(self._pass_done.get(unit, ()))

    def pass_needs(self, unit: int) -> tuple[Edge, ...]:
        """Taken before each row pass of the unit."""
        return tuple(self._pass_needs.get(unit, ()))

    def follows(self, unit: int, producer: int) -> bool:
        """Whether the unit follows the producer row pass by row pass."""
        return bool(set(self._pass_needs.get(unit, ())) & set(self._pass_done.get(producer, ())))

    def issue_needs(self, unit: int) -> tuple[Edge, ...]:
        """Taken before the unit is issued."""
        return tuple(self._issue.get(unit, ()))

    def retire_needs(self, unit: int) -> tuple[Edge, ...]:
        """Taken before the unit is retired."""
        return tuple(self._retire.get(unit, ()))

    def handoff_needs(self, unit: int, group: str, filler: str) -> tuple[Edge, ...]:
        """Taken before a filler of the group touches buffers that another group had."""
        return tuple(self._handoff_needs.get((unit, group, filler), ()))

    def handoff_gives(self, unit: int, group: str) -> tuple[Edge, ...]:
        """Given by the group's drain when the unit's last result has left its buffers."""
        return tuple(self._handoff_gives.get((unit, group), ()))

    def add_done(self, taker: list[Edge], edge: Edge, unit: int) -> None:
        taker.append(edge)
        self.givers[edge] = edge[3]
        self._done.setdefault((unit, edge[3]), []).append(edge)

    def add_rows(self, unit: int, edge: Edge, producer: int) -> None:
        self.givers[edge] = edge[3]
        self._pass_needs.setdefault(unit, []).append(edge)
        self._pass_done.setdefault(producer, []).append(edge)

    def add_handoff(self, unit: int, group: str, filler: str, edge: Edge, before: tuple[int, str]) -> None:
        self.givers[edge] = edge[3]
        self._handoff_needs.setdefault((unit, group, filler), []).append(edge)
        self._handoff_gives.setdefault(before, []).append(edge)


def link(
    trace: Trace,
    units: Sequence[Unit],
    finishers: Sequence[tuple[str, ...]],
    residency: Residency,
    chunked: bool,
    mapping: Mapping,
    arch: Arch,
) -> Edges:
    """All edges of a plan. `finishers`: of each unit, the processes that complete it."""
    producers = _producers(units)
    template = _templates(trace, units, residency, producers)
    edges = Edges()
    for j, unit in enumerate(units):
        for k, i in enumerate(producers[j]):
            aligned = chunked and len(finishers[i]) == 1 and _aligned(trace, units[i], unit, mapping, arch)
            if aligned:
                edges.add_rows(j, (ROWS, template[j], k, finishers[i][0]), i)
                continue
            for giver in finishers[i]:
                edges.add_done(edges._issue.setdefault(j, []), ("done", template[j], k, giver), i)
        for giver in finishers[j]:
            edges.add_done(edges._retire.setdefault(j, []), ("retire", template[j], 0, giver), j)
    _hand_over(edges, trace, units, mapping, template)
    return edges


def _producers(units: Sequence[Unit]) -> list[list[int]]:
    """Of each unit, the units whose outputs it reads, each once."""
    made = {tensor: i for i, unit in enumerate(units) for tensor in unit.outputs}
    return [list(dict.fromkeys(made[t] for t in unit.reads if t in made)) for unit in units]


def _templates(
    trace: Trace, units: Sequence[Unit], residency: Residency, producers: Sequence[Sequence[int]]
) -> list[int]:
    """Of each unit, its place in the first of the equal stretches it belongs to."""
    consumers: list[list[int]] = [[] for _ in units]
    for j, made in enumerate(producers):
        for i in made:
            consumers[i].append(j - i)
    signatures = [
        (_shape(trace, unit, residency), residency.copied[i], residency.spilled[i], residency.claims[i], residency.frees[i],
         tuple(i - p for p in producers[i]), tuple(consumers[i]))
        for i, unit in enumerate(units)
    ]  # fmt: skip
    template = list(range(len(units)))
    for start, length, count in repeats(signatures):
        if count == 1:
            continue
        end = start + length * count
        for i in range(start, min(end + length, len(units))):  # the last layer differs at its end only
            if i < end or signatures[i] == signatures[i - length]:
                template[i] = template[i - length] if i >= start + length else i
    return template


def _shape(trace: Trace, unit: Unit, residency: Residency) -> Hashable:
    return tuple(
        (
            o.kind,
            o.heads,
            o.rows,
            o.depth,
            o.columns,
            tuple(reads_hbm(operand, residency.resident) for operand in o.operands),
        )
        for o in unit.operators
    )


def _aligned(trace: Trace, producer: Unit, unit: Unit, mapping: Mapping, arch: Arch) -> bool:
    """Whether row pass r of the unit needs no more of the producer than its row pass r."""
    before, op = producer.operators[-1], unit.operators[0]
    if is_turned(trace, before, arch) or is_turned(trace, op, arch) or op.kind is Kind.OPAQUE:
        return False
    if (before.heads, before.rows) != (op.heads, op.rows):
        return False
    if producer.is_gemm and not _on_all_tiles(trace, producer, mapping):
        return False
    made = set(producer.outputs)
    if unit.is_gemm:
        whole = op.depth == before.columns and set(op.operands[0]) == made
        return whole and not made & set(op.operands[1]) and _on_all_tiles(trace, unit, mapping)
    full = [o for operator in unit.operators for o in full_operands(trace, operator)]
    return (
        op.columns == before.columns
        and made in [set(o) for o in full]
        and all(set(o) == made or not made & set(o) for o in full)
    )


def _on_all_tiles(trace: Trace, unit: Unit, mapping: Mapping) -> bool:
    shares = mapping.share(unit.operators[0], trace.is_linear(unit.operators[0]))
    return len(shares) == 1 and shares[0][0] is mapping.groups[0]


def _hand_over(
    edges: Edges, trace: Trace, units: Sequence[Unit], mapping: Mapping, template: Sequence[int]
) -> None:
    """When tiles change groups, the new group's fillers wait until the old group's results have left."""
    holder: dict[int, tuple[int, str]] = {}  # tile → (unit, group) that used it last
    by_name = {group.name: group for group in mapping.groups}
    for j, unit in enumerate(units):
        if not unit.is_gemm:
            continue
        shares = mapping.share(unit.operators[0], trace.is_linear(unit.operators[0]))
        held = dict(holder)
        for group, _ in shares:
            before = dict.fromkeys(held[t] for t in group.tiles if t in held and held[t][1] != group.name)
            for k, (i, name) in enumerate(before):
                for filler in ("m1", "m2"):
                    edge = (f"handoff-{filler}-{group.name}", template[j], k, by_name[name].part("drain"))
                    edges.add_handoff(j, group.name, filler, edge, (i, name))
            holder.update((t, (j, group.name)) for t in group.tiles)
