"""What makes a document a trace, and how each fault is told."""

import json
from collections import defaultdict

import pytest

from lsim.errors import TraceError
from lsim.trace import loads

HEADER = {"lsim_trace": 1, "name": "t"}
X = {"tensor": "x", "role": "input", "shape": [4, 3]}
W = {"tensor": "w", "role": "weight", "shape": [5, 4]}


def text(*records):
    return "\n".join(map(json.dumps, [HEADER, *records]))


def op(name, kind, sizes, *operands, out=None, **more):
    """An operator of sizes heads, rows, depth, columns that writes `name`.out of the right size, or `out`."""
    fields = {
        key: size for key, size in zip(("heads", "rows", "depth", "columns"), sizes, strict=True) if size
    }
    heads, rows, _, columns = sizes
    shape = out or [heads, rows, columns]
    return {
        "op": name,
        "kind": kind,
        **fields,
        "operands": operands,
        "outputs": {f"{name}.out": shape},
        **more,
    }


def gemm(name="g", *operands, **more):
    return op(name, "gemm", (1, 5, 4, 3), *(operands or ("w", "x")), **more)


def copy(name, source):
    return op(name, "activation", (1, 4, 0, 3), source)


def error(*records):
    with pytest.raises(TraceError) as caught:
        loads(text(*records))
    return str(caught.value)


def test_is_an_unknown_tensor_refused_with_a_suggestion():
    near = {"tensor": "patches", "role": "input", "shape": [4, 3]}
    assert error(near, W, gemm("g", "w", "patchs")) == (
        "line 4: g: no tensor is named 'patchs'; did you mean 'patches'?"
    )


def test_is_an_unknown_tensor_unlike_any_refused_without_a_suggestion():
    assert error(X, W, gemm("g", "w", "zebra")) == "line 4: g: no tensor is named 'zebra'"


def test_is_m1_of_the_wrong_size_refused():
    wrong = {**W, "shape": [5, 3]}
    assert error(X, wrong, gemm()) == "line 4: g: operand 0 (w) has 15 elements, not 1 x 5 x 4 = 20"


def test_is_m2_of_the_wrong_size_refused_as_the_concatenation_it_is():
    more = {"tensor": "more", "role": "kv", "shape": [2]}
    assert error(X, W, more, gemm("g", "w", ["x", "more"])) == (
        "line 5: g: operand 1 (x + more) has 14 elements, not 1 x 4 x 3 = 12"
    )


def test_is_a_bias_of_the_wrong_size_refused():
    bias = {"tensor": "bias", "role": "weight", "shape": [3]}
    assert error(X, W, bias, gemm("g", "w", "x", "bias")) == (
        "line 5: g: operand 2 (bias) has 3 elements, not 1 x 5 = 5"
    )


def test_is_an_output_of_the_wrong_size_refused():
    assert (
        error(X, W, gemm(out=[5, 4])) == "line 4: g: the output (g.out) has 20 elements, not 1 x 5 x 3 = 15"
    )


def test_is_a_gain_of_the_wrong_size_refused():
    gain = {"tensor": "gain", "role": "weight", "shape": [3]}
    assert error(X, gain, op("n", "norm", (1, 3, 0, 4), "x", "gain")) == (
        "line 4: n: operand 1 (gain) has 3 elements, not 4"
    )


def test_may_a_parameter_of_a_sum_or_product_be_smaller():
    scale = {"tensor": "s", "role": "weight", "shape": [4]}
    for kind in ("residual", "multiply"):
        assert loads(text(X, scale, op("m", kind, (1, 4, 0, 3), "x", "s"))).parameters == 4


def test_must_what_is_repeated_divide_the_result():
    for size in (5, 24):
        small = {"tensor": "s", "role": "weight", "shape": [size]}
        assert "operand 1 (s)" in error(X, small, op("m", "multiply", (1, 4, 0, 3), "x", "s"))


def test_may_an_opaque_operator_read_any_number_of_elements():
    assert loads(text(X, op("o", "opaque", (1, 1, 0, 5), "x"))).operators[0].elements == 5
    assert "takes 1 operands" in error(X, W, op("o", "opaque", (1, 1, 0, 5), "x", "w"))


def test_is_a_table_without_whole_rows_refused():
    ids, table = {**X, "shape": [3]}, {**W, "shape": [7]}
    assert error(ids, table, op("e", "embedding", (1, 3, 0, 2), "x", "w")) == (
        "line 4: e: the table (w) has 7 elements, not whole rows of 2"
    )


@pytest.mark.parametrize(
    ("operator", "problem"),
    [
        (op("o", "softmax", (1, 4, 0, 3), "x", "x"), "softmax takes 1 operands, not 2"),
        (op("o", "residual", (1, 4, 0, 3), "x"), "residual takes 2 to 8 operands, not 1"),
        (op("o", "gemm", (1, 4, 1, 3), "x"), "gemm takes 2 to 3 operands, not 1"),
        (op("o", "activation", (1, 4, 0, 3), "x", causal=True), "activation cannot be causal"),
        (op("o", "softmax", (1, 4, 0, 3), "x", window=2), "only a causal operator has a window"),
        (op("o", "softmax", (1, 4, 0, 3), "x", band=[0, 2, 4]), "only a causal operator has a band"),
        (
            op("o", "softmax", (1, 4, 0, 3), "x", causal=True, band=[2, 2, 4]),
            "a band is [begin, end, tokens], begin < end <= tokens, not [2, 2, 4]",
        ),
        (
            op("o", "softmax", (1, 4, 0, 3), "x", causal=True, band=[0, 3, 4]),
            "has 4 rows, not a multiple of the 3 queries of its band",
        ),
        (
            op("o", "softmax", (1, 4, 0, 3), "x", causal=True, band=[2, 4, 4]),
            "the queries of its band need 4 keys, which is not its columns",
        ),
        (
            op("o", "softmax", (1, 4, 0, 3), "x", causal=True, window=3, band=[2, 4, 4]),
            "the queries of its band need 4 keys, which is not its columns",
        ),
    ],
)
def test_is_an_operator_held_to_its_kind(operator, problem):
    assert error(X, operator) == f"line 3: o: {problem}"


