"""Ports: what several parts want at once. Requests queue, an arbitration policy picks, someone waits."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from lsim.errors import LawBroken
from lsim.kernel.environment import LATE, Environment, Wake
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.process import NO_WAIT, Process, Wait


class Arbitration(StrEnum):
    """Which request a free server takes; ties go by rank, never by the order the interpreter ran in."""

    FIFO = "fifo"
    ROUND_ROBIN = "round-robin"
    PRIORITY = "priority"


class Request:
    """A request for `ticks` of service, or until it is released where `ticks` is None."""

    __slots__ = ("code", "order", "posted", "rank", "tick", "ticks", "wake")

    def __init__(
        self, tick: int, rank: int, order: int, ticks: int | None, code: int, wake: Wake, posted: bool
    ) -> None:
        self.tick, self.rank, self.order = tick, rank, order
        self.ticks, self.code, self.wake, self.posted = ticks, code, wake, posted


def _arrival(request: Request) -> tuple[int, int, int]:
    return request.tick, request.rank, request.order


class Port:
    """`servers` servers in front of one queue. An idle port is busy with nothing; it never waits."""

    def __init__(
        self,
        env: Environment,
        name: str,
        servers: int = 1,
        policy: Arbitration = Arbitration.FIFO,
    ) -> None:
        self.env, self.name, self.policy = env, name, policy
        self.index = env.add_part(self, Label(Kind.IDLE, Cause.DONE))
        self._idle = env.states[self.index]
        self.wait_code = env.labels.code(Label(Kind.WAIT, target=self.index))
        self.queue: list[Request] = []
        self.servers = self._free = servers
        self.serving: list[tuple[int, int]] = []  # (rank, code) in the order of their grants
        self._last = -1  # rank granted last
        self._asked = False
        self._order = 0
        self._shown: dict[int, int] = {}  # code of a request → the port's while it serves it
        self._counted: dict[int, int] = {}  # the same for posted requests, whose amounts the port counts
        self._callback = self._served
        env.ports.append(self)

    # -- what parts do -------------------------------------------------------------------------------------------------
    def serve(self, process: Process, ticks: int, code: int) -> Wait:
        """The process waits for its turn, then is busy with `code` for `ticks`."""
        if ticks == 0:
            process.enter(code)
            return NO_WAIT
        env = self.env
        wake = Wake(env, (process.index, self.index))
        wake.callbacks.append(self._callback)
        request = Request(env._now, process.index, 0, ticks, code, wake, False)
        env.sites[process.index] = self.index
        if self._free and not self.queue and env.is_last_of_tick():
            self._grant(request)
        else:
            process.enter(self.wait_code)
            self._add(request)
        return (wake,)

    def post(self, process: Process, ticks: int, code: int, done: Callable[[Any], None]) -> None:
        """Leaves a request and goes on; `done` is called when it has been served."""
        wake = Wake(self.env, (process.index, self.index))
        wake.callbacks += (self._callback, done)
        self._add(Request(self.env._now, process.index, 0, ticks, code, wake, True))

    def acquire(self, process: Process, code: int) -> Wait:
        """The process waits for a server and holds it until `release`."""
        env = self.env
        wake = Wake(env, (process.index, self.index))
        env.sites[process.index] = self.index
        process.enter(self.wait_code)
        self._add(Request(env._now, process.index, 0, None, code, wake, False))
        return (wake,)

    def release(self, process: Process) -> None:
        """Gives back the server that the process holds."""
        self._end(process.index)

    def count(self, code: int) -> None:
        """A posted request that takes no time at all: only what it moves is counted."""
        self.env.enter(self.index, self._busy_code(code, counts=True), 0)
        self.env.enter(self.index, self._idle, 0)

    # -- how the port decides ------------------------------------------------------------------------------------------
    def _add(self, request: Request) -> None:
        self._order = request.order = self._order + 1
        self.queue.append(request)
        if self._free:
            self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            event = Wake(self.env, self.index)
            event.callbacks.append(self._arbitrate)
            self.env.fire(event, priority=LATE)

    def _arbitrate(self, _: object) -> None:
        self._asked = False
        while self.queue and self._free:
            self._grant(self._pick())
        if not self.queue:
            self._order = 0

    def _pick(self) -> Request:
        queue = self.queue
        if len(queue) == 1:
            return queue.pop()
        if self.policy is Arbitration.FIFO:
            best = min(queue, key=_arrival)
        elif self.policy is Arbitration.PRIORITY:
            best = min(queue, key=lambda r: (r.rank, r.tick, r.order))
        else:
            best = min(queue, key=lambda r: (r.rank <= self._last, r.rank, r.tick, r.order))
        queue.remove(best)
        return best

    def _grant(self, request: Request) -> None:
        env, rank, code = self.env, request.rank, request.code
        self._free -= 1
        self._last = rank
        env.fire(request.wake, request.ticks or 0)
        if not request.posted:
            env.parts[rank].enter(code)
        self.serving.append((rank, code))
        if len(self.serving) > self.servers:
            raise LawBroken(
                self.name, env._now, f"serves {len(self.serving)} at once and has {self.servers} servers"
            )
        shown = self._counted if request.posted else self._shown
        whom = code if request.posted else self.serving[0][1]  # who came first stands for all that are served
        busy = shown.get(whom)
        if busy is None:
            busy = shown[whom] = self._busy_code(whom, counts=request.posted)
        env.enter(self.index, busy, 0)

    def _served(self, wake: Any) -> None:
        self._end(wake.owner[0])

    def _end(self, rank: int) -> None:
        self._free += 1
        if len(self.serving) == 1:
            self.serving.clear()
            self.env.enter(self.index, self._idle, 0)
        else:
            self.serving.remove(next(entry for entry in self.serving if entry[0] == rank))
            self.env.enter(self.index, self._busy_code(self.serving[0][1], counts=False), 0)
        if self.queue:
            self._next()

    def _next(self) -> None:
        """A server is free: what came first in an earlier tick need not wait for what else this tick may bring.

        One who is to hold the server does wait: what it finds of the others' servers depends on who else releases now.
        """
        if self.policy is Arbitration.FIFO and not self._asked:
            first = min(self.queue, key=_arrival) if len(self.queue) > 1 else self.queue[0]
            if first.ticks is not None and first.tick < self.env._now:
                self.queue.remove(first)
                self._grant(first)
                return
        self._ask()

    def _busy_code(self, code: int, counts: bool) -> int:
        """The busy state that says whom the port serves; a posted request's amounts are counted with it."""
        label = self.env.labels.all[code]
        return self.env.labels.code(Label(Kind.BUSY, label.cause, amounts=label.amounts if counts else ()))

    # -- what folding sees ---------------------------------------------------------------------------------------------
    def state(self, now: int) -> tuple[Any, ...]:
        queue = sorted(self.queue, key=_arrival)
        return (
            [(r.rank, r.tick == now, r.ticks, r.code) for r in queue],
            self.serving[:],
            self._last if self.policy is Arbitration.ROUND_ROBIN else 0,
        )

    def shift(self, ticks: int) -> None:
        for request in self.queue:
            request.tick += ticks
