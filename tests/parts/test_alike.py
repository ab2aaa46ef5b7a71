"""Does a run that is said to take the same ticks as another take them, tick by tick?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import pytest
from generations import COARSE, FAMILIES, FULL, generation
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from small import linear, machine
from strategies import Machine, coarse_machines, slack_machines, tight_machines

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.parts.alike import Changes, Likeness, _NotAlike
from lsim.plan.items import Block, Drain, Fill, Issue, Lanes, Piece, Retire
from lsim.results.result import Result
from lsim.simulate import Options, checked, made, run
from lsim.trace import Trace


def options(arch: Arch, mapping: str | None = None, deps: str = "barrier", step: str = "block") -> Options:
    return checked(arch, mapping=mapping, deps=deps, ideal=[], fold=True, step=step)


def alike(one: Trace, other: Trace, how: Options) -> tuple[Changes | None, Result, Result]:
    """What is said to change if the second runs as the first did, and both runs."""
    done, new = made(one, how), made(other, how)
    first = run(done, how, 0.0)
    said = Likeness(how.arch).changes(done, new)
    return said, first, run(new, how, 0.0)


def times(result: Result, changes: Changes | None = None) -> object:
    """All that has to do with time and causes, changed as is said."""
    operators = [(o.name, o.start, o.end) for o in result.operators]
    parts = dict(result.parts())
    for name, ticks in changes.served.items() if changes else ():
        parts[name] = attrs.evolve(parts[name], busy=parts[name].busy + ticks, idle=parts[name].idle - ticks)
    return result.ticks, result.tiles(), parts, operators


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    st.one_of(coarse_machines(), slack_machines()),
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
    event(f"{'alike' if said else 'simulated'}{', HBM busy for longer' if said and said.served else ''}")
    if said:
        assert times(one, said) == times(other)


@pytest.mark.parametrize("step", ["block", "shot"])
def test_are_steps_alike_where_sizes_come_to_the_same_ticks(step: str) -> None:
    how = options(machine(**COARSE), step=step)
    steps = generation("llama", 12, 12)
    found: Counter[bool] = Counter()
    for number in range(1, 11):
        said, one, other = alike(steps.trace(number), steps.trace(number + 1), how)
        found[said is not None] += 1
        assert not said or times(one, said) == times(other)
    assert found[True] > 0
    assert found[False] > 0


def test_is_a_run_not_alike_that_takes_other_ticks() -> None:
    how = options(machine())
    assert alike(linear(8, 8, 8), linear(8, 8, 8), how)[0]
    for rows, depth, columns in ((9, 8, 8), (8, 9, 8), (8, 8, 12), (4, 8, 8)):
        assert not alike(linear(8, 8, 8), linear(rows, depth, columns), how)[0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(tight_machines(), st.sampled_from(sorted(FAMILIES)), st.integers(1, 40), st.integers(1, 2))
def test_are_steps_alike_where_rings_make_somebody_wait(
    machine: Machine, family: str, prompt: int, apart: int
) -> None:
    steps = generation(family, prompt, 5)
    try:
        how = options(machine.arch)
        done, new = made(steps.trace(1), how), made(steps.trace(1 + apart), how)
    except InputError:
        assume(False)
    one = run(done, how, 0.0)
    said = Likeness(how.arch).changes(done, new)
    event(f"{'alike' if said else 'simulated'}, {'a full ring of another size' if full(done, new) else ''}")
    if said:
        assert times(one, said) == times(run(new, how, 0.0))


def full(done: Any, new: Any) -> bool:
    """Whether a channel of another size made somebody wait."""
    channels = zip(done.env.channels, new.env.channels, strict=True)
    return any(one.blocked and one.initial != other.initial for one, other in channels)


# A full ring has another size in the next step. Its claims wait for the same returns, or not: then the step takes another time.
OTHER = [
    ({"capacity": "3 KiB", "m1_staging": "256 B", "m2_staging": "512 B", "out_staging": "512 B"}, {}, "llama", 26),
    ({"capacity": "4 KiB", "m2_staging": "512 B", "out_staging": "512 B"}, {"hbm__transaction": "256 B"}, "grouped", 13),
]  # fmt: skip


def test_is_a_step_alike_whose_claims_wait_for_the_same_returns() -> None:
    how, steps = options(machine(**FULL)), generation("llama", 18, 5)
    done, new = made(steps.trace(1), how), made(steps.trace(2), how)
    one = run(done, how, 0.0)
    assert full(done, new)
    assert Likeness(how.arch).changes(done, new) is not None
    assert times(one) == times(run(new, how, 0.0))


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
@pytest.mark.parametrize(("rings", "others", "family", "prompt"), OTHER)
def test_is_it_noticed_that_a_claim_waits_for_another_return(
    rings: dict[str, str],
    others: dict[str, str],
    family: str,
    prompt: int,
    first: int,
    second: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sram = {f"global_sram__{name}": size for name, size in rings.items()}
    how, steps = options(machine(**{**FULL, **sram, **others})), generation(family, prompt, 5)
    done, new = made(steps.trace(first), how), made(steps.trace(second), how)
    one = run(done, how, 0.0)
    assert full(done, new)
    assert Likeness(how.arch).changes(done, new) is None
    # nothing else tells them apart, and they are not the same
    monkeypatch.setattr("lsim.parts.alike.same_needs", lambda *_: True)
    assert Likeness(how.arch).changes(done, new) is not None
    assert times(one) != times(run(new, how, 0.0))


# Of the small machine: 8 B an SRAM cycle of 2 ticks, 8 B a tick from HBM. Pairs of items: what both spend is the same, or not.
SPENT = [
    (Fill(9), Fill(16), True),
    (Fill(8), Fill(9), False),
    (Fill(8, frees=8), Fill(8, frees=7), True),
    (Fill(8, frees=8), Fill(8), False),
    (Piece(9, 9), Piece(16, 16), True),
    (Piece(8, 8), Piece(9, 9), False),  # to write it: what HBM takes may differ
    (Piece(8, 8, load=8), Piece(8, 8), False),
    (Drain(0, 8), Drain(0, 7), True),
    (Drain(0, 8), Drain(0, 9), False),
    (Drain(0, 8), Drain(1, 8), False),
    (Drain(0, 8, room=8), Drain(0, 8), False),
    (Drain(0, 8, copies=True), Drain(0, 8), False),
    (Block(4, 1, 3, 2, 8, 8, 8), Block(4, 1, 4, 1, 7, 8, 8), True),
    (Block(4, 1, 2, 2, 8, 8, 8), Block(4, 1, 3, 2, 8, 8, 8), False),  # the second tile has rows, too
    (Block(4, 1, 4, 2, 8, 8, 8), Block(5, 1, 4, 2, 8, 8, 8), False),
    (Lanes(8, 2, 8, 8), Lanes(7, 2, 7, 7), True),
    (Lanes(8, 2, 8, 8), Lanes(8, 3, 8, 8), False),
    (Lanes(8, 2, 8, 8), Lanes(8, 2, 8, 0), False),
    (Issue((), 8, (), 0), Issue((), 9, (), 0), True),
    (Issue((), 8, (), 0), Issue((), 0, (), 0), False),
    (Retire((), 8), Retire((), 0), False),
]


@pytest.mark.parametrize(("one", "other", "same"), SPENT, ids=str)
def test_do_items_spend_the_same(one: Any, other: Any, same: bool) -> None:
    likeness = Likeness(machine())
    assert (likeness.spends(one) == likeness.spends(other)) is same


def test_has_every_kind_of_item_a_view() -> None:
    from lsim.plan import items

    kinds = {kind for kind in vars(items).values() if isinstance(kind, type) and attrs.has(kind)}
    assert kinds == {type(one) for one, _, _ in SPENT}


def refuse(*_: object) -> None:
    raise _NotAlike


@pytest.mark.parametrize(
    ("check", "answer"),
    [("_same_wires", lambda *_: False), ("Likeness._check_grants", refuse), ("Likeness._served", refuse)],
)
def test_is_nothing_alike_that_fails_one_of_the_checks(
    check: str, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is like itself; each of the checks alone can say that it is not."""
    how, trace = options(machine(**COARSE)), generation("llama", 12, 12).trace(1)
    assert alike(trace, trace, how)[0]
    monkeypatch.setattr(f"lsim.parts.alike.{check}", answer)
    assert not alike(trace, trace, how)[0]