def test_has_a_band_in_a_window_the_keys_from_the_first_that_it_needs():
    softmax = op("o", "softmax", (1, 4, 0, 3), "x", causal=True, window=2, band=[2, 4, 4])
    assert loads(text(X, softmax)).operators[0].band == (2, 4, 4)


def test_may_an_operand_of_a_sum_be_smaller_and_repeat():
    bias = {**W, "tensor": "b", "shape": [4]}
    trace = loads(text(X, bias, op("o", "residual", (1, 4, 0, 3), "x", "b")))
    assert trace.operators[0].elements == 12


@pytest.mark.parametrize(("first", "second"), [([5], [12]), ([12], [5]), ([4], [6])])
def test_must_a_smaller_operand_fit_and_one_be_whole(first, second):
    one, other = {**X, "tensor": "x", "shape": first}, {**X, "tensor": "y", "shape": second}
    told = error(one, other, op("o", "multiply", (1, 4, 0, 3), "x", "y"))
    assert told.startswith("line 4: o: operand ")
    assert told.endswith("elements, not 1 x 4 x 3 = 12")


def test_may_the_queries_of_a_group_be_stacked_along_the_rows():
    kv_heads, group, queries, size, keys = 2, 4, 3, 5, 7
    q = {"tensor": "q", "role": "input", "shape": [kv_heads * group * size, queries]}
    k = {"tensor": "k", "role": "kv", "shape": [kv_heads * size, keys]}
    trace = loads(text(q, k, op("qk", "gemm", (kv_heads, group * queries, size, keys), "q", "k")))
    assert trace.macs == kv_heads * group * queries * size * keys


@pytest.mark.parametrize("shape", [[5, 4], [4, 5], [20]])
def test_is_a_shape_no_more_than_its_product(shape):
    assert loads(text(X, {**W, "shape": shape}, gemm())).parameters == 20


def test_is_a_tensor_of_the_same_name_refused():
    assert error(X, X, copy("c", "x")) == "line 3: x: a tensor of this name is already defined"


def test_is_an_output_that_is_declared_elsewhere_refused():
    again = {**W, "tensor": "c.out"}
    assert error(X, again, copy("c", "x")) == "line 4: c.out: a tensor of this name is already defined"


def test_is_an_operator_of_the_same_name_refused():
    second = {**copy("c", "x"), "outputs": {"other": [12]}}
    assert error(X, copy("c", "x"), second) == "line 4: c: an operator of this name is already defined"


def test_may_a_tensor_have_the_name_of_an_operator():
    record = {**copy("c", "x"), "outputs": {"c": [12]}}
    assert loads(text(X, record)).producer("c").name == "c"


@pytest.mark.parametrize("name", ["", "a b", "a{j}", "é"])
def test_is_a_name_of_other_letters_refused(name):
    problem = "the name of a tensor is made of letters, digits and _ . : / + -"
    assert error({**X, "tensor": name}, copy("c", name)) == f"line 2: {name or repr(name)}: {problem}"


def test_is_a_declared_activation_refused():
    assert error({**X, "role": "activation"}, copy("c", "x")) == (
        "line 2: x: an activation is declared by the operator that writes it, among its outputs"
    )


def test_is_a_tensor_that_nobody_reads_refused():
    assert error(X, W, copy("c", "x")) == "line 3: w: no operator reads this tensor"


def test_is_a_trace_without_operators_refused():
    assert error() == "has no operators"


def test_is_a_file_in_the_wrong_order_sorted_and_otherwise_left_alone():
    late_first = [copy("c", "b.out"), copy("z", "x"), copy("b", "a.out"), copy("a", "x"), copy("y", "x")]
    trace = loads(text(X, *late_first))
    assert [operator.name for operator in trace.operators] == ["z", "a", "b", "c", "y"]


def test_is_a_cycle_refused_by_its_operators():
    assert error(X, copy("in", "x"), copy("a", "c.out"), copy("b", "a.out"), copy("c", "b.out")) == (
        "line 4: a: needs its own result: a → b → c → a"
    )


def test_is_an_operator_that_reads_itself_refused():
    assert error(copy("a", "a.out")) == "line 2: a: needs its own result: a → a"


def test_is_a_long_cycle_told_in_short():
    ring = [copy(f"n{at}", f"n{(at - 1) % 9}.out") for at in range(9)]
    assert error(*ring) == "line 2: n0: needs its own result: n0 → n1 → n2 → n3 → n4 → n5 → (3 more) → n0"


def test_is_the_place_of_a_cycle_its_first_operator_in_the_file():
    seen = defaultdict(int)
    for shift in range(3):
        ring = [copy(f"n{(at + shift) % 3}", f"n{(at + shift - 1) % 3}.out") for at in range(3)]
        seen[error(*ring).split(":")[1]] += 1
    assert dict(seen) == {" n0": 1, " n1": 1, " n2": 1}
