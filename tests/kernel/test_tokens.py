"""Do tokens and posted transfers come when they are given, to whoever waits, and say what is waited for?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsim.errors import Deadlock
from lsim.kernel.environment import Environment
from lsim.kernel.flight import Delay, Flights
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.port import Port
from lsim.kernel.process import Process, Run
from lsim.kernel.program import Builder
from lsim.kernel.tokens import Channel


class Actor(Process):
    """Does what its items say: a function of the actor that is a run."""

    def work(self, item: object) -> Run:
        yield from item(self)  # type: ignore[operator]


def actor(env: Environment, name: str, *steps: object) -> Actor:
    builder = Builder()
    return Actor(env, name, builder.seq(*map(builder.leaf, steps)))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=8),
    st.lists(st.integers(1, 5), max_size=8),
    st.integers(0, 4),
)
def test_is_a_token_taken_at_the_first_tick_it_is_there(
    given_: list[tuple[int, int]], taken: list[int], initial: int
) -> None:
    """Against the sums: the k-th taker has its tokens when as many were given as all takers up to it take."""
    env = Environment(fold=False)
    channel = Channel(env, initial)
    times: list[int] = []

    def give(pause: int, count: int) -> object:
        def step(self: Actor) -> Run:
            yield from self.spend(pause, self.busy(Cause.DPU))
            channel.give(count)

        return step

    def take(count: int) -> object:
        def step(self: Actor) -> Run:
            yield from self.take(channel, count)
            times.append(int(env.now))

        return step

    giver = actor(env, "giver", *(give(*one) for one in given_))
    taker = actor(env, "taker", *(take(count) for count in taken))
    channel.given_by(giver.index)
    taker.start()
    giver.start()
    there, now, arrivals = initial, 0, [(0, initial)]
    for pause, count in given_:
        now, there = now + pause, there + count
        arrivals.append((now, there))
    expected, wanted = [], 0
    for count in taken:
        wanted += count
        expected += [tick for tick, sum_ in arrivals if sum_ >= wanted][:1]
    if len(expected) < len(taken):
        with pytest.raises(
            Deadlock, match=rf"taker, at item {len(expected)} of {len(taken)}, waits for giver"
        ):
            env.run_to_end()
    else:
        env.run_to_end()
        assert env.registers[channel.index] == there - wanted
    assert times == expected


def test_does_a_deadlock_say_who_waits_for_whom() -> None:
    env = Environment(fold=False)
    pen, paper = Channel(env), Channel(env, idle=True)

    def take_then_give(wanted: Channel, given: Channel) -> object:
        def step(self: Actor) -> Run:
            yield from self.take(wanted)
            given.give()

        return step

    alice = actor(env, "alice", take_then_give(pen, paper))
    bob = actor(env, "bob", take_then_give(paper, pen))
    pen.given_by(bob.index)
    paper.given_by(alice.index)
    alice.start()
    bob.start()
    with pytest.raises(Deadlock) as blocked:
        env.run_to_end()
    assert blocked.value.waits == (
        "alice, at item 0 of 1, waits for bob",
        "bob, at item 0 of 1, is idle until alice gives it work",
    )
    assert str(blocked.value).splitlines()[0].startswith("alice, tick 0: ")


def test_does_a_delay_hand_on_any_number_at_once() -> None:
    """Sent at 1, 2 and 3, there at 6, 7 and 8; busy from 1 to 8."""
    env = Environment(fold=False)
    channel, times = Channel(env), []

    def send(self: Actor) -> Run:
        yield from self.spend(1, self.busy(Cause.DPU))
        delay.send(channel)

    def take(self: Actor) -> Run:
        yield from self.take(channel)
        times.append(int(env.now))

    sender, taker = actor(env, "sender", *[send] * 3), actor(env, "taker", *[take] * 3)
    delay = Delay(env, "delay", 5, sender, Cause.READOUT)
    channel.given_by(delay.index)
    sender.start()
    taker.start()
    env.run_to_end()
    assert times == [6, 7, 8]
    entries = [env.log.records[i : i + 4].tolist() for i in range(0, 4 * len(env.log), 4)]
    assert [(tick, env.labels.all[code].kind) for tick, part, code, _ in entries if part == delay.index] == [
        (1, Kind.BUSY),
        (8, Kind.WAIT),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=10),
    st.integers(1, 3),
    st.integers(0, 6),
)
def test_do_posted_pieces_arrive_in_order(pieces: list[tuple[int, int]], channels: int, latency: int) -> None:
    """Piece i is served by channel i mod n after what it served before, and is there a latency later; nobody overtakes."""
    env = Environment(fold=False)
    times: list[int] = []

    def send(pause: int, ticks: int) -> object:
        def step(self: Actor) -> Run:
            yield from self.spend(pause, self.busy(Cause.DPU))
            flights.send(self, ticks, self.busy(Cause.HBM_M1), False)

        return step

    def receive(self: Actor) -> Run:
        yield from flights.receive(self, False)
        times.append(int(env.now))

    sender = actor(env, "sender", *(send(*piece) for piece in pieces))
    receiver = actor(env, "receiver", *[receive] * len(pieces))
    flights = Flights(env, [Port(env, f"hbm{i}") for i in range(channels)], latency, Cause.HBM_LATENCY)
    flights.connect(sender, receiver)
    sender.start()
    receiver.start()
    env.run_to_end()
    now, free, expected = 0, [0] * channels, []
    for i, (pause, ticks) in enumerate(pieces):
        now += pause
        free[i % channels] = max(now, free[i % channels]) + ticks
        expected.append(max([free[i % channels] + latency, *expected[-1:]]))
    assert times == expected


def test_are_two_labels_of_one_content_one_code() -> None:
    env = Environment(fold=False)
    assert env.labels.code(Label(Kind.BUSY, Cause.DPU)) == env.labels.code(Label(Kind.BUSY, Cause.DPU))
    assert env.labels.code(Label(Kind.BUSY, Cause.DPU)) != env.labels.code(Label(Kind.WAIT, Cause.DPU))
