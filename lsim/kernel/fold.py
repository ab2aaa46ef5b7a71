"""Exact folding of periodic behaviour.

A deterministic machine that returns to a state it was in, with the same work ahead, does again what it did in between.
At the end of each iteration of each loop of a folding process the state is compared with one anchor a loop; on a match the
clock, positions and log are advanced by as many periods as every program still repeats. No approximation is made: what
differs in any way that the machine could notice is a different state or a different item of work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsim.kernel.log import Fold

if TYPE_CHECKING:
    from lsim.kernel.environment import Environment


class Anchor:
    """A state of the machine to compare later ones with."""

    __slots__ = ("age", "cut", "deep", "keep", "leaves", "now", "positions", "registers", "start", "states")

    def __init__(self, env: Environment, start: int, keep: int) -> None:
        self.start, self.keep, self.age = start, keep, 0
        self.now = env._now
        self.states = env.states[:]
        self.registers = env.registers[:]
        self.leaves = env.leaves[:]
        self.deep = deep_state(env)
        self.positions = [p.cursor.n for p in env.processes]
        self.cut = env.log.cut(env._now)

    def matches(self, env: Environment) -> bool:
        return (
            self.states == env.states
            and self.registers == env.registers
            and self.leaves == env.leaves
            and self.deep == deep_state(env)
        )


def deep_state(env: Environment) -> tuple[Any, ...]:
    """What the lists of states and registers do not hold, relative to now."""
    now = env._now
    heap = [(t - now, priority, getattr(event, "owner", None)) for t, priority, _, event in sorted(env._queue, key=_when)]  # type: ignore[attr-defined]
    return (
        heap,
        [max(0, t - now) for t in env.deadlines],
        [port.state(now) for port in env.ports],
        [where(process.generator) for process in env.processes],
    )


def _when(entry: tuple[int, int, int, object]) -> tuple[int, int, int]:
    return entry[:3]


def where(generator: Any) -> tuple[int, ...]:
    """Where a generator stands, through `yield from`."""
    at = []
    while generator is not None and getattr(generator, "gi_frame", None) is not None:
        at.append(generator.gi_frame.f_lasti)
        generator = generator.gi_yieldfrom
    return tuple(at)


class Folder:
    """The anchors of a run: a stack for each folding process, one anchor for each of its nested loops."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.folds = 0
        self._stacks: dict[int, dict[int, Anchor]] = {}

    def at_loop_end(self, process: int, depth: int, start: int) -> None:
        """An iteration of a loop of this process ended: fold if the state recurs, else mind the anchor.

        `depth` is the loop's depth in the program and `start` the position at which the loop began.
        """
        stack = self._stacks.setdefault(process, {})
        for inner in [d for d in stack if d > depth]:
            del stack[inner]
        anchor = stack.get(depth)
        if anchor is not None and anchor.start != start:
            anchor = None
        if anchor is None:
            stack[depth] = Anchor(self.env, start, 1)
            return
        if anchor.matches(self.env) and self._fold(anchor):
            del stack[depth]
            return
        anchor.age += 1
        if anchor.age >= anchor.keep:  # Brent: anchors at doubling distances find any period
            stack[depth] = Anchor(self.env, start, 2 * anchor.keep)

    def _fold(self, anchor: Anchor) -> bool:
        env = self.env
        steps = [p.cursor.n - n for p, n in zip(env.processes, anchor.positions, strict=True)]
        limits = [p.cursor.repeats(p.cursor.n - s, s) for p, s in zip(env.processes, steps, strict=True) if s]
        count = min(limits, default=0)
        if count < 1:
            return False
        period = env._now - anchor.now
        by_part = [0] * len(env.parts)
        for process, step in zip(env.processes, steps, strict=True):
            by_part[process.index] = step
        env.log.fold(env._now, Fold(anchor.cut, count, period, tuple(by_part)))
        self._shift(count * period)
        for process, step in zip(env.processes, steps, strict=True):
            if step:
                process.cursor.skip(count * step)
        self.folds += 1
        return True

    def _shift(self, ticks: int) -> None:
        env = self.env
        env._now += ticks
        env._queue = [(t + ticks, priority, eid, event) for t, priority, eid, event in env._queue]
        env.deadlines = [t + ticks for t in env.deadlines]
        for port in env.ports:
            port.shift(ticks)
