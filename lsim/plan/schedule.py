"""The plan of a run: a program for every process, from a trace, an arch and the policies.

Units are planned one by one; those that repeat (the layers of a model) get equal programs, which the builder interns and
which are then folded into repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate

from attrs import define, evolve, field, frozen

from lsim.arch import Arch
from lsim.errors import PlanError
from lsim.kernel.program import Builder, Program, leaves
from lsim.plan.again import Skeleton
from lsim.plan.edges import Edges, link
from lsim.plan.gemm import GemmTask, gemm_passes, gemm_programs
from lsim.plan.interleave import chains
from lsim.plan.items import Drain, Edge, Issue, Piece, Retire
from lsim.plan.mappings import Group, mapping
from lsim.plan.orient import oriented, passes_of_signs
from lsim.plan.residency import Residency, full_operands, plan_residency, reads_hbm
from lsim.plan.tiling import Manner, Places, Tiling, tile_gemm
from lsim.plan.turns import interleave
from lsim.plan.units import Unit, fuse
from lsim.plan.vector import VectorTask, vector_programs
from lsim.plan.widths import TensorWidths
from lsim.trace import Kind, Operator, Trace
from lsim.trace.structure import Piece as Stretch
from lsim.trace.structure import repeats

TAKES_GO = frozenset({"dma.m2", "m1", "m2", "core", "dpu.dma", "dpu.read"})


class Deps(StrEnum):
    """When a unit may start: when its inputs are complete, or as soon as the row passes it needs are."""

    BARRIER = "barrier"
    CHUNKED = "chunked"


@frozen
class Plan:
    """What every process will do.

    `programs`: process → program. `ends[process][u]`: the position at which the process has done unit u. `givers`: edge →
    the process that gives its tokens. `prefetched`: weight GEMMs whose weights may be fetched from the start.
    `tilings`: of each GEMM, by name, for its first group. `tasks[u]`: what each tile group does of unit u, by the group's
    name; the DPU's work is under "". `turns`: of each of two units whose row passes
    take turns, both.
    """

    trace: Trace
    arch: Arch
    mapping: str
    units: tuple[Unit, ...]
    groups: tuple[Group, ...]
    residency: Residency
    programs: Mapping[str, Program]
    ends: Mapping[str, Sequence[int]]
    givers: Mapping[Edge, str]
    prefetched: int
    tilings: Mapping[str, Tiling]
    participants: tuple[tuple[str, ...], ...]
    tasks: Sequence[Mapping[str, GemmTask | VectorTask]]
    turns: Mapping[int, tuple[int, int]]


@define
class Cache:
    """What plans of several traces for one architecture and mapping share: equal tasks have the same programs, as objects."""

    builder: Builder = field(factory=Builder)
    tiled: dict[tuple[object, ...], Tiling] = field(factory=dict)
    made: dict[GemmTask | VectorTask, dict[str, Program]] = field(factory=dict)
    skeleton: Skeleton | None = None


def plan(
    trace: Trace,
    arch: Arch,
    mapping_name: str | None = None,
    deps: Deps = Deps.BARRIER,
    cache: Cache | None = None,
) -> Plan:
    """Plans a run. Raises PlanError or ArchError where the arch cannot run the trace."""
    return _Planner(trace, arch, mapping_name, deps, Cache() if cache is None else cache).plan()


class _Planner:
    def __init__(self, trace: Trace, arch: Arch, mapping_name: str | None, deps: Deps, cache: Cache) -> None:
        self.trace, self.arch, self.deps = trace, arch, deps
        self.mapping = mapping(mapping_name, arch)
        self._group_names = frozenset(group.name for group in self.mapping.groups)
        self.widths = TensorWidths(trace, arch)
        self.cache, self.builder = cache, cache.builder
        skeleton = cache.skeleton
        grown = skeleton and skeleton.grown(trace, arch)
        self.skeleton = skeleton if grown else None
        self.units = grown[0] if grown else fuse(trace)
        self.residency = grown[1] if grown else plan_residency(trace, self.units, arch)
        self.tilings: dict[str, Tiling] = {}
        self._checked: set[tuple[GemmTask | VectorTask, int]] = set()
        self._tasks: list[dict[str, GemmTask | VectorTask]] = [{} for _ in self.units]
        self._turns: dict[int, tuple[int, int]] = {}

    def plan(self) -> Plan:
        bones = self.skeleton or self._bones()
        made = self._unit_by_unit(bones)
        ends = _ends(made)
        if self.deps is Deps.CHUNKED:
            for first, second in chains(self.units, bones.edges, self.residency, self.arch.controller.window):
                self._take_turns(first, second, made, ends)
        cover = bones.cover or repeats([_signature(programs) for programs in made])
        if self.skeleton is None and self.deps is Deps.BARRIER:
            self.cache.skeleton = evolve(bones, made=made, cover=cover)
        return Plan(
            trace=self.trace,
            arch=self.arch,
            mapping=self.mapping.name,
            units=self.units,
            groups=self.mapping.groups,
            residency=self.residency,
            programs=self._join(made, cover),
            ends=ends,
            givers=bones.edges.givers,
            prefetched=min(self.arch.controller.prefetch, len(bones.weights)),
            tilings=self.tilings,
            participants=bones.finishers,
            tasks=self._tasks,
            turns=self._turns,
        )

    def _bones(self) -> Skeleton:
        """What a plan begins with."""
        finishers = tuple(self._finishers(i, self._shares(unit)) for i, unit in enumerate(self.units))
        chunked = self.deps is Deps.CHUNKED
        edges = link(self.trace, self.units, finishers, self.residency, chunked, self.mapping, self.arch)
        linear = (i for i, unit in enumerate(self.units) if unit.is_gemm and self._is_linear(unit))
        weights = {i: number for number, i in enumerate(linear)}
        return Skeleton(self.trace, self.units, self.residency, edges, finishers, weights)

    def _unit_by_unit(self, bones: Skeleton) -> list[dict[str, Program]]:
        """The programs of each unit; those of units that are alike are made once."""
        made: list[dict[str, Program]] = []
        for i, first in enumerate(self.skeleton.first if self.skeleton else range(len(self.units))):
            if first < i:
                made.append(made[first])
                self._tasks[i] = self._tasks[first]
                if self.units[i].is_gemm:
                    name, known = (self.units[u].operators[0].name for u in (i, first))
                    self.tilings[name] = self.tilings[known]
                continue
            programs = self._unit_programs(i, self._shares(self.units[i]), bones.edges)
            self._add_control(i, programs, bones.edges, bones.weights)
            made.append(programs)
        return made

    # -- one unit --------------------------------------------------------------------------------------------------
    def _is_linear(self, unit: Unit) -> bool:
        return self.trace.is_linear(unit.operators[0])

    def _shares(self, unit: Unit) -> list[tuple[Group, Operator]]:
        if not unit.is_gemm:
            return []
        op = oriented(self.trace, unit.operators[0], self.arch)
        return list(self.mapping.share(op, self._is_linear(unit)))

    def _finishers(self, i: int, shares: Sequence[tuple[Group, Operator]]) -> tuple[str, ...]:
        """The processes whose last item completes the unit."""
        copied = self.residency.copied[i]
        if not shares:
            return ("dpu.out.ack" if copied else "dpu.write",)
        return tuple(group.part("dma.out.ack" if copied else "drain") for group, _ in shares)

    def _unit_programs(
        self, i: int, shares: Sequence[tuple[Group, Operator]], edges: Edges
    ) -> dict[str, Program]:
        unit = self.units[i]
        if not unit.is_gemm:
            return dict(self._vector(i, unit, edges))
        programs: dict[str, Program] = {}
        for group, op in shares:
            for kind, program in self._gemm(i, unit, group, op, edges).items():
                programs[group.part(kind)] = program
        return programs

    def _gemm(self, i: int, unit: Unit, group: Group, op: Operator, edges: Edges) -> dict[str, Program]:
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
        self.tilings.setdefault(unit.operators[0].name, tiling)
        task = GemmTask(
            tiling=tiling,
            places=places,
            m1_go="prefetch" if self._is_linear(unit) else "go",
            spilled=self.residency.spilled[i],
            done=edges.done(i, group.part("dma.out.ack" if places.copied else "drain")),
            pass_done=edges.pass_done(i),
            pass_needs=edges.pass_needs(i),
            m1_after=edges.handoff_needs(i, group.name, "m1"),
            m2_after=edges.handoff_needs(i, group.name, "m2"),
            hands_over=edges.handoff_gives(i, group.name),
        )
        self._tasks[i][group.name] = task
        return self._cached(task, lambda: gemm_programs(task, self.arch, self.builder), group.ring_share)

    def _vector(self, i: int, unit: Unit, edges: Edges) -> dict[str, Program]:
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
        self._tasks[i][""] = task
        return self._cached(task, lambda: vector_programs(task, self.arch, self.builder))

    def _read_ahead(self, operator: Operator) -> int:
        """Elements that an opaque operator reads beyond those that it writes."""
        if operator.kind is not Kind.OPAQUE:
            return 0
        return max(0, sum(self.trace.tensors[name].elements for name in operator.reads) - operator.elements)

    def _cached(
        self, task: GemmTask | VectorTask, make: Callable[[], dict[str, Program]], ring_share: int = 1
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

    def _take_turns(
        self, first: int, second: int, made: Sequence[dict[str, Program]], ends: Mapping[str, list[int]]
    ) -> None:
        """Merges the programs of two GEMMs, pass by pass; the first unit holds the merged ones."""
        tasks = [
            task for u in (first, second) for task in self._tasks[u].values() if isinstance(task, GemmTask)
        ]
        if len(tasks) != 2 or not _same_passes(tasks[0].tiling, tasks[1].tiling):
            return
        self._turns[first] = self._turns[second] = first, second
        (name,) = self._tasks[first]
        group = next(group for group in self.mapping.groups if group.name == name)
        passes = [gemm_passes(task, self.arch, self.builder) for task in tasks]
        count = tasks[0].tiling.heads * tasks[0].tiling.passes
        idle = [(count, self.builder.empty)]
        for kind in dict.fromkeys([*passes[0], *passes[1]]):
            name = group.part(kind)
            merged = interleave(
                passes[0].get(kind, idle), passes[1].get(kind, idle), self.arch.controller.lag, self.builder
            )
            before = ends[name][first - 1] if first else 0
            made[first][name] = merged.program
            made[second].pop(name, None)
            # the units between have no work for this process: for it they end where the first does
            ends[name][first:second] = [before + merged.first_ends] * (second - first)

    # -- the controller --------------------------------------------------------------------------------------------
    def _add_control(
        self, i: int, programs: dict[str, Program], edges: Edges, weights: Mapping[int, int]
    ) -> None:
        """`weights`: of each unit that is a linear layer, which of them it is."""
        ahead = self.arch.controller.prefetch
        takes_go = tuple(name for name in programs if self._takes_go(i, name))
        prefetch = 0
        if i in weights:
            prefetch = int(not ahead or weights[i] + ahead < len(weights))
        issue = Issue(edges.issue_needs(i), self.residency.claims[i], takes_go, prefetch)
        programs["controller"] = self.builder.leaf(issue)
        programs["retire"] = self.builder.leaf(Retire(edges.retire_needs(i), self.residency.frees[i]))

    def _takes_go(self, i: int, process: str) -> bool:
        group, _, rest = process.partition(".")
        kind = rest if group in self._group_names else process
        if kind == "dma.m1":
            return not self._is_linear(self.units[i])
        return kind in TAKES_GO

    # -- all of them -----------------------------------------------------------------------------------------------
    def _join(self, made: Sequence[Mapping[str, Program]], cover: Sequence[Stretch]) -> dict[str, Program]:
        b = self.builder
        joined: dict[str, Program] = {}
        for name in dict.fromkeys(name for programs in made for name in programs):
            parts = []
            for start, length, count in cover:
                body = b.seq(*(made[i].get(name, b.empty) for i in range(start, start + length)))
                parts.append(b.repeat(count, body))
            joined[name] = b.seq(*parts)
        return joined


def _signature(programs: Mapping[str, Program]) -> tuple[tuple[str, int], ...]:
    return tuple((name, id(program)) for name, program in sorted(programs.items()))


def _ends(made: Sequence[Mapping[str, Program]]) -> dict[str, list[int]]:
    names = dict.fromkeys(name for programs in made for name in programs)
    sizes = {name: [0] * len(made) for name in names}
    for i, programs in enumerate(made):
        for name, program in programs.items():
            sizes[name][i] = program.size
    return {name: list(accumulate(column)) for name, column in sizes.items()}


def _same_passes(one: Tiling, other: Tiling) -> bool:
    """Whether two GEMMs have the same row passes, each done in one outer panel."""
    passes = [(t.heads, t.rows_a_pass, t.passes, t.last_rows, len(t.outer)) for t in (one, other)]
    return passes[0] == passes[1] and len(one.outer) == 1
