"""Exact folding of periodic behaviour.

A deterministic machine that returns to a state it was in, with the same work ahead, does again what it did in between.
At the ends of iterations of the loops of a folding process the state is compared with earlier ones; on a match the clock,
positions and log are advanced by as many periods as every program still repeats. No approximation is made: what
differs in any way that the machine could notice is a different state or a different item of work.

One thing may differ: how many tokens lie in a `Pile` that nobody took from nor waits at. As nobody looked, nothing that
happened depends on it; it grows by as much in each period.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from lsim.kernel.cursor import Cursor, Loop
from lsim.kernel.log import Fold

if TYPE_CHECKING:
    from lsim.kernel.environment import Environment
    from lsim.kernel.tokens import Pile


WORTH_AN_ANCHOR = 12
"""Items of an iteration from which it is compared with the one before it: for less, the comparison costs more than it saves."""


PERIODS_KEPT = 4
"""Known periods of one loop."""


class Anchor:
    """A state of the machine to compare later ones with."""

    __slots__ = ("cut", "deep", "leaves", "now", "positions", "registers", "sites", "states", "taken")

    def __init__(self, env: Environment) -> None:
        self.now = env._now
        self.states = env.states[:]
        self.registers = env.registers[:]
        self.sites = env.sites[:]
        self.taken = [pile.taken for pile in env.piles]
        self.leaves = env.leaves[:]
        self.deep = deep_state(env)
        self.positions = [p.cursor.n for p in env.processes]
        self.cut = env.log.cut(env._now)

    def untouched(self, env: Environment) -> list[Pile]:
        """The piles that nobody has taken from since, nor waits at."""
        return [
            p for p, taken in zip(env.piles, self.taken, strict=True) if p.taken == taken and not p.waited_on
        ]

    def matches(self, env: Environment, untouched: Iterable[Pile] = ()) -> bool:
        """Whether the machine is in this state, but for the counts of some piles."""
        return (
            self.states == env.states
            and self.leaves == env.leaves
            and self.sites == env.sites
            and self._registers_match(env, untouched)
            and self.deep == deep_state(env)
        )

    def _registers_match(self, env: Environment, untouched: Iterable[Pile]) -> bool:
        if self.registers == env.registers:
            return True
        registers = self.registers[:]
        for pile in untouched:
            registers[pile.index] = env.registers[pile.index]
        return registers == env.registers


class Anchors:
    """Those of one loop: `start` is the position at which it began."""

    __slots__ = ("age", "first", "keep", "last", "start")

    def __init__(self, start: int, anchor: Anchor) -> None:
        self.start, self.first, self.last = start, anchor, anchor
        self.age, self.keep = 0, 1

    def all(self) -> tuple[Anchor, ...]:
        return (self.last,) if self.last is self.first else (self.last, self.first)

    def renew(self, anchor: Anchor) -> None:
        self.first = self.last = anchor
        self.age, self.keep = 0, 2 * self.keep


def deep_state(env: Environment) -> tuple[Any, ...]:
    """What the lists of states and registers do not hold, relative to now."""
    now = env._now
    heap = [(t - now, getattr(event, "owner", None)) for t, _, _, event in sorted(env._queue, key=_when)]
    return (
        heap,
        [event.owner for event in env.soon],
        [port.index for port in env.asked],
        [max(0, t - now) for t in env.deadlines],
        [port.state(now) for port in env.ports],
    )


Moves = list[tuple[Cursor, int, int]]
"""(cursor, where the period before began, its length) of each program that moved."""


def _periods_ahead(moves: Moves) -> int:
    """How many more periods all programs repeat."""
    limits = sorted((cursor.repeats(start, step), i) for i, (cursor, start, step) in enumerate(moves))
    known: list[int] = []
    # The tightest first: each may reach over its loop's end, but need not beyond what is known.
    for limit, i in limits:
        bound = min(known, default=limits[-1][0] + 2)
        cursor, start, step = moves[i]
        known.append(limit if limit >= bound else cursor.repeats_beyond(start, step, bound))
        if not known[-1]:
            return 0
    return min(known, default=0)


def _when(entry: Any) -> Any:
    return entry[:3]


@frozen
class Period:
    """A period that was folded before: from the anchor's state to the same state, `ticks` later.

    `untouched`: piles that nobody took from or waited at meanwhile; `growth`: the tokens each got.
    """

    anchor: Anchor
    last: int
    ticks: int
    steps: tuple[int, ...]
    untouched: tuple[Pile, ...]
    growth: tuple[int, ...]

    def recurs(self, env: Environment) -> bool:
        """Whether the machine is where this period began."""
        return self.anchor.matches(env, [pile for pile in self.untouched if not pile.waited_on])


class Folder:
    """The anchors of a run: a stack for each folding process, one anchor for each of its nested loops."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.folds = 0
        self._stacks: dict[int, dict[tuple[int, int], Anchors]] = {}
        self._periods: dict[tuple[int, int, int], list[Period]] = {}

    def at_loop_end(self, process: int, loop: Loop) -> None:
        """An iteration of a loop of this process ended: fold if the state recurs, else mind the anchors.

        Two anchors a loop: the iteration before, as most machines settle into one iteration, and one that is set
        anew at doubling distances, which finds any period (Brent). And the periods that the same loop had before: its
        next instance need not show again what is known.
        """
        stack = self._stacks.setdefault(process, {})
        for inner in [key for key in stack if key[0] > loop.depth]:
            del stack[inner]
        key = loop.depth, loop.phase
        anchors = stack.get(key)
        if anchors is not None and anchors.start != loop.start:
            anchors = None
        if self._recurs(process, loop, anchors):
            stack.pop(key, None)
        elif anchors is None:
            stack[key] = Anchors(loop.start, Anchor(self.env))
        else:
            self._renew(anchors, loop)

    def _renew(self, anchors: Anchors, loop: Loop) -> None:
        anchors.age += 1
        if anchors.age >= anchors.keep:
            anchors.renew(Anchor(self.env))
        elif loop.items >= WORTH_AN_ANCHOR:
            anchors.last = Anchor(self.env)

    def _recurs(self, process: int, loop: Loop, anchors: Anchors | None) -> bool:
        """Folds if the state is that of an anchor, or one from which a period is known."""
        env, periods = self.env, self._periods.setdefault((process, loop.body, loop.phase), [])
        for anchor in anchors.all() if anchors else ():
            untouched = anchor.untouched(env)
            if anchor.matches(env, untouched):
                growth = [env.registers[pile.index] - anchor.registers[pile.index] for pile in untouched]
                ticks, steps = env._now - anchor.now, self._steps(anchor)
                period = Period(anchor, len(env.log), ticks, steps, tuple(untouched), tuple(growth))
                if self._fold_anew(period, process, loop):
                    periods.insert(0, period)
                    del periods[PERIODS_KEPT:]
                    return True
        return any(period.recurs(env) and self._fold_known(period, process, loop) for period in periods)

    def _steps(self, anchor: Anchor) -> tuple[int, ...]:
        return tuple(p.cursor.n - n for p, n in zip(self.env.processes, anchor.positions, strict=True))

    def _fold_anew(self, period: Period, process: int, loop: Loop) -> bool:
        """The period has just ended: again, as often as the programs repeat."""
        moves = [
            (p.cursor, p.cursor.n - s, s) for p, s in zip(self.env.processes, period.steps, strict=True) if s
        ]
        return self._fold(period, min(_periods_ahead(moves), self._room(period, process, loop)))

    def _fold_known(self, period: Period, process: int, loop: Loop) -> bool:
        """The period is about to begin, if the work ahead is what it was then."""
        moves = [
            (p.cursor, then, s)
            for p, then, s in zip(self.env.processes, period.anchor.positions, period.steps, strict=True)
            if s
        ]
        if not moves or not all(cursor.equal(then, cursor.n, s + 1) for cursor, then, s in moves):
            return False
        ahead = 1 + _periods_ahead([(cursor, cursor.n, s) for cursor, _, s in moves])
        return self._fold(period, min(ahead, self._room(period, process, loop)))

    def _room(self, period: Period, process: int, loop: Loop) -> int:
        """Periods until the loop ends: not to miss the fold point of the loop around it, which may save more."""
        step = period.steps[process]
        if loop.end is None or not step:
            return 1 << 62
        at: int = self.env.processes[process].cursor.n
        return (loop.end - 1 - at) // step

    def _fold(self, period: Period, count: int) -> bool:
        if count < 1:
            return False
        env, anchor = self.env, period.anchor
        steps, offsets = [0] * len(env.parts), [0] * len(env.parts)
        for process, step, then in zip(env.processes, period.steps, anchor.positions, strict=True):
            steps[process.index], offsets[process.index] = step, process.cursor.n - then
        shift = env._now - anchor.now
        fold = Fold(anchor.cut, period.last, count, period.ticks, shift, tuple(steps), tuple(offsets))
        env.log.fold(env._now, fold)
        self._shift(count * period.ticks)
        for pile, growth in zip(period.untouched, period.growth, strict=True):
            env.registers[pile.index] += count * growth
        for process, step in zip(env.processes, period.steps, strict=True):
            if step:
                process.cursor.skip(count * step)
        self.folds += 1
        return True

    def _shift(self, ticks: int) -> None:
        env = self.env
        env._now += ticks
        env._queue[:] = [(t + ticks, priority, eid, event) for t, priority, eid, event in env._queue]
        env.deadlines = [t + ticks for t in env.deadlines]
        for port in env.ports:
            port.shift(ticks)
