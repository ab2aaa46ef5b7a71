"""Is room taken and given back as items say, and is each claim granted after as many returns as are counted for it?"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Machine, machines, traces

from lsim.errors import InputError
from lsim.kernel.environment import Environment
from lsim.kernel.tokens import Channel
from lsim.parts.room import Room, rooms
from lsim.simulate import checked, made, run
from lsim.trace import Trace


def room_of(room: int, claims: list[int], returns: list[int]) -> Room:
    return Room(Channel(Environment(), room), np.array(claims), np.array(returns))


def test_for_how_many_returns_does_each_claim_wait() -> None:
    # 10 B: 4 and 4 fit; the third 4 needs the first back; 8 more need 6: the second's 4 and the fourth's 4, the third gives none
    assert list(room_of(10, [4, 4, 4, 0, 8], [4, 4, 0, 4, 8]).needed) == [0, 0, 1, 1, 4]
    # one byte more a claim, and room for it: the same; without the room the second has to wait
    assert list(room_of(13, [5, 5, 5, 0, 10], [5, 5, 0, 5, 10]).needed) == [0, 0, 1, 1, 4]
    assert list(room_of(9, [5, 5, 5, 0, 9], [5, 5, 0, 5, 9]).needed) == [0, 1, 2, 2, 4]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(9, 30), st.randoms())
def test_is_the_count_that_of_bytes_moved_one_by_one(claims: list[int], size: int, chance: Any) -> None:
    returns = list(claims)
    chance.shuffle(returns)
    left, come, counted = size, 0, []
    for claim in claims:
        left -= claim
        while left < 0:
            left += returns[come]
            come += 1
        counted.append(come)
    assert list(room_of(size, claims, returns).needed) == counted


class Watch:
    """What happens at the channels of a run: claims and returns of bytes, and how many returns had come at each grant."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.claims: dict[int, list[int]] = defaultdict(list)
        self.returns: dict[int, list[int]] = defaultdict(list)
        self.come: dict[int, list[tuple[bool, int]]] = defaultdict(list)  # (had to wait, returns so far)
        take, wait, give = Channel.try_take, Channel.wait, Channel.give

        def try_take(channel: Channel, count: int) -> bool:
            granted = take(channel, count)
            if granted:
                self.claims[channel.index].append(count)
                self.come[channel.index].append((False, len(self.returns[channel.index])))
            return granted

        def waits(channel: Channel, taker: int, count: int) -> Any:
            self.claims[channel.index].append(count)
            return wait(channel, taker, count)

        def gives(channel: Channel, count: int = 1) -> None:
            self.returns[channel.index].append(count)
            waited = channel.waited_on
            give(channel, count)
            if waited and not channel.waited_on:
                self.come[channel.index].append((True, len(self.returns[channel.index])))

        monkeypatch.setattr(Channel, "try_take", try_take)
        monkeypatch.setattr(Channel, "wait", waits)
        monkeypatch.setattr(Channel, "give", gives)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    traces(),
    machines(groups=("1", "2")),
    st.sampled_from([None, "head-parallel", "m1-stationary"]),
    st.sampled_from(["barrier", "chunked"]),
)
def test_are_bytes_taken_and_given_back_as_items_say(
    work: Trace, machine: Machine, mapping: str | None, deps: str
) -> None:
    try:
        how = checked(machine.arch, mapping=mapping, deps=deps, ideal=[], fold=False, step="block")
        one = made(work, how)
    except InputError:
        assume(False)
    with pytest.MonkeyPatch.context() as patch:
        watch = Watch(patch)
        run(one, how, 0.0)
    said = rooms(one)
    for index, room in said.items():
        assert list(room.claims) == watch.claims[index]
        assert list(room.returns) == watch.returns[index]
        for needed, (waited, come) in zip(room.needed, watch.come[index], strict=True):
            assert come == needed if waited else come >= needed
    assert not {channel.index for channel in one.env.channels if of_bytes(channel, watch)} - said.keys()


def of_bytes(channel: Channel, watch: Watch) -> bool:
    """Whether more than one token at a time was taken: prefetch tokens are given by the handful, but taken one by one."""
    return any(count > 1 for count in watch.claims[channel.index])
