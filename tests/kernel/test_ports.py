"""Whom does a port serve, and when? Against the loop over ticks of the reference, and by hand where requests tie."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ticks

from lsim.errors import LawBroken
from lsim.kernel.environment import Environment
from lsim.kernel.labels import Cause, Kind
from lsim.kernel.port import Arbitration, Port
from lsim.kernel.process import Process, Run
from lsim.kernel.program import Builder
from lsim.kernel.server import Server

Job = tuple[int, int]
"""(ticks of its own before it asks, ticks of service)."""


class Client(Process):
    """Works, asks, is served; then the same with the next job."""

    port: Port
    served: list[tuple[int, int]]
    holds = False  # takes the port and gives it back, in place of a service of known length

    def work(self, item: Job) -> Run:
        pause, length = item
        yield from self.spend(pause, self.busy(Cause.DPU))
        if not self.holds:
            yield from self.port.serve(self, length, self.busy(Cause.DRAIN))
            self.served.append((self.env.now - length, self.env.now))  # type: ignore[arg-type]
            return
        yield from self.port.acquire(self, self.busy(Cause.DRAIN))
        begin = int(self.env.now)
        yield from self.spend(length, self.busy(Cause.DPU))
        self.port.release(self)
        self.served.append((begin, int(self.env.now)))


def served(
    jobs: Sequence[Sequence[Job]], servers: int, policy: str, holds: bool = False
) -> list[list[tuple[int, int]]]:
    """[begin, end) of each service of each client, in rank order."""
    env, builder = Environment(fold=False), Builder()
    clients = [Client(env, f"c{i}", builder.seq(*map(builder.leaf, own))) for i, own in enumerate(jobs)]
    port = Port(env, "port", servers, Arbitration(policy))
    for client in clients:
        client.port, client.served, client.holds = port, [], holds
        client.start()
    env.run_to_end()
    return [client.served for client in clients]


def expected(jobs: Sequence[Sequence[Job]], servers: int, policy: str) -> list[list[tuple[int, int]]]:
    """The same by the reference's loop over ticks."""
    world, port = ticks.World(), ticks.Port("port", servers, policy)
    world.ports = [port]
    found: list[list[tuple[int, int]]] = [[] for _ in jobs]

    def client(rank: int) -> ticks.Steps:
        for pause, length in jobs[rank]:
            if pause:
                yield from world.at(world.now + pause, "its own work")
            request = port.post(world.now, rank, length)
            yield from world.served(port, request, 0)
            found[rank].append((request.start or 0, request.end or 0))

    for rank in range(len(jobs)):
        world.start(f"c{rank}", client(rank))
    world.loop(every_tick=False)
    return found


JOBS = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=1, max_size=6), min_size=1, max_size=5
)
POLICIES = ["fifo", "round-robin", "priority"]


@pytest.mark.parametrize("holds", [False, True])
@given(jobs=JOBS, servers=st.integers(1, 3), policy=st.sampled_from(POLICIES))
@settings(max_examples=150)
def test_does_a_port_serve_as_the_loop_over_ticks_says(
    jobs: list[list[Job]], servers: int, policy: str, holds: bool
) -> None:
    assert served(jobs, servers, policy, holds) == expected(jobs, servers, policy)


# All ask at tick 0, but the first for a second time at tick 4, when its service of 4 ends, as do the others, later.
TWICE = [[(0, 4), (0, 4)], [(1, 4), (0, 4)], [(2, 4), (0, 4)]]


@pytest.mark.parametrize(
    ("policy", "order"),
    [("fifo", "012012"), ("round-robin", "012012"), ("priority", "001122")],
)
def test_who_comes_next(policy: str, order: str) -> None:
    grants = sorted((begin, rank) for rank, own in enumerate(served(TWICE, 1, policy)) for begin, _ in own)
    assert "".join(str(rank) for _, rank in grants) == order


@pytest.mark.parametrize("policy", POLICIES)
def test_do_requests_of_one_tick_go_by_rank(policy: str) -> None:
    assert served([[(3, 2)], [(3, 2)], [(3, 2)]], 1, policy) == [[(3, 5)], [(5, 7)], [(7, 9)]]


def test_does_a_turn_go_on_after_the_one_served_last() -> None:
    """Rank 1 is served first; then 2 comes before 0, though 0 asked no later."""
    jobs = [[(1, 2)], [(0, 4)], [(1, 2)]]
    assert served(jobs, 1, "round-robin") == [[(6, 8)], [(0, 4)], [(4, 6)]]
    assert served(jobs, 1, "fifo") == [[(4, 6)], [(0, 4)], [(6, 8)]]


def test_do_two_servers_serve_two() -> None:
    assert served([[(0, 5)], [(0, 3)], [(0, 1)]], 2, "fifo") == [[(0, 5)], [(0, 3)], [(3, 4)]]


def test_does_a_late_request_of_higher_rank_not_take_what_was_granted() -> None:
    assert served([[(1, 5)], [(0, 5)]], 1, "priority") == [[(5, 10)], [(0, 5)]]


def test_is_a_port_busy_while_it_serves_and_idle_otherwise() -> None:
    env, builder = Environment(fold=False), Builder()
    client = Client(env, "c", builder.leaf((3, 4)))
    client.port, client.served = Port(env, "port"), []
    client.start()
    env.run_to_end()
    entries = [env.log.records[i : i + 4].tolist() for i in range(0, 4 * len(env.log), 4)]
    states = [
        (tick, env.labels.all[code].kind) for tick, part, code, _ in entries if part == client.port.index
    ]
    assert states == [(3, Kind.BUSY), (7, Kind.IDLE)]


def test_is_a_port_that_serves_too_many_an_error() -> None:
    env, builder = Environment(fold=False), Builder()
    clients = [Client(env, f"c{i}", builder.leaf((0, 4))) for i in range(2)]
    port = Port(env, "port")
    Server(port, 1)  # one that the port does not know of
    for client in clients:
        client.port, client.served = port, []
        client.start()
    with pytest.raises(LawBroken, match="port, tick 0"):
        env.run_to_end()
