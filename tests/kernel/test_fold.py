"""Does what folding compares hold all that the machine remembers?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eager import eager_folding
from hypothesis import HealthCheck, given, settings
from strategies import Machine, machines, traces

from lsim import load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.kernel.environment import Environment
from lsim.kernel.fold import Anchor
from lsim.kernel.labels import Cause
from lsim.kernel.port import Port
from lsim.kernel.process import Process, Run
from lsim.kernel.program import Builder
from lsim.trace import Trace

POLICIES = [("lockstep", "barrier"), ("head-parallel", "chunked")]


def where(generator: Any) -> tuple[int, ...]:
    """Where a generator stands, through `yield from`."""
    at = []
    while generator is not None and getattr(generator, "gi_frame", None) is not None:
        at.append(generator.gi_frame.f_lasti)
        generator = generator.gi_yieldfrom
    return tuple(at)


@pytest.fixture
def matches() -> Iterator[list[bool]]:
    """Whether, at each match of states, all generators stood where they stood then."""
    found: list[bool] = []
    stood: dict[int, list[tuple[int, ...]]] = {}
    made, matched = Anchor.__init__, Anchor.matches

    def places(env: Environment) -> list[tuple[int, ...]]:
        return [where(process.generator) for process in env.processes]

    def make(self: Anchor, env: Environment) -> None:
        made(self, env)
        stood[id(self)] = [*places(env), (id(self),)]
        kept.append(self)  # so that its id stays its own

    def match(self: Anchor, env: Environment, untouched: Any = ()) -> bool:
        same = matched(self, env, untouched)
        if same:
            found.append(stood[id(self)][:-1] == places(env))
        return same

    kept: list[Anchor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Anchor, "__init__", make)
        patch.setattr(Anchor, "matches", match)
        yield found


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(traces(), machines(groups=("1", "2")))
def test_do_equal_states_stand_at_equal_places(matches: list[bool], trace: Trace, machine: Machine) -> None:
    """The state holds what each process waits at; its generator's place in the code must follow from that."""
    for mapping, deps in POLICIES:
        for step in ("block", "shot"):
            try:
                simulate(trace, machine.arch, mapping=mapping, deps=deps, step=step)
            except InputError:
                continue
    assert all(matches)


def test_is_a_model_folded_at_equal_places(matches: list[bool]) -> None:
    result = simulate(load_trace("bert-large"), load_arch("lt-l-8bit"))
    assert len(matches) >= result.folds > 0
    assert all(matches)


class Clock(Process):
    """Each item is so many ticks."""

    def work(self, item: int) -> Run:
        yield from self.spend(item, self.busy(Cause.COMPUTE))


class FoldingClock(Clock):
    folds = True


def run_clocks(fold: bool, *programs: tuple[type[Clock], list[tuple[int, int]]]) -> Environment:
    """Clocks side by side, each with (count, ticks) after another."""
    env = Environment(fold)
    for number, (kind, runs) in enumerate(programs):
        b = Builder()
        program = b.seq(*(b.repeat(count, b.leaf(ticks)) for count, ticks in runs))
        kind(env, f"clock{number}", program).start()
    env.run_to_end()
    return env


@pytest.mark.parametrize("left", range(1, 8))
def test_is_a_known_period_not_taken_for_one_that_ends_in_another_item(left: int) -> None:
    """The other clock is in the middle of an item whenever the first looks; of its second loop so many items are left, then comes one that is longer."""
    first = FoldingClock, [(20, 4), (1, 8), (20, 4)]
    other = Clock, [(1, 2), (20 + 2 + left, 4), (1, 6), (30, 4)]
    with eager_folding():
        folded, unfolded = run_clocks(True, first, other), run_clocks(False, first, other)
    assert folded.folder is not None
    assert folded.folder.folds > 1
    assert folded.end == unfolded.end == 2 + 4 * (22 + left) + 6 + 4 * 30


def test_do_requests_that_queue_move_with_a_fold() -> None:
    """A fold moves the clock; who has waited for three ticks has waited for three ticks after it, too."""
    env = Environment()
    port = Port(env, "port")
    waiting = Clock(env, "clock", Builder().leaf(4))
    env._now = 10
    port.post(waiting, 5, 0, lambda _: None)
    env._now = 13
    state = port.state(env._now)
    assert env.folder is not None
    env.folder._shift(100)
    assert (env._now, port.queue[0].tick) == (113, 110)
    assert port.state(env._now) == state
