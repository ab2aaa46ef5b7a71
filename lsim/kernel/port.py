"""Ports: what several parts want at once. Requests queue, an arbitration policy picks, someone waits."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from attrs import define

from lsim.kernel.environment import LATE, Environment, Wake
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.process import Process, Run


class Arbitration(StrEnum):
    """Which request a free server takes; ties go by rank, never by the order the interpreter ran in."""

    FIFO = "fifo"
    ROUND_ROBIN = "round-robin"
    PRIORITY = "priority"


@define
class Request:
    """A request for service: `ticks` of it, or until it is released where `ticks` is None."""

    tick: int
    rank: int
    order: int
    ticks: int | None
    code: int
    wake: Wake
    posted: bool


class Port:
    """`servers` servers in front of one queue. An idle port is busy with nothing; it never waits."""

    def __init__(self, env: Environment, name: str, servers: int = 1, policy: Arbitration = Arbitration.FIFO, idle_cause: Cause = Cause.DONE) -> None:
        self.env, self.name, self.policy = env, name, policy
        self.index = env.add_part(self, Label(Kind.IDLE, idle_cause))
        self._idle = env.states[self.index]
        self.wait_code = env.labels.code(Label(Kind.WAIT, target=self.index))
        self.queue: list[Request] = []
        self.serving: list[tuple[int, int]] = []  # (server, code), in the order of their grants
        self.servers = servers
        self._users = [-1] * servers  # who was served last by each server
        self._free = [True] * servers
        self._last = -1  # rank served last
        self._asked = False
        self._order = 0
        self._busy_codes: dict[tuple[int, bool], int] = {}
        env.ports.append(self)

    # -- what parts do -------------------------------------------------------------------------------------------------
    def serve(self, process: Process, ticks: int, code: int) -> Run:
        """The process waits for its turn, then is busy with `code` for `ticks`."""
        if ticks == 0:
            process.enter(code)
            return
        wake = Wake(self.env, (process.index, self.index))
        self._request(process.index, ticks, code, wake, posted=False)
        process.enter(self.wait_code)
        yield wake

    def post(self, process: Process, ticks: int, code: int, done: Callable[[Any], None]) -> None:
        """Leaves a request and goes on; `done` is called when it has been served."""
        wake = Wake(self.env, (process.index, self.index))
        wake.callbacks.append(done)
        self._request(process.index, ticks, code, wake, posted=True)

    def acquire(self, process: Process, code: int) -> Run:
        """The process waits for a server and holds it until `release`."""
        wake = Wake(self.env, process.index)
        self._request(process.index, None, code, wake, posted=False)
        process.enter(self.wait_code)
        yield wake

    def server_of(self, process: Process) -> int:
        """The server that the process holds."""
        return next(s for s, user in enumerate(self._users) if user == process.index and not self._free[s])

    def release(self, process: Process) -> None:
        """Gives back the server that the process holds."""
        self._end(self.server_of(process))

    # -- how the port decides ------------------------------------------------------------------------------------------
    def _request(self, rank: int, ticks: int | None, code: int, wake: Wake, posted: bool) -> None:
        self._order += 1
        self.queue.append(Request(self.env._now, rank, self._order, ticks, code, wake, posted))
        if True in self._free:
            self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            event = Wake(self.env, self.index)
            event.callbacks.append(self._arbitrate)
            self.env.fire(event, priority=LATE)

    def _arbitrate(self, _: object) -> None:
        self._asked = False
        while self.queue and True in self._free:
            self._grant(self._pick())
        if not self.queue:
            self._order = 0

    def _pick(self) -> Request:
        queue = self.queue
        if len(queue) == 1:
            return queue.pop()
        if self.policy is Arbitration.FIFO:
            best = min(queue, key=lambda r: (r.tick, r.rank, r.order))
        elif self.policy is Arbitration.PRIORITY:
            best = min(queue, key=lambda r: (r.rank, r.tick, r.order))
        else:
            best = min(queue, key=lambda r: (r.rank <= self._last, r.rank, r.tick, r.order))
        queue.remove(best)
        return best

    def _grant(self, request: Request) -> None:
        server = self._server_for(request.rank)
        self._free[server] = False
        self._users[server] = self._last = request.rank
        env = self.env
        if request.ticks is not None:
            request.wake.callbacks.insert(0, lambda _: self._end(server))
            env.fire(request.wake, request.ticks)
        else:
            env.fire(request.wake)
        if not request.posted:
            env.parts[request.rank].enter(request.code)
        self.serving.append((server, request.code))
        self.env.enter(self.index, self._busy_code(request.code, counts=request.posted), 0)

    def _server_for(self, rank: int) -> int:
        """A free server, rather the one that served this rank last."""
        free = [s for s, is_free in enumerate(self._free) if is_free]
        return next((s for s in free if self._users[s] == rank), free[0])

    def _end(self, server: int) -> None:
        self._free[server] = True
        self.serving = [(s, code) for s, code in self.serving if s != server]
        if self.queue:
            self._ask()
        self.env.enter(self.index, self._busy_code(self.serving[0][1], counts=False) if self.serving else self._idle, 0)

    def count(self, code: int) -> None:
        """A posted request that takes no time at all: only what it moves is counted."""
        self.env.enter(self.index, self._busy_code(code, counts=True), 0)
        self.env.enter(self.index, self._idle, 0)

    def _busy_code(self, code: int, counts: bool) -> int:
        """The busy state that says whom the port serves; a posted request's amounts are counted with it."""
        busy = self._busy_codes.get((code, counts))
        if busy is None:
            label = self.env.labels.all[code]
            busy = self.env.labels.code(Label(Kind.BUSY, label.cause, amounts=label.amounts if counts else ()))
            self._busy_codes[code, counts] = busy
        return busy

    # -- what folding sees ---------------------------------------------------------------------------------------------
    def state(self, now: int) -> tuple[Any, ...]:
        queue = sorted(self.queue, key=lambda r: (r.tick, r.rank, r.order))
        return (
            [(r.rank, r.tick == now, r.ticks, r.code) for r in queue],
            self._free[:],
            self._users[:] if self.servers > 1 else None,
            self._last if self.policy is Arbitration.ROUND_ROBIN else 0,
            self.serving[:],
        )

    def shift(self, ticks: int) -> None:
        for request in self.queue:
            request.tick += ticks
