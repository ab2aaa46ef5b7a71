"""Is a plan that is made of the one before it the plan that is made from scratch?"""

from __future__ import annotations

from itertools import pairwise

import pytest
from attrs import evolve
from generations import COARSE, generation
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from small import linear, machine, trace, vector
from strategies import Machine, coarse_machines

from lsim.errors import InputError
from lsim.plan.schedule import Deps, Plan, plan
from lsim.plan.work import Cache
from lsim.trace import Kind, Trace


def same(one: Plan, other: Plan) -> bool:
    """Whether two plans that share a builder are the same in all; their programs are the same objects."""
    fields = [name for name in Plan.__slots__ if not name.startswith("__")]
    differ = [name for name in fields if name != "programs" and getattr(one, name) != getattr(other, name)]
    programs = one.programs.keys() == other.programs.keys()
    return not differ and programs and all(p is other.programs[name] for name, p in one.programs.items())


def scratch(trace: Trace, cache: Cache, *how: object) -> Plan:
    return plan(trace, *how, Cache(cache.builder, cache.tiled, cache.made))  # type: ignore[arg-type]


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    coarse_machines(),
    st.sampled_from([None, "lockstep", "head-parallel", "m1-stationary"]),
    st.sampled_from(["llama", "grouped", "gpt2"]),
    st.integers(1, 60),
    st.integers(1, 3),
    st.integers(1, 30),
)
def test_is_the_plan_of_a_grown_step_that_from_scratch(
    machine: Machine, mapping: str | None, family: str, prompt: int, batch: int, apart: int
) -> None:
    steps, cache = generation(family, prompt, 1 + apart * 3 + 1, batch), Cache()
    skeletons = set()
    try:
        how = machine.arch, mapping, Deps.BARRIER
        for number in range(1, 1 + apart * 3, apart):
            made = plan(steps.trace(number), *how, cache)
            skeletons.add(id(cache.skeleton))
            assert same(made, scratch(steps.trace(number), cache, *how))
    except InputError:
        assume(False)
    event("taken over" if len(skeletons) < 3 else "anew")


def test_is_a_skeleton_kept_while_sizes_grow_and_no_longer() -> None:
    steps, cache, arch = generation("llama", 12, 6), Cache(), machine(**COARSE)
    kept = []
    for number in range(6):
        plan(steps.trace(number), arch, cache=cache)
        kept.append(cache.skeleton)
    assert kept[0] is not kept[1]  # a prefill is no decode step
    assert all(one is kept[1] for one in kept[2:])
    layers = sum(o.label == "qk" for o in steps.trace(1).operators)
    assert kept[1] is not None
    assert layers == 3
    assert len(set(kept[1].first)) < len(kept[1].units)  # the layers are alike


def test_is_a_trace_planned_anew_that_differs_in_more_than_sizes() -> None:
    cache, arch = Cache(), machine()
    plan(linear(8, 8, 8), arch, cache=cache)
    before = cache.skeleton
    plan(linear(8, 8, 12), arch, cache=cache)
    assert cache.skeleton is before
    for other in (renamed(linear(8, 8, 8)), generation("llama", 3, 2).trace(1)):
        made = plan(other, arch, cache=cache)
        assert cache.skeleton is not before
        assert same(made, scratch(other, cache, arch, None, Deps.BARRIER))
        before = cache.skeleton


def renamed(trace: Trace) -> Trace:
    (operator,) = trace.operators
    return evolve(trace, operators=(evolve(operator, name="another"),))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_is_a_plan_made_anew_if_units_alike_grow_apart(which: int) -> None:
    """Equal layers, of which one alone grows."""
    arch, cache, sizes = machine(), Cache(), [8, 8, 8, 8]
    plan(side_by_side(*sizes), arch, cache=cache)
    before = cache.skeleton
    assert before is not None
    assert before.first == (0, 0, 0, 3)  # the last prefetches nothing
    sizes[which] = 12
    made = plan(side_by_side(*sizes), arch, cache=cache)
    assert cache.skeleton is not before
    assert same(made, scratch(side_by_side(*sizes), cache, arch, None, Deps.BARRIER))


def test_is_a_plan_made_anew_if_a_result_moves_out() -> None:
    """A softmax between two others, that has room until the row before it is too long."""

    def scores(columns: int) -> Trace:
        names = ["x", "a", "b", "c"]
        pairs = pairwise(names)
        return trace(*(vector(Kind.SOFTMAX, [one], other, 16, columns) for one, other in pairs))

    arch, cache = machine(global_sram__capacity="1 KiB"), Cache()
    plan(scores(8), arch, cache=cache)
    before = cache.skeleton
    assert before is not None
    assert not any(before.residency.spilled[:2])
    made = plan(scores(64), arch, cache=cache)
    assert all(made.residency.spilled[:2])
    assert cache.skeleton is not before
    assert same(made, scratch(scores(64), cache, arch, None, Deps.BARRIER))


def test_is_a_plan_made_anew_if_sizes_join_a_chain() -> None:
    def pair(columns: int) -> Trace:
        first = vector(Kind.ACTIVATION, ["x"], "y", 8, 8)
        return trace(first, vector(Kind.ACTIVATION, ["y"], "z", 64 // columns, columns))

    arch, cache = machine(), Cache()
    assert len(plan(pair(16), arch, cache=cache).units) == 2
    assert len(plan(pair(8), arch, cache=cache).units) == 1


def side_by_side(*columns: int) -> Trace:
    """Independent linear layers of so many columns."""
    parts = [linear(8, 8, n) for n in columns]
    tensors, operators = {}, []
    for i, part in enumerate(parts):
        tensors.update({f"{name}{i}": evolve(t, name=f"{name}{i}") for name, t in part.tensors.items()})
        (op,) = part.operators
        operands = tuple(tuple(f"{name}{i}" for name in operand) for operand in op.operands)
        outputs = tuple(f"{name}{i}" for name in op.outputs)
        operators.append(evolve(op, name=f"{op.name}{i}", operands=operands, outputs=outputs))
    return evolve(parts[0], tensors=tensors, operators=tuple(operators))
