"""When may a pile of tokens differ between two states that fold, and when has somebody looked at it?"""

from __future__ import annotations

import pytest

from lsim.kernel.environment import Environment
from lsim.kernel.fold import Anchor
from lsim.kernel.process import Process
from lsim.kernel.program import Seq
from lsim.kernel.tokens import Channel, Pile

Made = tuple[Environment, Pile, Process]


@pytest.fixture
def made() -> Made:
    """A pile of two tokens between two processes that are never started."""
    env = Environment()
    giver, taker = Process(env, "giver", Seq(())), Process(env, "taker", Seq(()))
    pile = Pile(env, 2)
    pile.given_by(giver.index)
    return env, pile, taker


def test_may_a_pile_grow_that_nobody_looked_at(made: Made) -> None:
    env, pile, _ = made
    anchor = Anchor(env)
    pile.give(3)
    assert anchor.untouched(env) == [pile]
    assert anchor.matches(env, anchor.untouched(env))
    assert not anchor.matches(env)


def test_does_a_taken_token_count_as_looking(made: Made) -> None:
    env, pile, _ = made
    anchor = Anchor(env)
    pile.give(3)
    assert pile.try_take(1)
    assert anchor.untouched(env) == []
    assert not anchor.matches(env, anchor.untouched(env))


def test_does_waiting_count_as_looking(made: Made) -> None:
    env, pile, taker = made
    anchor = Anchor(env)
    pile.wait(taker.index, 5)
    pile.give(1)
    assert anchor.untouched(env) == []
    pile.give(2)  # enough: the one who waited has them
    assert (pile.taken, env.registers[pile.index]) == (5, 0)
    assert anchor.untouched(env) == []


def test_must_every_other_channel_hold_what_it_held(made: Made) -> None:
    env, pile, taker = made
    channel = Channel(env)
    channel.given_by(taker.index)
    anchor = Anchor(env)
    pile.give()
    channel.give()
    assert not anchor.matches(env, anchor.untouched(env))
