"""Ports: what several parts want at once. Requests queue, an arbitration policy picks, servers serve, someone waits."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from lsim.errors import LawBroken
from lsim.kernel.environment import Environment, Wake
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.process import NO_WAIT, Process, Wait
from lsim.kernel.server import Server


class Arbitration(StrEnum):
    """Which request a free server takes; ties go by rank, never by the order the interpreter ran in."""

    FIFO = "fifo"
    ROUND_ROBIN = "round-robin"
    PRIORITY = "priority"


class Request(Wake):
    """A request for `ticks` of service, or for a server until it is released where `ticks` is None.

    It happens when it has been served, or, if it holds its server, when it has got it.
    """

    def __init__(
        self, env: Environment, port: int, rank: int, ticks: int | None, code: int, posted: bool = False
    ) -> None:
        self.env, self.owner = env, (rank, port)
        self.callbacks: Any = []
        self.tick, self.rank, self.order = env._now, rank, 0
        self.ticks, self.code, self.posted = ticks, code, posted


def _arrival(request: Request) -> tuple[int, int, int]:
    return request.tick, request.rank, request.order


class Port:
    """Servers behind one queue. An idle port is busy with nothing; it never waits.

    `kind`: the process that each of the `servers` is. The port says what they do: who came first stands for all that are served.
    """

    def __init__(
        self,
        env: Environment,
        name: str,
        servers: int = 1,
        policy: Arbitration = Arbitration.FIFO,
        kind: type[Server] = Server,
    ) -> None:
        self.env, self.name, self.policy = env, name, policy
        self.index = env.add_part(self, Label(Kind.IDLE, Cause.DONE))
        self._nothing = env.states[self.index]
        self._write = env.log.latest.extend
        self.wait_code = env.labels.code(Label(Kind.WAIT, target=self.index))
        self.queue: list[Request] = []
        self.serving: list[
            tuple[int, int, int]
        ] = []  # (rank, code, face of the server) in the order of their grants
        self.idle: list[Server] = []  # servers with nothing to do
        self._last = -1  # rank granted last
        self._fifo = policy is Arbitration.FIFO
        self._asked = False
        self._order = 0
        self._shown: dict[int, int] = {}  # code of a request → the port's while it serves it
        self._counted: dict[int, int] = {}  # the same for posted requests, whose amounts the port counts
        self.servers = [kind(self, number) for number in range(servers)]
        env.ports.append(self)

    # -- what parts do -------------------------------------------------------------------------------------------------
    def serve(self, process: Process, ticks: int, code: int) -> Wait:
        """The process waits for its turn, then is busy with `code` for `ticks`."""
        if ticks == 0:
            process.enter(code)
            return NO_WAIT
        env, rank = self.env, process.index
        request = Request(env, self.index, rank, ticks, code)
        env.sites[rank] = self.index
        if self.idle and not self.queue and env.is_last_of_tick():
            self._assign(request)
        else:
            process.enter(self.wait_code)
            self._add(request)
        return (request,)

    def post(self, process: Process, ticks: int, code: int, done: Callable[[Any], None]) -> None:
        """Leaves a request and goes on; `done` is called when it has been served."""
        request = Request(self.env, self.index, process.index, ticks, code, posted=True)
        request.callbacks.append(done)
        self._add(request)

    def acquire(self, process: Process, code: int) -> Wait:
        """The process waits for a server and holds it until `release`."""
        request = Request(self.env, self.index, process.index, None, code)
        self.env.sites[process.index] = self.index
        process.enter(self.wait_code)
        self._add(request)
        return (request,)

    def held_by(self, process: Process) -> Server:
        """The server that the process holds."""
        return next(s for s in self.servers if s.request is not None and s.request.rank == process.index)

    def release(self, process: Process) -> None:
        """Gives back the server that the process holds."""
        self.held_by(process).resume()

    def count(self, code: int) -> None:
        """A posted request that takes no time at all: only what it moves is counted."""
        self.env.enter(self.index, self._busy_code(code, counts=True), 0)
        self.env.enter(self.index, self._nothing, 0)

    # -- what its servers do -------------------------------------------------------------------------------------------
    def begin(self, server: Server, request: Request) -> None:
        """The server begins to serve a request."""
        env, rank, code, posted = self.env, request.rank, request.code, request.posted
        states, now = env.states, env._now
        if not posted:
            states[rank] = code
            self._write((now, rank, code, env.parts[rank].cursor.n))
        self._last = rank
        serving = self.serving
        serving.append((rank, code, server.face))
        if len(serving) > len(self.servers):
            has = f"serves {len(serving)} at once and has {len(self.servers)} servers"
            raise LawBroken(self.name, now, has)
        shown = self._counted if posted else self._shown
        whom = code if posted else serving[0][1]
        busy = shown.get(whom)
        if busy is None:
            busy = shown[whom] = self._busy_code(whom, counts=posted)
        states[self.index] = busy
        self._write((now, self.index, busy, 0))

    def end(self, request: Request) -> Request | None:
        """A server has served a request; the next one if there is no need to wait for what else this tick may bring.

        What came first in an earlier tick need not wait. One who is to hold the server does: what it finds of the
        others' servers depends on who else releases now.
        """
        serving, env = self.serving, self.env
        if len(serving) == 1:
            serving.clear()
            env.states[self.index] = self._nothing
            self._write((env._now, self.index, self._nothing, 0))
        else:
            serving.remove(next(entry for entry in serving if entry[0] == request.rank))
            env.enter(self.index, self._busy_code(serving[0][1], counts=False), 0)
        queue = self.queue
        if not queue:
            return None
        if self._fifo and not self._asked:
            first = self._earliest()
            if first.ticks is not None and first.tick < env._now:
                queue.remove(first)
                return first
        self._ask()
        return None

    # -- how the port decides ------------------------------------------------------------------------------------------
    def _add(self, request: Request) -> None:
        self._order = request.order = self._order + 1
        self.queue.append(request)
        if self.idle:
            self._ask()

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self.env.asked.append(self)

    def arbitrate(self) -> None:
        """The tick is settled: gives the requests that the policy picks to idle servers."""
        self._asked = False
        while self.queue and self.idle:
            self._assign(self._pick())
        if not self.queue:
            self._order = 0

    def _assign(self, request: Request) -> None:
        """Gives a request to an idle server."""
        idle = self.idle
        server = idle[0] if len(idle) == 1 else min(idle, key=lambda s: s.preference(request))
        idle.remove(server)
        server.request = request
        server.resume()

    def _pick(self) -> Request:
        queue = self.queue
        if len(queue) == 1:
            return queue.pop()
        if self.policy is Arbitration.FIFO:
            best = self._earliest()
        elif self.policy is Arbitration.PRIORITY:
            best = min(queue, key=lambda r: (r.rank, r.tick, r.order))
        else:
            best = min(queue, key=lambda r: (r.rank <= self._last, r.rank, r.tick, r.order))
        queue.remove(best)
        return best

    def _earliest(self) -> Request:
        """Of the requests that came first, as the queue is in the order of their ticks, that of the lowest rank."""
        best = self.queue[0]
        for request in self.queue:
            if request.tick > best.tick:
                break
            if request.rank < best.rank:
                best = request
        return best

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
