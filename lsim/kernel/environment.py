"""The clock: SimPy's event loop, with all that the machine remembers in plain sight.

What folding needs to know is held here and nowhere else: the state of each part, integer registers (tokens, turns), deadlines
(the only absolute times), the requests at the ports, the event heap and where each generator stands.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import PENDING, Event

from lsim.errors import Deadlock, InputError
from lsim.kernel.fold import Folder
from lsim.kernel.labels import Kind, Label, Labels
from lsim.kernel.log import Log

NORMAL = 1
LATE = 2  # after everything else of the tick: ports decide when all requests of the tick are in


class Wake(Event):
    """An event that belongs to somebody: what folding tells events of the same tick apart by."""

    def __init__(self, env: Environment, owner: object) -> None:
        self.env = env
        self.callbacks: Any = []
        self._value = PENDING
        self._ok = True
        self.owner = owner


class Environment(simpy.Environment):
    """A SimPy environment in which time is an int and periods can be folded."""

    _now: int

    def __init__(self, fold: bool = True) -> None:
        super().__init__()
        self.labels = Labels()
        self.log = Log()
        self._write = self.log.latest.extend
        self.parts: list[Any] = []  # whoever has a state in the log, in rank order
        self.ports: list[Any] = []
        self.processes: list[Any] = []
        self.states: list[int] = []
        self.registers: list[int] = []
        self.channels: list[Any] = []
        self.piles: list[Any] = []  # of the channels, those whose tokens may pile up
        self.deadlines: list[int] = []
        # where each part waited last: at a channel's register, a port's index, or for time alone (`process.SPENDING`)
        self.sites: list[int] = []
        self.leaves: list[Any] = []  # the leaf in hand of each process
        self.events = 0
        self.end = 0  # when the last process with a program finished it
        self.folder = Folder(self) if fold else None
        self.progress: Callable[[], None] | None = None  # called every few thousand events

    def add_part(self, part: Any, label: Label) -> int:
        """Gives a part its place in the list of parts, which is also its rank in ties."""
        self.parts.append(part)
        self.sites.append(-1)
        self.states.append(self.labels.code(label))
        return len(self.parts) - 1

    def register(self, value: int = 0) -> int:
        """The index of a new integer that a part remembers."""
        self.registers.append(value)
        return len(self.registers) - 1

    def deadline(self) -> int:
        """The index of a new tick that a part remembers: a time in the future, or any in the past."""
        self.deadlines.append(-1)
        return len(self.deadlines) - 1

    def enter(self, part: int, code: int, position: int) -> None:
        """A part enters a state now."""
        self.states[part] = code
        self._write((self._now, part, code, position))

    def fire(self, event: Wake, delay: int = 0, priority: int = NORMAL) -> None:
        """Lets an event happen `delay` ticks from now."""
        event._value = None
        heappush(self._queue, (self._now + delay, priority, next(self._eid), event))  # type: ignore[misc]

    def is_last_of_tick(self) -> bool:
        """Whether nothing else is left to happen at this tick."""
        return not self._queue or self._queue[0][0] > self._now

    def run_to_end(self) -> int:
        """Runs until nothing is left to happen; the tick at which the last program was done. Raises `Deadlock` if one is not."""
        collects = gc.isenabled()
        gc.disable()  # nothing here is garbage in cycles, and looking for it takes a tenth of the time
        try:
            while self._queue:
                self._run(4096)
                self._store()
                if self.progress is not None:
                    self.progress()
        finally:
            if collects:
                gc.enable()
        stuck = [p for p in self.processes if not p.finished]
        if stuck:
            raise self._deadlock(stuck)
        return self.end

    def _store(self) -> None:
        try:
            self.log.store()
        except OverflowError:
            raise InputError(
                f"a run of {self._now} ticks is longer than 2^63, the longest there is"
            ) from None

    def _run(self, most: int) -> None:
        """Handles at most so many events."""
        events = 0
        while self._queue and events < most:  # looked up each time: a fold replaces it
            self._now, _, _, event = heappop(self._queue)  # type: ignore[assignment]
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok:
                raise event._value
            events += 1
        self.events += events

    def _deadlock(self, stuck: list[Any]) -> Deadlock:
        lines = []
        for process in stuck:
            label = self.labels.all[self.states[process.index]]
            target = "nobody" if label.target is None else self.parts[label.target].name
            doing = {
                Kind.BUSY: "is busy and never ends",
                Kind.WAIT: f"waits for {target}",
                Kind.IDLE: f"is idle until {target} gives it work",
            }
            lines.append(
                f"{process.name}, at item {process.cursor.n} of {process.cursor.size}, {doing[label.kind]}"
            )
        return Deadlock(stuck[0].name, self._now, "nothing can happen any more", lines)
