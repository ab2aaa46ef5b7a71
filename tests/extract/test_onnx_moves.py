"""Sequences, parts put together again, sums over axes, einsum, choices, and what is prepared outside the machine."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx_models import INT64, Model, kinds, only, refused, sizes

from lsim.trace import Kind, Role


def linear(m, x, wide=6, name="w"):
    return m.node("MatMul", x, m.weight(name, wide, wide))


# -- parts put together again --------------------------------------------------------------------------------------
def part(m, x, begin, end, axis, step=1):
    at = len(m.nodes)
    numbers = [m.constant(f"{word}{at}", [value]) for word, value in (("b", begin), ("e", end), ("a", axis))]
    return m.node("Slice", x, *numbers, m.constant(f"s{at}", [step]))


def test_is_a_roll_no_operator(tmp_path):
    m = Model()
    x = linear(m, m.input("x", 8, 6))
    rolled = m.node("Concat", part(m, x, 3, 8, 0), part(m, x, 0, 3, 0), axis=0)
    trace = m.trace(tmp_path, linear(m, rolled, name="v"))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM]
    assert trace.operators[1].operands[1] == trace.operators[0].outputs


def test_is_merging_patches_no_operator(tmp_path):
    """As Swin does it: every second row and column, four times, side by side."""
    m = Model()
    x = m.node("Reshape", linear(m, m.input("x", 16, 6)), m.constant("grid", [4, 4, 6]))
    four = [part(m, part(m, x, row, 4, 0, 2), column, 4, 1, 2) for column in (0, 1) for row in (0, 1)]
    merged = m.node("Reshape", m.node("Concat", *four, axis=2), m.constant("flat", [4, 24]))
    trace = m.trace(tmp_path, linear(m, merged, 24, "v"))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM]


@pytest.mark.parametrize(("begin", "end"), [(0, 5), (2, 5)])
def test_are_parts_gathered_that_are_not_each_element_once(tmp_path, begin, end):
    """As many elements as there were, but some of them twice."""
    m = Model()
    x = linear(m, m.input("x", 8, 6))
    joined = m.node("Concat", part(m, x, begin, end, 0), part(m, x, 8 - (8 - (end - begin)), 8, 0), axis=0)
    trace = m.trace(tmp_path, linear(m, joined, name="v"))
    if begin:
        assert Kind.EMBEDDING in kinds(trace)
    else:
        assert kinds(trace) == [Kind.GEMM, Kind.GEMM]


# -- sequences -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("split", [[2, 4], 2, 4, None])
def test_is_a_split_to_a_sequence_a_split(tmp_path, split):
    m = Model()
    x = linear(m, m.input("x", 5, 6))
    given = [] if split is None else [m.constant("split", split)]
    parts = m.node("SplitToSequence", x, *given, axis=1)
    last = m.node("SequenceAt", parts, m.constant("last", -1))
    first = m.node("SequenceAt", parts, m.constant("first", 0))
    trace = m.trace(tmp_path, m.node("Relu", last), m.node("Tanh", first))
    wide = {"[2, 4]": (4, 2), "2": (2, 2), "4": (2, 4), "None": (1, 1)}[str(split)]
    assert [o.elements for o in trace.operators if o.kind is Kind.ACTIVATION] == [5 * size for size in wide]


def test_is_a_sequence_that_is_joined_a_concatenation(tmp_path):
    m = Model()
    both = m.node("SequenceConstruct", m.input("x", 5, 3), m.input("y", 5, 3))
    operator = only(m.trace(tmp_path, m.node("Relu", m.node("ConcatFromSequence", both, axis=1))))
    assert operator.operands == (("x", "y"),)


def test_is_a_part_refused_that_is_chosen_while_it_runs(tmp_path):
    m = Model()
    parts = m.node("SplitToSequence", m.input("x", 5, 6), m.constant("split", 2), axis=1)
    out = m.node("Relu", m.node("SequenceAt", parts, m.input("which", dtype=INT64)))
    assert refused(m, tmp_path, out).startswith("node SequenceAt.1 (SequenceAt): ")


# -- sums over axes ------------------------------------------------------------------------------------------------
def test_is_a_mean_over_tokens_a_product_with_a_vector(tmp_path):
    m = Model()
    operator = only(trace := m.trace(tmp_path, m.node("ReduceMean", m.input("x", 2, 9, 6), axes=[1])))
    assert (operator.kind, sizes(operator)) == (Kind.GEMM, (1, 12, 9, 1))
    assert trace.tensors[operator.operands[1][0]].elements == 9


def test_is_a_sum_of_two_rows_a_residual(tmp_path):
    m = Model(13)
    x = linear(m, m.input("x", 5, 2, 6))
    trace = m.trace(tmp_path, m.node("ReduceSum", x, m.constant("axis", [1]), keepdims=0))
    assert kinds(trace) == [Kind.GEMM, Kind.RESIDUAL]
    assert sizes(trace.operators[1]) == (1, 6, 0, 5)
    assert trace.operators[1].operands == tuple((name,) for name in trace.operators[0].outputs)


# -- einsum --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("equation", "one", "other", "wanted"),
    [
        ("bhqd,bhkd->bhqk", (2, 3, 5, 4), (2, 3, 7, 4), (6, 5, 4, 7)),
        ("bqhd,bkhd->bhqk", (2, 5, 3, 4), (2, 7, 3, 4), (6, 5, 4, 7)),
        ("ij,jk", (5, 4), (4, 7), (1, 5, 4, 7)),
        ("...qd,...kd->...qk", (2, 3, 5, 4), (2, 3, 7, 4), (6, 5, 4, 7)),
    ],
)
def test_is_an_einsum_of_two_a_product(tmp_path, equation, one, other, wanted):
    m = Model()
    operator = only(
        m.trace(tmp_path, m.node("Einsum", m.input("x", *one), m.input("y", *other), equation=equation))
    )
    assert sizes(operator) == wanted


def test_is_an_einsum_with_a_parameter_a_linear_layer(tmp_path):
    m = Model()
    out = m.node("Einsum", m.input("x", 2, 5, 6), m.weight("w", 6, 3, 4), equation="btd,dhe->bhte")
    operator = only(trace := m.trace(tmp_path, out))
    assert sizes(operator) == (1, 12, 6, 10)
    assert trace.is_linear(operator)


def test_is_an_einsum_that_permutes_no_operator(tmp_path):
    m = Model()
    out = m.node("Relu", m.node("Einsum", m.input("x", 2, 5, 6), equation="abc->cab"))
    assert only(m.trace(tmp_path, out)).operands == (("x",),)


def test_is_an_einsum_without_a_common_sum_a_product_of_elements(tmp_path):
    m = Model()
    out = m.node("Einsum", m.input("x", 5, 6), m.input("y", 6), equation="ab,b->ab")
    assert only(m.trace(tmp_path, out)).kind is Kind.MULTIPLY


@pytest.mark.parametrize(
    ("equation", "shapes"), [("aa->a", [(5, 5)]), ("ab->a", [(5, 6)]), ("a,b,c->abc", [(2,), (3,), (4,)])]
)
def test_is_another_einsum_refused(tmp_path, equation, shapes):
    m = Model()
    inputs = [m.input(f"x{at}", *shape) for at, shape in enumerate(shapes)]
    assert "write " in refused(m, tmp_path, m.node("Einsum", *inputs, equation=equation))


# -- what is prepared, what is constant ----------------------------------------------------------------------------
def test_are_sines_of_positions_an_input(tmp_path):
    m = Model()
    steps = m.node("Cast", m.input("steps", 3, 1, dtype=INT64), to=1)
    angles = [m.node("Mul", steps, m.weight("frequencies", 8)) for _ in range(2)]
    waves = [m.node("Sin", angle) for angle in angles]
    trace = m.trace(
        tmp_path, *(m.node("MatMul", wave, m.weight(f"w{at}", 8, 6)) for at, wave in enumerate(waves))
    )
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM]
    (given,) = trace.inputs  # the same for both: it is prepared once
    assert given.elements == 24
    assert trace.parameters == 2 * 48


def test_is_a_look_up_by_positions_work_of_the_machine(tmp_path):
    m = Model()
    out = m.node("Sin", m.node("Gather", m.weight("table", 9, 6), m.input("ids", 5, dtype=INT64)))
    assert kinds(m.trace(tmp_path, out)) == [Kind.EMBEDDING, Kind.ACTIVATION]


def test_is_a_computed_constant_part_of_its_neighbours(tmp_path):
    m = Model()
    ramp = m.node("Range", *(m.constant(f"r{at}", value, np.float32) for at, value in enumerate((0, 6, 1))))
    operator = only(m.trace(tmp_path, m.node("Relu", m.node("Add", m.input("x", 5, 6), ramp))))
    assert operator.operands == (("x",),)


def test_is_an_array_of_the_file_no_constant(tmp_path):
    m = Model()
    out = m.node("Relu", m.node("Add", m.input("x", 5, 6), m.weight("table", 5, 6)))
    assert kinds(trace := m.trace(tmp_path, out)) == [Kind.RESIDUAL, Kind.ACTIVATION]
    assert trace.parameters == 30


def test_is_a_choice_by_a_prepared_mask_free_and_by_a_computed_one_not(tmp_path):
    m = Model()
    x, never = linear(m, m.input("x", 5, 6)), m.constant("zero", 0.0, np.float32)
    prepared = m.node("Greater", m.input("ids", 5, 1, dtype=INT64), m.constant("three", 3))
    assert kinds(m.trace(tmp_path, m.node("Where", prepared, x, never))) == [Kind.GEMM]
    m = Model()
    x, y = linear(m, m.input("x", 5, 6)), m.input("y", 5, 6)
    computed = m.node("Greater", x, m.constant("half", 0.5, np.float32))
    assert Kind.RESIDUAL in kinds(m.trace(tmp_path, m.node("Where", computed, x, y)))


# -- look-ups ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("turned", [False, True])
def test_are_look_ups_that_are_summed_one(tmp_path, turned):
    m = Model()
    ids, types = (m.input(name, 2, 5, dtype=INT64) for name in ("ids", "types"))
    words = m.node("Gather", m.weight("words", 90, 6), ids)
    both = m.node("Add", words, m.node("Gather", m.weight("kinds", 2, 6), types))
    positions = m.node("Gather", m.weight("positions", 20, 6), m.constant("first", np.arange(5)))
    summed = m.node("Add", *([positions, both] if turned else [both, positions]))
    operator = only(trace := m.trace(tmp_path, summed))
    assert operator.operands == (("ids", "types"), ("words",), ("kinds",), ("positions",))
    assert sizes(operator) == (1, 10, 0, 6)
    assert trace.parameters == 112 * 6


def test_are_the_largest_of_each_row_gathered_and_counted_on(tmp_path):
    """A router: what the indices choose depends on the scores."""
    m = Model()
    scores = m.node("MatMul", m.input("x", 5, 6), m.weight("gate", 6, 4))
    _, chosen = m.node("TopK", scores, m.constant("two", [2]), outputs=2, axis=-1)
    doubled = m.node("Mul", chosen, m.constant("again", 1))
    trace = m.trace(tmp_path, m.node("Gather", m.weight("table", 4, 3), doubled))
    assert kinds(trace) == [Kind.GEMM, Kind.EMBEDDING, Kind.EMBEDDING]
    assert trace.operators[2].operands[0] == trace.operators[1].outputs
    assert (trace.operators[1].elements, trace.operators[1].label) == (10, "top-k")


# -- the cache -----------------------------------------------------------------------------------------------------
def test_is_a_cache_known_by_what_reads_it_whatever_its_name(tmp_path):
    m = Model()
    x, size, before = m.input("x", 1, 2, 1, 6), 6, 4
    old = [m.input(name, 1, 2, before, size) for name in ("a", "b")]
    q, *new = (m.node("MatMul", x, m.weight(name, 6, 6)) for name in "qkv")
    k, v = (m.node("Concat", past, one, axis=2) for past, one in zip(old, new, strict=True))
    weights = m.node("Softmax", m.node("MatMul", q, m.node("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    trace = m.trace(tmp_path, m.node("MatMul", weights, v), k, v)
    held = {name for name, tensor in trace.tensors.items() if tensor.role is Role.KV}
    assert held == {"a", "b", trace.operators[1].outputs[0], trace.operators[2].outputs[0]} or len(held) == 4
    assert {"a", "b"} <= held


def test_are_keys_that_are_given_with_their_queries_no_cache(tmp_path):
    m = Model()
    q, k, v = (m.input(name, 1, 2, 5, 6) for name in "qkv")
    weights = m.node("Softmax", m.node("MatMul", q, m.node("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    trace = m.trace(tmp_path, m.node("MatMul", weights, v))
    assert {tensor.role for tensor in trace.inputs} == {Role.INPUT}
    assert len(trace.inputs) == 3
