"""Does a run that is said to take the same ticks as another take them, tick by tick?"""

from __future__ import annotations

from collections import Counter

import pytest
from generations import COARSE, generation
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from small import linear, machine
from strategies import Machine, coarse_machines

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.parts.alike import Likeness
from lsim.results.result import Result
from lsim.simulate import Options, checked, made, run
from lsim.trace import Trace


def options(arch: Arch, mapping: str | None = None, deps: str = "barrier", step: str = "block") -> Options:
    return checked(arch, mapping=mapping, deps=deps, ideal=[], fold=True, step=step)


def alike(one: Trace, other: Trace, how: Options) -> tuple[bool, Result, Result]:
    """Whether the second is said to run as the first did, and both runs."""
    done, new = made(one, how), made(other, how)
    first = run(done, how, 0.0)
    said = Likeness(how.arch).same_ticks(done, new)
    return said, first, run(new, how, 0.0)


def times(result: Result) -> object:
    """All that has to do with time and causes."""
    operators = [(o.name, o.start, o.end) for o in result.operators]
    return result.ticks, result.tiles(), result.parts(), operators


@settings(
    deadline=None,
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    coarse_machines(),
    st.sampled_from([None, "lockstep", "head-parallel", "m1-stationary"]),
    st.sampled_from(["barrier", "chunked"]),
    st.sampled_from(["llama", "grouped", "gpt2"]),
    st.integers(1, 40),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_are_steps_said_to_be_alike_the_same_tick_by_tick(
    machine: Machine, mapping: str | None, deps: str, family: str, prompt: int, apart: int, batch: int
) -> None:
    steps = generation(family, prompt, 6, batch)
    try:
        how = options(machine.arch, mapping, deps)
        said, one, other = alike(steps.trace(1), steps.trace(1 + apart), how)
    except InputError:
        assume(False)
    event("alike" if said else "simulated")
    if said:
        assert times(one) == times(other)


@pytest.mark.parametrize("step", ["block", "shot"])
def test_are_steps_alike_where_sizes_come_to_the_same_ticks(step: str) -> None:
    how = options(machine(**COARSE), step=step)
    steps = generation("llama", 12, 12)
    found: Counter[bool] = Counter()
    for number in range(1, 11):
        said, one, other = alike(steps.trace(number), steps.trace(number + 1), how)
        found[said] += 1
        assert not said or times(one) == times(other)
    assert found[True] > 0
    assert found[False] > 0


def test_is_a_run_not_alike_that_takes_other_ticks() -> None:
    how = options(machine())
    assert alike(linear(8, 8, 8), linear(8, 8, 8), how)[0]
    for rows, depth, columns in ((9, 8, 8), (8, 9, 8), (8, 8, 12), (4, 8, 8)):
        assert not alike(linear(8, 8, 8), linear(rows, depth, columns), how)[0]


def test_is_a_run_not_alike_where_somebody_waited_for_room_that_differs() -> None:
    # a region that holds one result: whoever claims the next waits for its return
    steps = generation("llama", 20, 4)
    roomy, tight = (
        options(machine(**{**COARSE, "global_sram__capacity": size})) for size in ("64 KiB", "1 KiB")
    )
    for how in (roomy, tight):
        said, one, other = alike(steps.trace(1), steps.trace(2), how)
        assert not said or times(one) == times(other)
