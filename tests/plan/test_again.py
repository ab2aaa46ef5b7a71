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
from lsim.trace import Kind, Operator, Role, Tensor, Trace, dumps, loads


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


@pytest.mark.parametrize(
    ("before", "after", "claims", "frees"),
    [
        ((8, 16), (12, 16), (64, 64), (96 + 192, 128 + 192)),
        ((4, 16), (8, 4), (0, 64), (192, 96 + 96)),  # written over what is as large, and then no longer
    ],
    ids=["give back", "take"],
)
def test_is_a_plan_made_anew_if_units_alike_come_to_take_or_give_back_another_room(
    before: tuple[int, int], after: tuple[int, int], claims: tuple[int, int], frees: tuple[int, int]
) -> None:
    """Two products of the same sizes, on results of which other parts, that nobody reads, have grown; in bytes."""
    arch, cache = machine(global_sram__capacity="64 KiB"), Cache()
    first = products_of_parts(before, before)
    grown = as_grown(first, products_of_parts(after, before))
    one = plan(first, arch, cache=cache)
    skeleton = cache.skeleton
    assert skeleton is not None
    assert skeleton.first == (0, 1, 2, 3, 4, 4, 6, 6)
    made = plan(grown, arch, cache=cache)
    lives = one.residency, made.residency
    assert [r.claims[4] for r in lives] == list(claims)
    assert [r.frees[4] for r in lives] == list(frees)
    assert [(r.claims[5], r.frees[5]) for r in lives] == [(claims[0], frees[0])] * 2
    assert cache.skeleton is not skeleton
    assert same(made, scratch(grown, cache, arch, None, Deps.BARRIER))


def as_grown(before: Trace, after: Trace) -> Trace:
    """A trace that has the operators of the one before which are equal, as steps of a generation have."""
    pairs = zip(before.operators, after.operators, strict=True)
    return evolve(after, operators=tuple(one if one == other else other for one, other in pairs))


def products_of_parts(*unread: tuple[int, int]) -> Trace:
    """Products of four rows, which repeat, with eight, each the first part of a linear layer's result; `unread`: rows of the second."""
    tensors, layers, products, readers = [], [], [], []
    for side, rows in enumerate(zip(*unread, strict=True)):
        for at, more in enumerate(rows):
            name, read, depth = f"{side}{at}", 4 + 4 * side, 8 * (1 + at + 2 * side)
            tensors += [
                Tensor(f"w{name}", (read + more, depth), Role.WEIGHT),
                Tensor(f"x{name}", (depth, 8), Role.INPUT),
                Tensor(f"read{name}", (read, 8), Role.ACTIVATION),
                Tensor(f"unread{name}", (more, 8), Role.ACTIVATION),
            ]
            operands, outputs = ((f"w{name}",), (f"x{name}",)), (f"read{name}", f"unread{name}")
            layers.append(Operator(name, Kind.GEMM, operands, outputs, 1, read + more, depth, 8))
    for at in range(len(unread)):
        tensors += [Tensor(f"{made}{at}", (8, 8), Role.ACTIVATION) for made in "po"]
        reads, written = ((f"read0{at}",), (f"read1{at}",)), (f"p{at}",)
        products.append(Operator(f"p{at}", Kind.MULTIPLY, reads, written, 1, 8, 0, 8))
        readers.append(Operator(f"o{at}", Kind.SOFTMAX, (written,), (f"o{at}",), 1, 8, 0, 8))
    made = Trace("parts", {t.name: t for t in tensors}, (*layers, *products, *readers))
    return loads(dumps(made))


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
