"""The work of each unit: what of it each tile group or the DPU does, as a task, and the programs that tasks come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field

from lsim.arch import Arch
from lsim.errors import PlanError
from lsim.kernel.program import Builder, Program, leaves
from lsim.plan import mappings
from lsim.plan.again import Skeleton
from lsim.plan.edges import Edges
from lsim.plan.gemm import GemmTask, gemm_programs
from lsim.plan.items import Drain, Issue, Piece, Retire
from lsim.plan.mappings import Group
from lsim.plan.orient import oriented, passes_of_signs
from lsim.plan.residency import Residency, full_operands, reads_hbm
from lsim.plan.tiling import Manner, Places, Tiling, tile_gemm
from lsim.plan.units import Unit
from lsim.plan.vector import VectorTask, vector_programs
from lsim.plan.widths import TensorWidths
from lsim.trace import Kind, Operator, Trace

Task = GemmTask | VectorTask

TAKES_GO = frozenset({"dma.m2", "m1", "m2", "core", "dpu.dma", "dpu.read"})


@define
class Cache:
    """What plans of several traces for one architecture and mapping share: equal tasks have the same programs, as objects."""

    builder: Builder = field(factory=Builder)
    tiled: dict[tuple[object, ...], Tiling] = field(factory=dict)
    made: dict[Task, dict[str, Program]] = field(factory=dict)
    skeleton: Skeleton | None = None


class Work:
    """The tasks of the units of a trace. `tilings`: of each GEMM, by name, for its first group. `tasks[u]`: of unit u, by the name of
    the tile group; the DPU's under ""."""

    def __init__(
        self,
        trace: Trace,
        arch: Arch,
        mapping: mappings.Mapping,
        units: tuple[Unit, ...],
        residency: Residency,
        cache: Cache,
    ) -> None:
        self.trace, self.arch, self.mapping = trace, arch, mapping
        self.units, self.residency, self.cache = units, residency, cache
        self.widths = TensorWidths(trace, arch)
        self.tilings: dict[str, Tiling] = {}
        self.tasks: list[dict[str, Task]] = [{} for _ in units]
        self._group_names = frozenset(group.name for group in mapping.groups)
        self._checked: set[tuple[Task, int]] = set()

    def is_linear(self, unit: Unit) -> bool:
        """See `Trace.is_linear`."""
        return self.trace.is_linear(unit.operators[0])

    def shares(self, unit: Unit) -> list[tuple[Group, Operator]]:
        """What of a GEMM each tile group does."""
        if not unit.is_gemm:
            return []
        op = oriented(self.trace, unit.operators[0], self.arch)
        return list(self.mapping.share(op, self.is_linear(unit)))

    def finishers(self, i: int) -> tuple[str, ...]:
        """The processes whose last item completes the unit."""
        copied = self.residency.copied[i]
        shares = self.shares(self.units[i])
        if not shares:
            return ("dpu.out.ack" if copied else "dpu.write",)
        return tuple(group.part("dma.out.ack" if copied else "drain") for group, _ in shares)

    def programs(self, i: int, edges: Edges, weights: Mapping[int, int]) -> dict[str, Program]:
        """All that is done for a unit, by process. `weights`: of each unit that is a linear layer, which of them it is."""
        made = self._gemms(i, edges) if self.units[i].is_gemm else dict(self._vector(i, edges))
        self._add_control(i, made, edges, weights)
        return made

    def as_before(self, i: int, first: int) -> None:
        """A unit has the tasks of one that is like it."""
        self.tasks[i] = self.tasks[first]
        if self.units[i].is_gemm:
            name, known = (self.units[u].operators[0].name for u in (i, first))
            self.tilings[name] = self.tilings[known]

    def _gemms(self, i: int, edges: Edges) -> dict[str, Program]:
        programs: dict[str, Program] = {}
        for group, op in self.shares(self.units[i]):
            for kind, program in self._gemm(i, group, op, edges).items():
                programs[group.part(kind)] = program
        return programs

    def _gemm(self, i: int, group: Group, op: Operator, edges: Edges) -> dict[str, Program]:
        resident = self.residency.resident
        places = Places(
            m1_hbm=reads_hbm(op.operands[0], resident),
            m2_hbm=reads_hbm(op.operands[1], resident),
            copied=self.residency.copied[i],
        )
        size = (op.heads, op.rows, op.depth, op.columns)
        shots = passes_of_signs(self.trace, op, self.arch)
        manner = Manner(group.sharers, self.mapping.holds_m1, shots)
        rings = self.residency.rings(group.ring_share)
        widths = self.widths.gemm(op.operands, op.outputs)
        key = (size, len(group.tiles), manner, places, rings, widths)
        if key not in self.cache.tiled:
            self.cache.tiled[key] = tile_gemm(op, self.arch, len(group.tiles), places, rings, widths, manner)
        tiling = self.cache.tiled[key]
        self.tilings.setdefault(self.units[i].operators[0].name, tiling)
        task = GemmTask(
            tiling=tiling,
            places=places,
            m1_go="prefetch" if self.is_linear(self.units[i]) else "go",
            spilled=self.residency.spilled[i],
            done=edges.done(i, group.part("dma.out.ack" if places.copied else "drain")),
            pass_done=edges.pass_done(i),
            pass_needs=edges.pass_needs(i),
            m1_after=edges.handoff_needs(i, group.name, "m1"),
            m2_after=edges.handoff_needs(i, group.name, "m2"),
            hands_over=edges.handoff_gives(i, group.name),
        )
        self.tasks[i][group.name] = task
        return self._cached(
            task, lambda: gemm_programs(task, self.arch, self.cache.builder), group.ring_share
        )

    def _vector(self, i: int, edges: Edges) -> dict[str, Program]:
        unit = self.units[i]
        first, inner = unit.operators[0], unit.inner
        full = [
            o
            for operator in unit.operators
            for o in full_operands(self.trace, operator)
            if not inner.issuperset(o)
        ]
        task = VectorTask(
            kinds=tuple(operator.kind for operator in unit.operators),
            heads=first.heads,
            rows=first.rows,
            columns=first.columns,
            operands=tuple(self.widths.operand(o) for o in full),
            ahead=self._read_ahead(first),
            from_hbm=tuple(self.widths.operand(o) for o in full if reads_hbm(o, self.residency.resident)),
            out_bits=self.widths.result(unit.outputs),
            copied=self.residency.copied[i],
            spilled=self.residency.spilled[i],
            done=edges.done(i, "dpu.out.ack" if self.residency.copied[i] else "dpu.write"),
            pass_done=edges.pass_done(i),
            pass_needs=edges.pass_needs(i),
        )
        self.tasks[i][""] = task
        return self._cached(task, lambda: vector_programs(task, self.arch, self.cache.builder))

    def _read_ahead(self, operator: Operator) -> int:
        """Elements that an opaque operator reads beyond those that it writes."""
        if operator.kind is not Kind.OPAQUE:
            return 0
        return max(0, sum(self.trace.tensors[name].elements for name in operator.reads) - operator.elements)

    def _cached(
        self, task: Task, make: Callable[[], dict[str, Program]], ring_share: int = 1
    ) -> dict[str, Program]:
        known = self.cache.made.get(task)
        if known is None:
            known = self.cache.made[task] = make()
        if (task, ring_share) not in self._checked:
            self._check_rings(known, ring_share)
            self._checked.add((task, ring_share))
        return known

    def _check_rings(self, programs: Mapping[str, Program], share: int) -> None:
        """A unit that is larger than the ring it goes through would wait for ever."""
        r = self.residency.rings(share)
        rings = {"dma.m1": r.m1, "dma.m2": r.m2, "dpu.dma": self.residency.dpu_staging}
        for name, program in programs.items():
            for _, item in leaves(program):
                if isinstance(item, Drain):
                    need, room, ring = item.room, r.out, "out_staging"
                elif isinstance(item, Piece) and name in rings:
                    need, room, ring = item.unit_bytes, rings[name], name
                else:
                    break
                if need > room:
                    raise PlanError(
                        f"one transfer of {need} B has to fit its staging area of {room} B ({ring})",
                        place="global_sram",
                    )

    def _add_control(
        self, i: int, programs: dict[str, Program], edges: Edges, weights: Mapping[int, int]
    ) -> None:
        """What the controller does for a unit."""
        ahead = self.arch.controller.prefetch
        takes_go = tuple(name for name in programs if self._takes_go(i, name))
        prefetch = 0
        if i in weights:
            prefetch = int(not ahead or weights[i] + ahead < len(weights))
        issue = Issue(edges.issue_needs(i), self.residency.claims[i], takes_go, prefetch)
        programs["controller"] = self.cache.builder.leaf(issue)
        programs["retire"] = self.cache.builder.leaf(Retire(edges.retire_needs(i), self.residency.frees[i]))

    def _takes_go(self, i: int, process: str) -> bool:
        group, _, rest = process.partition(".")
        kind = rest if group in self._group_names else process
        if kind == "dma.m1":
            return not self.is_linear(self.units[i])
        return kind in TAKES_GO
