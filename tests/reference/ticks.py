"""Section 1: ticks, tokens, ports and processes.

A process is a generator that yields a `Wait` whenever it cannot go on. Within a tick every process that can
go on does, until none can (settle); then every port with a free server starts the requests it picks
(arbitrate). Nothing here depends on the order of the processes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from lsim.errors import Deadlock


class Wait(NamedTuple):
    """Whether what a process waits for is there, and what it is, in words."""

    ready: Callable[[], bool]
    what: Callable[[], str]


Steps = Iterator[Wait]


@dataclass
class Channel:
    """Counted tokens; `giver` says, for deadlocks, who gives them."""

    name: str
    giver: str
    count: int = 0

    def give(self, n: int = 1) -> None:
        self.count += n

    def take(self, n: int = 1) -> Steps:
        """Wait until there are n, then remove them."""
        what = f"{self.giver} to give {self.name}: it needs {n} and there are"
        yield Wait(lambda: self.count >= n, lambda: f"{what} {self.count}")
        self.count -= n


@dataclass
class Request:
    """A request of a port; `start` and `end` are known once it is served."""

    arrival: int
    rank: int
    order: int
    ticks: int
    start: int | None = None
    end: int | None = None

    def over(self, now: int, latency: int = 0) -> bool:
        """Whether its service ended, `latency` ticks ago or more."""
        return self.end is not None and self.end + latency <= now


@dataclass
class Port:
    """Serves `servers` requests at a time, chosen by its policy.

    The result of a service is there `latency` ticks after it; meanwhile the server is free.
    """

    name: str
    servers: int
    policy: str
    latency: int = 0
    waiting: list[Request] = field(default_factory=list)
    serving: list[Request] = field(default_factory=list)
    last_rank: int = -1
    posted: int = 0
    services: list[tuple[int, int]] = field(default_factory=list)

    def post(self, now: int, rank: int, ticks: int) -> Request:
        """Hold a request of the part of this rank for a service of so many ticks."""
        assert ticks > 0, "a service of zero ticks never asks a port"
        self.posted += 1
        request = Request(now, rank, self.posted, ticks)
        self.waiting.append(request)
        return request

    def arbitrate(self, now: int) -> list[int]:
        """Start what can be started; returns when those services end and when their results are there."""
        self.serving = [request for request in self.serving if not request.over(now)]
        ends: list[int] = []
        while self.waiting and len(self.serving) < self.servers:
            request = min(self.waiting, key=self._key)
            self.waiting.remove(request)
            request.start, request.end = now, now + request.ticks
            self.last_rank = request.rank
            self.serving.append(request)
            self.services.append((request.start, request.end))
            ends += [request.end, request.end + self.latency]
        return ends

    def _key(self, request: Request) -> tuple[int, ...]:
        """The least goes first."""
        if self.policy == "fifo":
            return (request.arrival, request.rank, request.order)
        if self.policy == "priority":
            return (request.rank, request.arrival, request.order)
        assert self.policy == "round-robin", self.policy
        behind = request.rank <= self.last_rank
        return (behind, request.rank, request.arrival, request.order)


@dataclass
class Process:
    """A part's program and what it waits for; `wait` is None once the program is finished."""

    name: str
    steps: Steps
    wait: Wait | None = None

    def advance(self) -> None:
        self.wait = next(self.steps, None)


class World:
    """The clock, everything that takes time, and the loop over ticks."""

    def __init__(self) -> None:
        self.now = 0
        self.ports: list[Port] = []
        self.processes: list[Process] = []
        self._alarms: list[int] = []
        self._later: list[tuple[int, Channel]] = []

    def at(self, tick: int, what: str) -> Steps:
        """Wait until a tick."""
        self.alarm(tick)
        yield Wait(lambda: self.now >= tick, lambda: f"tick {tick}: {what}")

    def served(self, port: Port, request: Request, latency: int) -> Steps:
        """Wait until a latency after the service of a request."""
        yield Wait(lambda: request.over(self.now, latency), lambda: f"{port.name}")

    def alarm(self, tick: int) -> None:
        """Have the loop look at this tick."""
        if tick > self.now:
            heappush(self._alarms, tick)

    def give_at(self, tick: int, channel: Channel) -> None:
        """Give one token at a tick."""
        self._later.append((tick, channel))
        self.alarm(tick)

    def start(self, name: str, steps: Steps) -> None:
        """Add a process; it begins in tick 0."""
        process = Process(name, steps, Wait(lambda: True, lambda: "its start"))
        self.processes.append(process)

    def loop(self, every_tick: bool) -> None:
        """Run until every process has finished.

        With `every_tick` all ticks are visited. Otherwise, when settling and arbitrating changed nothing, the
        loop jumps to the next tick at which something ends that takes time: until then all waits stay as they
        are.
        """
        while True:
            changed = self._settle()
            changed = self._arbitrate() or changed
            running = [process for process in self.processes if process.wait is not None]
            if not running:
                return
            while self._alarms and self._alarms[0] <= self.now:
                heappop(self._alarms)
            if not self._alarms:
                raise self._deadlock(running)
            self.now = self.now + 1 if changed or every_tick else self._alarms[0]

    def _settle(self) -> bool:
        """Let everything happen that takes no time; returns whether anything did."""
        changed = False
        while self._settle_once():
            changed = True
        return changed

    def _settle_once(self) -> bool:
        changed = False
        for tick, channel in [late for late in self._later if late[0] <= self.now]:
            self._later.remove((tick, channel))
            channel.give()
            changed = True
        for process in self.processes:
            while process.wait is not None and process.wait.ready():
                process.advance()
                changed = True
        return changed

    def _arbitrate(self) -> bool:
        ends = [end for port in self.ports for end in port.arbitrate(self.now)]
        for end in ends:
            self.alarm(end)
        return bool(ends)

    def _deadlock(self, running: list[Process]) -> Deadlock:
        waits = [f"{process.name} waits for {process.wait.what()}" for process in running if process.wait]
        return Deadlock(running[0].name, self.now, "nothing can happen any more", waits)


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The union of half-open spans: in order, none empty, overlapping or touching."""
    union: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((start, end))
    return union
