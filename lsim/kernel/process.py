"""A part that acts: one SimPy process with a program, and the verbs it acts through.

Verbs advance time, wait, and write the log; a process has no statistics and no memory of its own beyond the item in hand.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import cache
from typing import Any

from lsim.kernel.cursor import Cursor
from lsim.kernel.environment import Environment, Wake, Walk
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.program import Program, Seq
from lsim.kernel.tokens import Channel

SPENDING = -2  # the site of a process that waits for nobody

Run = Generator[Wake, None, None]
Wait = tuple[Wake, ...]
"""What a verb answers, to be passed on with `yield from`: the event to wait for, or nothing where there is no need."""

NO_WAIT: Wait = ()
Amounts = tuple[tuple[str, int], ...]


class Process:
    """A named part that walks a program. Subclasses write `work(item)`: what is done for one item."""

    remembers: tuple[str, ...] = ()  # methods whose answers are kept for the life of the process
    folds = False  # whether the ends of this process's loops are fold points

    def __init__(self, env: Environment, name: str, program: Program) -> None:
        self.env, self.name = env, name
        self.cursor = Cursor(program)
        self.finished = False
        self._write = env.log.latest.extend
        self.index = env.add_part(self, Label(Kind.IDLE, Cause.DONE))
        self.place = len(env.processes)
        env.processes.append(self)
        env.leaves.append(self.cursor.leaf)
        self.generator: Run = self.run()
        for method in self.remembers:
            setattr(self, method, cache(getattr(self, method)))

    def start(self) -> None:
        Walk(self.env, self.generator)

    def work(self, item: Any) -> Run:
        """What is done for one item of the program."""
        raise NotImplementedError

    def counts(self, item: Any) -> tuple[int, ...]:
        """The codes of the states in which an item's amounts are counted, each once for each time the item is done."""
        return ()

    def claims(self, item: Any) -> Amounts:
        """The bytes of room that an item takes, in this order: (attribute of the process that is the channel, bytes, or 0)."""
        return ()

    def returns(self, item: Any) -> Amounts:
        """The bytes of room that an item gives back, as above."""
        return ()

    def run(self) -> Run:
        cursor, leaves, place, work = self.cursor, self.env.leaves, self.place, self.work
        folder = self.env.folder if self.folds else None
        while cursor.leaf is not None:
            yield from work(cursor.item)
            cursor.advance()
            leaves[place] = cursor.leaf
            if folder is not None and cursor.loop is not None:
                folder.at_loop_end(place, cursor.loop)
        self.finished = True
        self.env.end = self.env._now
        self.enter(self.env.labels.code(Label(Kind.IDLE, Cause.DONE)))

    def enter(self, code: int) -> None:
        """Enters a state now."""
        env = self.env
        env.states[self.index] = code
        self._write((env._now, self.index, code, self.cursor.n))

    def take(self, channel: Channel, count: int = 1) -> Wait:
        """Takes tokens, waiting until there are enough."""
        if channel.try_take(count):
            return NO_WAIT
        self.enter(channel.code)
        return (channel.wait(self.index, count),)

    def spend(self, ticks: int, code: int) -> Wait:
        """Is busy for a while."""
        self.enter(code)
        if not ticks:
            return NO_WAIT
        env = self.env
        env.sites[self.index] = SPENDING
        wake = Wake(env, self.index)
        env.fire(wake, ticks)
        return (wake,)

    def busy(self, cause: Cause, *amounts: tuple[str, int]) -> int:
        """The code of a busy state."""
        return self.env.labels.code(Label(Kind.BUSY, cause, amounts=amounts))


class Servant(Process):
    """A process without a program: it does the same for whoever asks, for ever."""

    def __init__(self, env: Environment, name: str) -> None:
        super().__init__(env, name, Seq(()))
        self.finished = True

    def serve(self) -> Run:
        """What is done once."""
        raise NotImplementedError

    def run(self) -> Run:
        while True:
            yield from self.serve()
