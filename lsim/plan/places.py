"""What an item of a process's program is: of which operator, and where in its loops."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from attrs import frozen

from lsim.kernel.program import Builder
from lsim.plan.gemm import GemmLoops, GemmTask
from lsim.plan.loops import Place
from lsim.plan.schedule import Plan
from lsim.plan.turns import turn_of
from lsim.plan.vector import VectorLoops

CONTROL = ("controller", "retire")
FOLLOWERS = (".land", ".ack")
"""Endings of the names of those who follow a DMA engine."""


@frozen
class Item:
    """One item of work.

    `operator`: whose work it is; of a fused chain the last. `index`, `items`: which of how many items that the process does
    for it, from 0; where the row passes of two operators take turns, of both together. `place`: counters from 0 of the
    loops it stands in, outermost first, as far as it has one place in each: `head`, `outer_panel`, `row_pass`, `inner_panel`,
    `chunk`, and `column_block`, counted over all panels.
    """

    operator: str
    index: int
    items: int
    place: Mapping[str, int]


def program_of(part: str) -> str:
    """The process whose program a part walks: who follows a DMA engine walks its program."""
    for follower in FOLLOWERS:
        part = part.removesuffix(follower)
    return part


def ends_of(plan: Plan, part: str) -> Sequence[int]:
    """The items of its program that a part has done at the end of each unit; none for a part without a program."""
    return plan.ends.get(program_of(part), ())


def unit_at(plan: Plan, part: str, position: int) -> tuple[int, int] | None:
    """The unit of the plan that a part is at after `position` items, and how many of them were of that unit; None at the end,
    and for a part without a program. Of units that take turns, the first."""
    ends = ends_of(plan, part)
    unit = bisect_right(ends, position)
    return (unit, position - (ends[unit - 1] if unit else 0)) if unit < len(ends) else None


def item_at(plan: Plan, part: str, position: int) -> Item | None:
    """The item that a part has in hand when `position` items are done; None at the end, and for a part without a program."""
    at = unit_at(plan, part, position)
    if at is None:
        return None
    unit, process, ends = at[0], program_of(part), ends_of(plan, part)
    control = process in CONTROL
    first, last = (unit, unit) if control else plan.turns.get(unit, (unit, unit))
    begin = ends[first - 1] if first else 0
    index, items = position - begin, ends[last] - begin
    if control:
        return Item(_name(plan, unit), index, items, {})
    group, kind = _group(plan, process)
    if first == last:
        return Item(_name(plan, unit), index, items, _place(plan, unit, group, kind, index))
    whose, place = _turn(plan, (first, last), group, kind, index)
    return Item(_name(plan, whose), index, items, place)


def operators_of(plan: Plan, part: str, unit: int) -> str:
    """The operator of a unit, as a part's program has it; of two that take turns, both."""
    units = (unit,) if part in CONTROL else sorted(set(plan.turns.get(unit, (unit,))))
    return " + ".join(_name(plan, u) for u in units)


def _name(plan: Plan, unit: int) -> str:
    return plan.units[unit].operators[-1].name


def _group(plan: Plan, process: str) -> tuple[str, str]:
    """The tile group that a process belongs to, and its name within."""
    prefix, _, kind = process.partition(".")
    return (prefix, kind) if prefix in {group.name for group in plan.groups} else ("", process)


def _place(plan: Plan, unit: int, group: str, kind: str, index: int) -> dict[str, int]:
    task, builder = plan.tasks[unit][group], Builder()
    if isinstance(task, GemmTask):
        loops = GemmLoops(task, plan.arch, builder)
        return _named(loops, kind, *loops.locate(loops.bodies()[kind], index))
    vector = VectorLoops(task, plan.arch, builder)
    return vector.locate(vector.bodies()[kind], index)


def _turn(plan: Plan, pair: tuple[int, int], group: str, kind: str, index: int) -> tuple[int, dict[str, int]]:
    """Of an item of two units that take turns: whose it is, and its place."""
    builder, tasks = Builder(), [plan.tasks[unit][group] for unit in pair]
    loops = [GemmLoops(task, plan.arch, builder) for task in tasks if isinstance(task, GemmTask)]
    passes = [one.walk_passes(body) if (body := one.bodies().get(kind)) else one.no_passes() for one in loops]
    whose, number, rest = turn_of(passes[0], passes[1], plan.arch.controller.lag, index)
    own = loops[whose]
    return pair[whose], _named(own, kind, *own.locate_in_pass(own.bodies()[kind], number, rest))


def _named(loops: GemmLoops, kind: str, counters: dict[str, int], place: Place, index: int) -> dict[str, int]:
    """The counters down to the inner panel, and those of the loops in it: of a block of the core, a fill of the M1 SRAM."""
    if kind == "m1":
        return {**counters, "chunk": index}
    if kind != "core":
        return counters
    chunk, block = divmod(index, place.blocks)
    block += counters["outer_panel"] * loops.t.outer[0] + counters["inner_panel"] * loops.t.inner
    return {**counters, "chunk": chunk, "column_block": block}
