"""Which two states of a machine are the same to folding? What can make a difference later, and nothing else, tells them apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lsim.kernel.environment import Environment, Wake
from lsim.kernel.fold import Anchor
from lsim.kernel.port import Arbitration, Port, Request
from lsim.kernel.process import Process, Run
from lsim.kernel.program import Builder

NOW = 100
LEAVES = Builder()


class Idler(Process):
    def work(self, item: object) -> Run:
        yield from ()


def machine() -> Environment:
    """Two processes; a port that serves one request while two others wait; a deadline ahead and one past; an event to come."""
    env = Environment()
    for name in ("a", "b"):
        Idler(env, name, LEAVES.repeat(9, LEAVES.leaf("x")))
    port = Port(env, "port", 1, Arbitration.ROUND_ROBIN)
    env.register(3)
    env.deadlines += [NOW + 5, NOW - 5]
    env._now = NOW
    port.queue += [request(env, NOW - 4), request(env, NOW, rank=1)]
    port.serving.append((0, 0, 0))
    port._last = 0
    env.fire(Wake(env, (0, port.index)), 7)
    env.fire(Wake(env, 1), 9)
    return env


def request(env: Environment, tick: int, rank: int = 0, ticks: int = 2, code: int = 0) -> Request:
    waiting = Request(env, 2, rank, ticks, code)
    waiting.tick = tick
    return waiting


def later(env: Environment, ticks: int) -> None:
    """All of it some time later."""
    env._now += ticks
    env._queue = [(t + ticks, priority, eid, event) for t, priority, eid, event in env._queue]
    env.deadlines = [t + ticks for t in env.deadlines]
    for waiting in env.ports[0].queue:
        waiting.tick += ticks


def change(env: Environment, what: str, value: object, at: int | None = None) -> None:
    place = env.ports[0] if what in ("queue", "serving", "_last") else env
    if at is None:
        setattr(place, what, value)
    else:
        getattr(place, what)[at] = value


DIFFERENT: dict[str, Callable[[Environment], None]] = {
    "a part is in another state": lambda env: change(env, "states", 5, 0),
    "a channel holds another number of tokens": lambda env: change(env, "registers", 2, 0),
    "a process waits at another place": lambda env: change(env, "sites", 1, 0),
    "a process has other work in hand": lambda env: change(env, "leaves", LEAVES.leaf("y"), 0),
    "a deadline is sooner": lambda env: change(env, "deadlines", NOW + 4, 0),
    "a deadline is to come that was past": lambda env: change(env, "deadlines", NOW + 1, 1),
    "a request came in this tick": lambda env: change(env, "queue", request(env, NOW), 0),
    "a request is another part's": lambda env: change(env, "queue", request(env, NOW - 4, rank=1), 0),
    "a request takes longer": lambda env: change(env, "queue", request(env, NOW - 4, ticks=3), 0),
    "a request is for something else": lambda env: change(env, "queue", request(env, NOW - 4, code=1), 0),
    "requests came in another order": lambda env: change(env, "queue", request(env, NOW - 5, rank=1), 1),
    "a request is missing": lambda env: env.ports[0].queue.clear(),
    "the port serves somebody else": lambda env: change(env, "serving", (1, 0, 0), 0),
    "another of its servers serves": lambda env: change(env, "serving", (0, 0, 1), 0),
    "another was served last": lambda env: change(env, "_last", 1),
    "an event comes sooner": lambda env: env.fire(Wake(env, 1), -1),
    "an event is another's": lambda env: event(env, Wake(env, 0), 9),
    "an event is to happen at this tick": lambda env: env.fire(Wake(env, 1)),
    "a port is to arbitrate at this tick": lambda env: env.asked.append(env.ports[0]),
    "an event is missing": lambda env: env._queue.clear(),
}
SAME: dict[str, Callable[[Environment], None]] = {
    "nothing changed": lambda env: None,
    "all is later": lambda env: later(env, 1234),
    "a deadline is past for longer": lambda env: change(env, "deadlines", NOW - 50, 1),
    "a request has waited longer": lambda env: change(env, "queue", request(env, NOW - 9), 0),
}


def event(env: Environment, wake: Wake, delay: int) -> None:
    """In place of the last of the events."""
    env._queue.remove(max(env._queue))
    env.fire(wake, delay)


@pytest.mark.parametrize("what", DIFFERENT)
def test_is_it_another_state_if(what: str) -> None:
    env = machine()
    anchor = Anchor(env)
    DIFFERENT[what](env)
    assert not anchor.matches(env)


@pytest.mark.parametrize("what", SAME)
def test_is_it_the_same_state_if(what: str) -> None:
    env = machine()
    anchor = Anchor(env)
    SAME[what](env)
    assert anchor.matches(env)


@pytest.mark.parametrize("policy", [Arbitration.FIFO, Arbitration.PRIORITY])
def test_does_who_was_served_last_matter_to_turns_alone(policy: Arbitration) -> None:
    env = machine()
    env.ports[0].policy = policy
    anchor = Anchor(env)
    env.ports[0]._last = 1
    assert anchor.matches(env)
