"""The plan of a run: a program for every process, from a trace, an arch and the policies.

Units are planned one by one; those that repeat (the layers of a model) get equal programs, which the builder interns and
which are then folded into repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import accumulate

from attrs import evolve, frozen

from lsim.arch import Arch
from lsim.kernel.program import Program
from lsim.plan.again import Skeleton
from lsim.plan.edges import link
from lsim.plan.gemm import GemmTask, gemm_passes
from lsim.plan.interleave import chains
from lsim.plan.items import Edge
from lsim.plan.mappings import Group, mapping
from lsim.plan.residency import Residency, plan_residency
from lsim.plan.tiling import Tiling
from lsim.plan.turns import interleave
from lsim.plan.units import Unit, fuse
from lsim.plan.vector import VectorTask
from lsim.plan.work import Cache, Work
from lsim.trace import Trace
from lsim.trace.structure import Piece as Stretch
from lsim.trace.structure import repeats


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
        self.cache, self.builder = cache, cache.builder
        skeleton = cache.skeleton
        grown = skeleton and skeleton.grown(trace, arch)
        self.skeleton = skeleton if grown else None
        self.units = grown[0] if grown else fuse(trace)
        self.residency = grown[1] if grown else plan_residency(trace, self.units, arch)
        self.work = Work(trace, arch, self.mapping, self.units, self.residency, cache)
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
            tilings=self.work.tilings,
            participants=bones.finishers,
            tasks=self.work.tasks,
            turns=self._turns,
        )

    def _bones(self) -> Skeleton:
        """What a plan begins with."""
        finishers = tuple(self.work.finishers(i) for i in range(len(self.units)))
        chunked = self.deps is Deps.CHUNKED
        edges = link(self.trace, self.units, finishers, self.residency, chunked, self.mapping, self.arch)
        linear = (i for i, unit in enumerate(self.units) if unit.is_gemm and self.work.is_linear(unit))
        weights = {i: number for number, i in enumerate(linear)}
        return Skeleton(self.trace, self.units, self.residency, edges, finishers, weights)

    def _unit_by_unit(self, bones: Skeleton) -> list[dict[str, Program]]:
        """The programs of each unit; those of units that are alike are made once."""
        made: list[dict[str, Program]] = []
        for i, first in enumerate(self.skeleton.first if self.skeleton else range(len(self.units))):
            if first < i:
                self.work.as_before(i, first)
                made.append(made[first])
            else:
                made.append(self.work.programs(i, bones.edges, bones.weights))
        return made

    def _take_turns(
        self, first: int, second: int, made: Sequence[dict[str, Program]], ends: Mapping[str, list[int]]
    ) -> None:
        """Merges the programs of two GEMMs, pass by pass; the first unit holds the merged ones."""
        tasks = [
            task
            for u in (first, second)
            for task in self.work.tasks[u].values()
            if isinstance(task, GemmTask)
        ]
        if len(tasks) != 2 or not _same_passes(tasks[0].tiling, tasks[1].tiling):
            return
        self._turns[first] = self._turns[second] = first, second
        (name,) = self.work.tasks[first]
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
