"""The clock: SimPy's event loop, with the two phases of a tick and all that the machine remembers in plain sight.

A tick is settled first: what ends at it ends, and what follows without spending time happens, in the order of its causes.
Then ports arbitrate, one after another, and what follows from that is settled again.

What folding needs to know is held here and nowhere else: the state of each part, integer registers (tokens, turns), deadlines
(the only absolute times), the requests at the ports, the event heap and where each generator stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import PENDING, Event

from lsim.errors import Deadlock, InputError
from lsim.kernel.fold import Folder
from lsim.kernel.garbage import collected_when_asked
from lsim.kernel.labels import Kind, Label, Labels
from lsim.kernel.log import Log

NORMAL = 1


class Wake(Event):
    """An event that belongs to somebody: what folding tells events of the same tick apart by."""

    _value: Any = PENDING
    _ok = True

    def __init__(self, env: Environment, owner: object) -> None:
        self.env = env
        self.callbacks: Any = []
        self.owner = owner


class Walk(simpy.Process):
    """A SimPy process whose events are all still to come when it waits for them, and never fail: it is resumed with less ado.

    An error goes straight to whoever runs the simulation.
    """

    def __init__(self, env: Environment, generator: Any) -> None:
        super().__init__(env, generator)
        self._send, self._go_on = generator.send, self._resume  # bound once, not at each event

    def _resume(self, _: Event) -> None:
        try:
            self._send(None).callbacks.append(self._go_on)
        except StopIteration:
            self._value = None  # it is not alive any more


class Environment(simpy.Environment):
    """A SimPy environment in which time is an int and periods can be folded."""

    _now: int

    def __init__(self, fold: bool = True) -> None:
        super().__init__()
        self.labels = Labels()
        self.log = Log()
        self._write = self.log.latest.extend
        self.soon: deque[Wake] = deque()  # events of this tick, in the order in which they were caused
        self.asked: list[Any] = []  # ports that arbitrate when the tick is settled
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

    def fire(self, event: Wake, delay: int = 0) -> None:
        """Lets an event happen `delay` ticks from now."""
        event._value = None
        if delay:
            heappush(self._queue, (self._now + delay, NORMAL, next(self._eid), event))  # type: ignore[misc]
        else:
            self.soon.append(event)

    def is_last_of_tick(self) -> bool:
        """Whether nothing else is left to happen at this tick."""
        return not (self.soon or self.asked) and (not self._queue or self._queue[0][0] > self._now)

    def run_to_end(self) -> int:
        """Runs until nothing is left to happen; the tick at which the last program was done. Raises `Deadlock` if one is not."""
        with collected_when_asked():
            while self._run(4096):
                self._store()
                if self.progress is not None:
                    self.progress()
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

    def _run(self, most: int) -> int:
        """Handles at most so many events; how many it handled."""
        queue, soon, asked, events = self._queue, self.soon, self.asked, 0
        while events < most:
            events += 1
            if (soon or asked) and not (queue and queue[0][0] <= self._now):
                if not soon:
                    asked.pop(0).arbitrate()
                    continue
                event: Any = soon.popleft()
            elif queue:
                self._now, _, _, event = heappop(queue)  # type: ignore[assignment]
            else:
                events -= 1
                break
            callbacks, event.callbacks = event.callbacks, None
            for callback in callbacks:
                callback(event)
        self.events += events
        return events

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
