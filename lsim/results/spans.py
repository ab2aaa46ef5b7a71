"""Which stretch of a run each operator takes: two answers, one that adds up and one that overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from attrs import frozen

from lsim.kernel.labels import Kind
from lsim.plan.schedule import Deps
from lsim.results.folded import Ints
from lsim.results.positions import reached
from lsim.results.result import Result
from lsim.results.series import part_ticks
from lsim.results.states import COLUMNS, FIRST_COLUMNS, States


@frozen
class Span:
    """One unit of a run: an operator, or a chain of them fused into one program.

    `issued`: when the controller begins to issue it. `own`: from when the parts that compute it have nothing earlier to do; while
    row passes of operators take turns (`chunked`) it is `issued`. `end`: its last result is in place. `before`, `retired`: when
    the operators before it in the trace, and when it has retired too; the run is cut at these ticks without gaps.
    """

    name: str
    kind: str
    macs: int
    issued: int
    own: int
    end: int
    before: int
    retired: int

    @property
    def prolongs(self) -> int:
        """Ticks by which the operator makes the run longer."""
        return self.retired - self.before

    @property
    def ticks(self) -> int:
        """Ticks that the operator has its cores for itself, until its last result is in place."""
        return self.end - self.own


def spans(result: Result) -> tuple[Span, ...]:
    """The units of a run in the order of its trace."""
    found, retired, free = [], 0, _free(result)
    for u, unit in enumerate(result.plan.units):
        run, before = result.operators[unit.first], retired
        retired = max(retired, run.end)
        own = run.start if result.options["deps"] == Deps.CHUNKED else max(run.start, free[u])
        name = " + ".join(operator.name for operator in unit.operators)
        macs = sum(operator.macs for operator in unit.operators)
        found.append(Span(name, unit.operators[0].kind.value, macs, run.start, own, run.end, before, retired))
    return tuple(found)


def _free(result: Result) -> list[int]:
    """Of each unit, when the first of the parts that compute it was done with what came before; 0 where its items lie with those
    of an operator that it takes turns with."""
    plan, log = result.plan, result.log
    gemms = np.array([unit.is_gemm for unit in plan.units], dtype=bool)
    computing = [*((group.part("core"), gemms) for group in plan.groups), ("dpu.lanes", ~gemms)]
    free = np.full(len(gemms), log.end)
    found = np.zeros_like(gemms)
    for part, kind in computing:
        if part in plan.ends:
            ends = np.array(plan.ends[part], dtype=np.int64)
            before = ends - np.diff(ends, prepend=0)
            mine = kind & (ends > before)
            later = mine & (before > 0)
            free[mine & ~later] = 0
            free[later] = np.minimum(free[later], reached(log, log.parts.index(part), before[later]))
            found |= mine
    free[~found] = 0
    ticks: list[int] = free.tolist()
    return ticks


def tile_ticks(result: Result, tile: int, begins: Sequence[int], ends: Sequence[int]) -> Ints:
    """(stretches, `COLUMNS`): ticks of a tile in each stretch [begin, end); stretches may overlap.

    Busy is within a block, whatever the block's ticks are spent on; waiting and idle ticks go to their root cause, as in
    `Result.tiles`.
    """
    if not begins or not result.ticks:
        return np.zeros((len(begins), len(COLUMNS)), dtype=np.int64)
    groups = [group for group in result.plan.groups if tile in group.tiles]
    cores = tuple(result.log.parts.index(group.part("core")) for group in groups)
    cuts, place = np.unique(np.array([begins, ends], dtype=np.int64), return_inverse=True)
    low, high = place.reshape(2, -1)
    (columns,) = part_ticks(_TileStates(result.log, cores), [0], cuts)
    ticks = np.stack([columns[name] for name in COLUMNS], axis=1)
    before = np.concatenate([np.zeros((1, len(COLUMNS)), np.int64), np.cumsum(ticks, axis=0)])
    spent: Ints = before[high] - before[low]
    return spent


@frozen(eq=False)
class _TileStates(States):
    """The states of the machine as a tile sees them: one column, that of whichever of its `cores` speaks for it."""

    cores: tuple[int, ...]

    @cached_property
    def columns(self) -> Ints:
        lines, speaker = np.arange(len(self.rows)), self.speaker(self.cores)
        waiting = len(FIRST_COLUMNS) + self.causes[lines, speaker]
        return np.where(self.kinds[lines, speaker] == Kind.BUSY, 0, waiting)[:, None]
