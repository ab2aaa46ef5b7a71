"""Does what folding compares hold all that the machine remembers?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import Machine, machines, traces

from lsim import load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.kernel.environment import Environment
from lsim.kernel.fold import Anchor
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
