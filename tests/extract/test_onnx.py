"""ONNX models: what each operator becomes, attention, and what is refused."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lsim import load_arch, simulate
from lsim.cli import cli
from lsim.errors import TraceError
from lsim.trace import Kind, Role, load_trace

pytest.importorskip("onnx")
import onnx
from onnx_models import FLOAT, INT64, Model

from lsim.extract.onnx_model import from_onnx

MS = "com.microsoft"
ARCH = load_arch("lt-b-4bit")


def kinds(trace):
    return [operator.kind for operator in trace.operators]


def sizes(operator):
    return operator.heads, operator.rows, operator.depth, operator.columns


def only(trace):
    (operator,) = trace.operators
    return operator


@pytest.fixture
def folder(tmp_path):
    return tmp_path


# -- products ------------------------------------------------------------------------------------------------------
def test_is_a_product_with_a_parameter_a_linear_layer(folder):
    m = Model()
    out = m.node("MatMul", m.input("x", 2, 5, 3), m.weight("w", 3, 7))
    operator = only(trace := m.trace(folder, out))
    assert sizes(operator) == (1, 7, 3, 10)
    assert trace.is_linear(operator)
    assert trace.macs == 2 * 5 * 3 * 7
    assert [tensor.role for tensor in trace.inputs] == [Role.INPUT]


def test_is_a_product_from_the_left_with_a_parameter_a_linear_layer(folder):
    m = Model()
    out = m.node("MatMul", m.weight("w", 7, 3), m.input("x", 2, 3, 5))
    assert sizes(only(m.trace(folder, out))) == (1, 7, 3, 10)


@pytest.mark.parametrize("turned", [0, 1])
def test_is_gemm_a_linear_layer_with_its_bias(folder, turned):
    m = Model()
    weight = m.weight("w", 7, 3) if turned else m.weight("w", 3, 7)
    out = m.node("Gemm", m.input("x", 5, 3), weight, m.weight("b", 7), transB=turned)
    operator = only(trace := m.trace(folder, out))
    assert sizes(operator) == (1, 7, 3, 5)
    assert operator.operands == (("w",), ("x",), ("b",))
    assert trace.parameters == 28


def test_is_a_sum_with_a_row_the_bias_of_the_layer_before(folder):
    m = Model()
    product = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 3, 7))
    operator = only(m.trace(folder, m.node("Add", m.weight("b", 7), product)))
    assert operator.operands[2] == ("b",)


def test_is_a_bias_that_another_node_must_not_see_a_sum(folder):
    m = Model()
    product = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 3, 7))
    trace = m.trace(folder, m.node("Add", product, m.weight("b", 7)), m.node("Relu", product))
    assert Kind.RESIDUAL in kinds(trace)
    assert len(trace.operators[0].operands) == 2
    assert trace.parameters == 28


def test_has_a_product_of_activations_as_many_heads_as_matrices(folder):
    m = Model()
    out = m.node("MatMul", m.input("a", 2, 4, 5, 3), m.input("b", 2, 4, 3, 6))
    assert sizes(only(m.trace(folder, out))) == (8, 5, 3, 6)


def test_is_a_repeated_key_counted_once(folder):
    """Four query heads on each of two key heads: the keys are expanded, and read once for all four."""
    m = Model()
    k = m.node("Unsqueeze", m.input("k", 1, 2, 6, 3), m.constant("axis", [2]))
    k = m.node("Expand", k, m.constant("wide", [1, 2, 4, 6, 3]))
    k = m.node("Reshape", k, m.constant("flat", [1, 8, 6, 3]))
    out = m.node("MatMul", m.input("q", 1, 8, 5, 3), m.node("Transpose", k, perm=[0, 1, 3, 2]))
    operator = only(trace := m.trace(folder, out))
    assert sizes(operator) == (2, 4 * 5, 3, 6)
    assert trace.macs == 8 * 5 * 3 * 6
    assert trace.tensors["k"].elements == 2 * 6 * 3


CONVOLUTIONS = {
    "3 x 3": ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, (8, 4, 3, 3), (1, 8, 36, 80), True),
    "strided": (
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        (8, 4, 3, 3),
        (1, 8, 36, 20),
        True,
    ),
    "1 x 1": ({"kernel_shape": [1, 1]}, (8, 4, 1, 1), (1, 8, 4, 80), False),
    "patches": ({"kernel_shape": [2, 2], "strides": [2, 2]}, (8, 4, 2, 2), (1, 8, 16, 20), False),
    "groups": (
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "group": 2},
        (8, 2, 3, 3),
        (2, 4, 18, 80),
        True,
    ),
    "each channel": (
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "group": 4},
        (4, 1, 3, 3),
        (4, 1, 9, 80),
        True,
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_is_a_convolution_a_gemm_by_im2col(folder, name):
    attributes, shape, wanted, unfolds = CONVOLUTIONS[name]
    m = Model()
    out = m.node(
        "Conv", m.input("x", 1, 4, 8, 10), m.weight("w", *shape), m.weight("b", shape[0]), **attributes
    )
    trace = m.trace(folder, out)
    product = trace.operators[-1]
    assert sizes(product) == wanted
    assert kinds(trace) == [Kind.OPAQUE, Kind.GEMM] if unfolds else [Kind.GEMM]
    assert trace.macs == np.prod(shape) * wanted[3]  # each weight once for each place
    assert trace.parameters == np.prod(shape) + shape[0]
    if unfolds:
        assert trace.operators[0].elements == wanted[0] * wanted[2] * wanted[3]
        assert any("im2col" in line for line in trace.conventions)
    assert simulate(trace, ARCH).macs == trace.macs


def test_is_a_transposed_convolution_a_product_and_a_sum_of_windows(folder):
    m = Model()
    x, w, b = m.input("x", 1, 4, 5, 6), m.weight("w", 4, 3, 2, 2), m.weight("b", 3)
    trace = m.trace(folder, m.node("ConvTranspose", x, w, b, kernel_shape=[2, 2], strides=[2, 2]))
    assert trace.macs == 4 * 3 * 2 * 2 * 5 * 6
    assert kinds(trace) == [Kind.GEMM, Kind.OPAQUE]
    assert trace.operators[1].elements == 3 * 10 * 12
    assert trace.parameters == 4 * 3 * 4 + 3


def test_is_a_layer_of_packed_weights_a_linear_layer(folder):
    m = Model()
    packed = m.constant("w", np.zeros((7, 1, 16)), np.uint8)
    out = m.node(
        "MatMulNBits",
        m.input("x", 5, 32),
        packed,
        m.weight("scales", 7),
        domain=MS,
        K=32,
        N=7,
        bits=4,
        block_size=32,
    )
    assert sizes(only(trace := m.trace(folder, out))) == (1, 7, 32, 5)
    assert trace.parameters == 7 * 32


# -- vector operators ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", ["Relu", "Erf", "Tanh", "Sigmoid", "HardSwish", "Sqrt", "Exp"])
def test_is_a_function_an_activation(folder, op):
    m = Model()
    operator = only(m.trace(folder, m.node(op, m.input("x", 2, 5, 3))))
    assert (operator.kind, operator.label) == (Kind.ACTIVATION, op.lower())
    assert sizes(operator) == (1, 3, 0, 10)


@pytest.mark.parametrize(
    ("op", "kind"),
    [("Add", Kind.RESIDUAL), ("Sub", Kind.RESIDUAL), ("Mul", Kind.MULTIPLY), ("Div", Kind.MULTIPLY)],
)
def test_is_a_sum_or_a_product_of_arrays_one(folder, op, kind):
    m = Model()
    operator = only(m.trace(folder, m.node(op, m.input("x", 5, 3), m.input("y", 5, 3))))
    assert (operator.kind, len(operator.operands)) == (kind, 2)


def test_is_a_scale_of_each_feature_a_parameter_of_a_product(folder):
    m = Model()
    operator = only(trace := m.trace(folder, m.node("Mul", m.input("x", 5, 3), m.weight("gain", 3))))
    assert operator.kind is Kind.MULTIPLY
    assert trace.parameters == 3
    assert simulate(trace, ARCH).ticks > 0


def test_is_a_product_with_a_number_free(folder):
    m = Model()
    scaled = m.node("Mul", m.input("x", 5, 3), m.constant("half", 0.5, np.float32))
    assert only(m.trace(folder, m.node("Relu", scaled))).operands == (("x",),)


def test_is_a_small_activation_copied_to_full_size(folder):
    """Squeeze and excitation: one factor for each channel, computed."""
    m = Model()
    x = m.input("x", 1, 4, 5, 6)
    factor = m.node("Sigmoid", m.node("GlobalAveragePool", x))
    trace = m.trace(folder, m.node("Mul", x, factor))
    assert [o.label for o in trace.operators] == ["GlobalAveragePool", "sigmoid", "broadcast", "mul"]
    assert trace.operators[2].elements == 120


@pytest.mark.parametrize(
    ("opset", "axis", "wanted"),
    [
        (17, None, (8, 5, 0, 6)),
        (17, 3, (8, 5, 0, 6)),
        (11, 3, (8, 5, 0, 6)),
        (11, 2, (1, 8, 0, 30)),
        (17, 1, (10, 6, 0, 4)),
    ],
)
def test_is_softmax_over_its_axis(folder, opset, axis, wanted):
    m = Model(opset)
    operator = only(
        m.trace(
            folder, m.node("Softmax", m.input("x", 2, 4, 5, 6), **({} if axis is None else {"axis": axis}))
        )
    )
    assert operator.heads * operator.rows == wanted[0] * wanted[1]
    assert operator.columns == wanted[3]


def test_is_a_norm_one_with_its_parameters(folder):
    m = Model()
    out = m.node("LayerNormalization", m.input("x", 2, 5, 6), m.weight("g", 6), m.weight("b", 6))
    operator = only(trace := m.trace(folder, out))
    assert (operator.kind, sizes(operator)) == (Kind.NORM, (1, 10, 0, 6))
    assert trace.parameters == 12


@pytest.mark.parametrize(
    ("op", "opset", "domain"),
    [("RMSNormalization", 23, ""), ("SimplifiedLayerNormalization", 17, "")],
)
def test_is_a_norm_without_a_mean_one(folder, op, opset, domain):
    m = Model(opset)
    operator = only(m.trace(folder, m.node(op, m.input("x", 2, 5, 6), m.weight("g", 6), domain=domain)))
    assert (operator.kind, operator.label, operator.operands[1]) == (Kind.NORM, "rmsnorm", ("g",))


@pytest.mark.parametrize("simple", [False, True])
def test_is_a_skip_norm_a_sum_and_a_norm(folder, simple):
    m = Model()
    x, y, gain = m.input("x", 2, 5, 6), m.input("y", 2, 5, 6), m.weight("g", 6)
    parameters = [gain] if simple else [gain, m.weight("b", 6), m.weight("bias", 6)]
    op = "SkipSimplifiedLayerNormalization" if simple else "SkipLayerNormalization"
    normed, _, _, total = m.node(op, x, y, *parameters, outputs=4, domain=MS)
    trace = m.trace(folder, normed, m.node("Relu", total))
    assert kinds(trace) == [Kind.RESIDUAL, Kind.NORM, Kind.ACTIVATION]
    assert trace.parameters == 6 * len(parameters)


def test_are_the_embeddings_of_bert_one_operator(folder):
    m = Model()
    ids, segments = (m.input(name, 1, 5, dtype=INT64) for name in ("ids", "segments"))
    tables = [m.weight("word", 100, 6), m.weight("position", 20, 6), m.weight("segment", 2, 6)]
    out, _ = m.node(
        "EmbedLayerNormalization",
        ids,
        segments,
        *tables,
        m.weight("g", 6),
        m.weight("b", 6),
        outputs=2,
        domain=MS,
    )
    trace = m.trace(folder, out)
    assert kinds(trace) == [Kind.EMBEDDING, Kind.NORM]
    assert trace.parameters == (100 + 20 + 2 + 2) * 6


def test_is_a_look_up_an_embedding(folder):
    m = Model()
    out = m.node("Gather", m.weight("table", 100, 6), m.input("ids", 1, 5, dtype=INT64))
    operator = only(trace := m.trace(folder, out))
    assert (operator.kind, sizes(operator)) == (Kind.EMBEDDING, (1, 5, 0, 6))
    assert trace.parameters == 600


@pytest.mark.parametrize(("op", "domain"), [("Gelu", MS), ("FastGelu", MS), ("QuickGelu", MS)])
def test_is_a_gelu_an_activation(folder, op, domain):
    m = Model()
    assert only(m.trace(folder, m.node(op, m.input("x", 5, 6), domain=domain))).label == op.lower()


def test_is_the_bias_of_a_gelu_that_of_the_layer_before(folder):
    m = Model()
    product = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 3, 7))
    trace = m.trace(folder, m.node("BiasGelu", product, m.weight("b", 7), domain=MS))
    assert kinds(trace) == [Kind.GEMM, Kind.ACTIVATION]
    assert trace.operators[0].operands[2] == ("b",)


def test_are_group_and_batch_norms_kept_with_their_parameters(folder):
    m = Model(21)
    x = m.input("x", 2, 4, 5, 6)
    grouped = m.node("GroupNormalization", x, m.weight("g", 4), m.weight("b", 4), num_groups=2)
    out = m.node("BatchNormalization", grouped, *(m.weight(f"p{at}", 4) for at in range(4)))
    trace = m.trace(folder, out)
    assert [sizes(o) for o in trace.operators if o.kind is Kind.NORM] == [(1, 4, 0, 60)]
    assert trace.parameters == 6 * 4


@pytest.mark.parametrize("op", ["MaxPool", "Resize"])
def test_is_pooling_and_resampling_data_movement(folder, op):
    m = Model()
    x = m.input("x", 1, 4, 8, 10)
    if op == "MaxPool":
        out, elements = m.node(op, x, kernel_shape=[2, 2], strides=[2, 2]), 80
    else:
        out, elements = m.node(op, x, "", m.constant("scales", [1, 1, 2, 2], np.float32)), 4 * 16 * 20
    operator = only(trace := m.trace(folder, out))
    assert (operator.kind, operator.elements, operator.label) == (Kind.OPAQUE, elements, op)
    assert any(f"1 {op}" in line for line in trace.conventions)
    assert simulate(trace, ARCH).ticks > 0


# -- what exporters write as several nodes -------------------------------------------------------------------------
def layer_norm(m, x, gain, bias):
    centred = m.node("Sub", x, m.node("ReduceMean", x, axes=[-1]))
    square = m.node("ReduceMean", m.node("Pow", centred, m.constant("two", 2, np.float32)), axes=[-1])
    root = m.node("Sqrt", m.node("Add", square, m.constant("eps", 1e-5, np.float32)))
    return m.node("Add", m.node("Mul", m.node("Div", centred, root), gain), bias)


def test_is_a_written_out_layer_norm_one_operator(folder):
    m = Model(13)
    out = layer_norm(m, m.input("x", 5, 6), m.weight("g", 6), m.weight("b", 6))
    operator = only(m.trace(folder, out))
    assert (operator.kind, operator.operands, sizes(operator)) == (
        Kind.NORM,
        (("x",), ("g",), ("b",)),
        (1, 5, 0, 6),
    )


@pytest.mark.parametrize("inverse", [False, True])
def test_is_a_written_out_rms_norm_one_operator(folder, inverse):
    m = Model(13)
    x, gain = m.input("x", 5, 6), m.weight("g", 6)
    mean = m.node("ReduceMean", m.node("Pow", x, m.constant("two", 2, np.float32)), axes=[-1])
    root = m.node("Sqrt", m.node("Add", mean, m.constant("eps", 1e-5, np.float32)))
    normed = m.node("Mul", x, m.node("Reciprocal", root)) if inverse else m.node("Div", x, root)
    operator = only(m.trace(folder, m.node("Mul", gain, normed)))
    assert (operator.kind, operator.operands, operator.label) == (Kind.NORM, (("x",), ("g",)), "rmsnorm")


def test_is_a_quotient_by_the_root_of_another_mean_no_norm(folder):
    m = Model(13)
    x, y = m.input("x", 5, 6), m.input("y", 5, 6)
    mean = m.node("ReduceMean", m.node("Pow", x, m.constant("two", 2, np.float32)), axes=[-1])
    root = m.node("Sqrt", m.node("Add", mean, m.constant("eps", 1e-5, np.float32)))
    assert Kind.NORM not in kinds(m.trace(folder, m.node("Div", y, root)))


@pytest.mark.parametrize("half", ["x", "bell", "last"])
def test_is_a_written_out_gelu_one_operator(folder, half):
    m = Model()
    x = m.input("x", 5, 6)
    number, one = m.constant("half", 0.5, np.float32), m.constant("one", 1, np.float32)
    bell = m.node("Add", m.node("Erf", m.node("Div", x, m.constant("root", 1.414, np.float32))), one)
    left = m.node("Mul", x, number) if half == "x" else x
    out = m.node("Mul", left, m.node("Mul", number, bell) if half == "bell" else bell)
    out = m.node("Mul", out, number) if half == "last" else out
    operator = only(m.trace(folder, out))
    assert (operator.kind, operator.label, operator.operands) == (Kind.ACTIVATION, "gelu", (("x",),))


def test_is_a_written_out_tanh_gelu_one_operator(folder):
    m = Model()
    x, number = m.input("x", 5, 6), iter(range(9))
    c = lambda value: m.constant(f"c{next(number)}", value, np.float32)  # noqa: E731
    cube = m.node("Mul", m.node("Pow", x, c(3)), c(0.044715))
    bell = m.node("Add", m.node("Tanh", m.node("Mul", m.node("Add", x, cube), c(0.7979))), c(1))
    operator = only(m.trace(folder, m.node("Mul", m.node("Mul", x, c(0.5)), bell)))
    assert (operator.label, operator.operands) == ("gelu", (("x",),))


def test_is_a_written_out_silu_one_operator(folder):
    m = Model()
    x = m.input("x", 5, 6)
    assert only(m.trace(folder, m.node("Mul", x, m.node("Sigmoid", x)))).label == "silu"


def test_is_a_written_out_rotary_embedding_one_operator(folder):
    m = Model()
    x, cos, sin = m.input("x", 1, 2, 5, 6), m.weight("cos", 5, 6), m.weight("sin", 5, 6)
    first, second = m.node("Split", x, axis=3, outputs=2)
    turned = m.node("Concat", m.node("Neg", second), first, axis=3)
    out = m.node("Add", m.node("Mul", x, cos), m.node("Mul", turned, sin))
    operator = only(m.trace(folder, out))
    assert (operator.kind, operator.operands) == (Kind.ROTARY, (("x",),))


# -- attention -----------------------------------------------------------------------------------------------------
TOKENS, WIDTH, HEADS, SIZE = 5, 12, 3, 4


def attention(m, x, mask=None):
    """A fused projection, three heads, and a projection back, as PyTorch exports it."""
    qkv = m.node(
        "Add", m.node("MatMul", x, m.weight("qkv.w", WIDTH, 3 * WIDTH)), m.weight("qkv.b", 3 * WIDTH)
    )
    shape = m.constant("split", [1, TOKENS, 3, HEADS, SIZE])
    parts = m.node("Transpose", m.node("Reshape", qkv, shape), perm=[2, 0, 3, 1, 4])
    q, k, v = (m.node("Gather", parts, m.constant(f"at{at}", at), axis=0) for at in range(3))
    scores = m.node("MatMul", q, m.node("Transpose", k, perm=[0, 1, 3, 2]))
    scores = m.node("Div", scores, m.constant("root", 2, np.float32))
    scores = mask(m, scores) if mask else scores
    mixed = m.node("Transpose", m.node("MatMul", m.node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    flat = m.node("Reshape", mixed, m.constant("join", [1, TOKENS, WIDTH]))
    return m.node("Add", m.node("MatMul", flat, m.weight("o.w", WIDTH, WIDTH)), m.weight("o.b", WIDTH))


def causal_sum(m, scores):
    return m.node("Add", scores, m.constant("mask", np.triu(np.full((TOKENS, TOKENS), -3e38), 1), np.float32))


def causal_choice(m, scores):
    allowed = m.constant("allowed", np.tril(np.ones((1, 1, TOKENS, TOKENS))), np.bool_)
    return m.node("Where", allowed, scores, m.constant("never", -1e9, np.float32))


def banded(m, scores):
    band = np.where(np.abs(np.subtract.outer(np.arange(TOKENS), np.arange(TOKENS))) > 1, -1e4, 0)
    return m.node("Add", scores, m.constant("mask", band, np.float32))


@pytest.mark.parametrize(
    ("mask", "causal"), [(None, False), (causal_sum, True), (causal_choice, True), (banded, False)]
)
def test_is_attention_three_operators_with_its_heads_and_mask(folder, mask, causal):
    m = Model()
    trace = m.trace(folder, attention(m, m.input("x", 1, TOKENS, WIDTH), mask))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM, Kind.SOFTMAX, Kind.GEMM, Kind.GEMM]
    qkv, qk, softmax, sv, _ = trace.operators
    assert sizes(qkv) == (1, 3 * WIDTH, WIDTH, TOKENS)
    assert len(qkv.outputs) == 3
    assert sizes(qk) == (HEADS, TOKENS, SIZE, TOKENS)
    assert sizes(sv) == (HEADS, TOKENS, TOKENS, SIZE)
    assert (qk.reads, sv.reads) == (qkv.outputs[:2], (softmax.outputs[0], qkv.outputs[2]))
    assert [operator.causal for operator in trace.operators] == [False, causal, causal, causal, False]
    assert trace.macs == 4 * TOKENS * WIDTH**2 + 2 * HEADS * TOKENS**2 * SIZE
    assert trace.parameters == 4 * WIDTH**2 + 4 * WIDTH
    assert any("Masks that are not causal" in line for line in trace.conventions) == (mask is banded)
    assert simulate(trace, ARCH).macs == trace.macs


def test_is_a_mask_that_is_an_input_left_out_and_said_so(folder):
    m = Model()
    allowed = m.input("attention_mask", 1, TOKENS, dtype=INT64)

    def mask(m, scores):
        wide = m.node("Unsqueeze", allowed, m.constant("axes", [1, 2]))
        away = m.node("Sub", m.constant("one", 1, np.float32), m.node("Cast", wide, to=FLOAT))
        return m.node("Add", scores, m.node("Mul", away, m.constant("never", -1e9, np.float32)))

    trace = m.trace(folder, attention(m, m.input("x", 1, TOKENS, WIDTH), mask))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM, Kind.SOFTMAX, Kind.GEMM, Kind.GEMM]
    assert any("Masks that are not causal, or not in the file" in line for line in trace.conventions)


def test_is_a_bias_of_positions_a_parameter(folder):
    m = Model()
    biased = lambda m, scores: m.node("Add", scores, m.weight("bias", HEADS, TOKENS, TOKENS))  # noqa: E731
    trace = m.trace(folder, attention(m, m.input("x", 1, TOKENS, WIDTH), biased))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM, Kind.RESIDUAL, Kind.SOFTMAX, Kind.GEMM, Kind.GEMM]
    assert trace.parameters == 4 * WIDTH**2 + 4 * WIDTH + HEADS * TOKENS**2


def test_is_a_bias_of_each_head_no_mask_though_it_be_zero(folder):
    m = Model()
    zero = np.zeros((1, HEADS, TOKENS, TOKENS))
    biased = lambda m, scores: m.node("Add", scores, m.constant("bias", zero, np.float32))  # noqa: E731
    trace = m.trace(folder, attention(m, m.input("x", 1, TOKENS, WIDTH), biased))
    assert trace.parameters == 4 * WIDTH**2 + 4 * WIDTH + HEADS * TOKENS**2


def test_is_a_guard_against_rows_without_keys_nothing(folder):
    m = Model()
    x = m.node("Softmax", m.input("x", 2, 5, 5))
    out = m.node("Where", m.node("IsNaN", x), m.constant("zero", 0, np.float32), x)
    trace = m.trace(folder, m.node("MatMul", out, m.input("v", 2, 5, 3)))
    assert kinds(trace) == [Kind.SOFTMAX, Kind.GEMM]


def test_is_a_part_that_others_leave_gathered(folder):
    """The class token: a row of what is read as a whole elsewhere."""
    m = Model()
    x = m.node("Relu", m.input("x", 1, TOKENS, WIDTH))
    row = m.node("Gather", x, m.constant("first", 0), axis=1)
    trace = m.trace(folder, m.node("Relu", row), m.node("Tanh", x))
    (gathered,) = [operator for operator in trace.operators if operator.kind is Kind.EMBEDDING]
    assert gathered.elements == WIDTH


@pytest.mark.parametrize("causal", [0, 1])
def test_is_attention_of_opset_23_with_grouped_queries(folder, causal):
    m = Model(23)
    q, k, v = m.input("q", 2, 5, 24), m.input("k", 2, 5, 8), m.input("v", 2, 5, 8)
    trace = m.trace(folder, m.node("Attention", q, k, v, q_num_heads=6, kv_num_heads=2, is_causal=causal))
    assert kinds(trace) == [Kind.GEMM, Kind.SOFTMAX, Kind.GEMM]
    assert sizes(trace.operators[0]) == (2 * 2, 3 * 5, 4, 5)
    assert sizes(trace.operators[2]) == (2 * 2, 3 * 5, 5, 4)
    assert {operator.causal for operator in trace.operators} == {bool(causal)}


def test_is_fused_attention_with_its_projection(folder):
    m = Model()
    out = m.node(
        "Attention",
        m.input("x", 2, 5, 12),
        m.weight("w", 12, 36),
        m.weight("b", 36),
        domain=MS,
        num_heads=3,
        unidirectional=1,
    )
    trace = m.trace(folder, out)
    assert [sizes(o) for o in trace.operators] == [(1, 36, 12, 10), (6, 5, 4, 5), (6, 5, 0, 5), (6, 5, 5, 4)]
    assert trace.macs == 10 * 36 * 12 + 2 * 6 * 5 * 5 * 4
    assert trace.operators[1].causal
    assert simulate(trace, ARCH).macs == trace.macs


def test_is_multi_head_attention_with_its_bias(folder):
    m = Model()
    q, k, v = (m.input(name, 2, 5, 12) for name in "qkv")
    trace = m.trace(folder, m.node("MultiHeadAttention", q, k, v, m.weight("b", 36), domain=MS, num_heads=3))
    assert kinds(trace) == [Kind.RESIDUAL, Kind.GEMM, Kind.SOFTMAX, Kind.GEMM]
    assert sizes(trace.operators[1]) == (6, 5, 4, 5)
    assert trace.parameters == 36


def test_is_cross_attention_of_its_own_length(folder):
    m = Model()
    out = m.node(
        "MultiHeadAttention",
        m.input("q", 1, 2, 12),
        m.input("k", 1, 7, 12),
        m.input("v", 1, 7, 12),
        domain=MS,
        num_heads=3,
    )
    assert sizes(m.trace(folder, out).operators[0]) == (3, 2, 4, 7)


@pytest.mark.parametrize("packed", [False, True])
def test_has_grouped_attention_a_cache(folder, packed):
    """One token after six: eight query heads on two key heads of 4."""
    m = Model()
    x = m.input("x", 1, 1, 16)
    if packed:
        qkv = (m.node("MatMul", x, m.weight("w", 16, 48)), "", "")
    else:
        qkv = tuple(
            m.node("MatMul", x, m.weight(name, 16, rows)) for name, rows in (("wq", 32), ("wk", 8), ("wv", 8))
        )
    past = m.input("past_key.0", 1, 2, 6, 4), m.input("past_value.0", 1, 2, 6, 4)
    rest = (
        m.input("seqlens", 1, dtype=onnx.TensorProto.INT32),
        m.input("total", 1, dtype=onnx.TensorProto.INT32),
    )
    outputs = ["y", "present_key.0", "present_value.0"]
    m.node(
        "GroupQueryAttention",
        *qkv,
        *past,
        *rest,
        "",
        "",
        outputs=outputs,
        domain=MS,
        num_heads=8,
        kv_num_heads=2,
        do_rotary=1,
    )
    trace = m.trace(folder, *outputs)
    attending = [
        operator for operator in trace.operators if operator.is_gemm and not trace.is_linear(operator)
    ]
    assert [sizes(operator) for operator in attending] == [(2, 4, 4, 7), (2, 4, 7, 4)]
    assert kinds(trace).count(Kind.ROTARY) == 2
    cached = [tensor for tensor in trace.tensors.values() if tensor.role is Role.KV]
    assert sorted(tensor.elements for tensor in cached) == [8, 8, 48, 48]
    assert not any(operator.causal for operator in trace.operators)
    assert simulate(trace, ARCH).macs == 16 * 48 + 2 * 8 * 7 * 4


# -- shapes, constants, files --------------------------------------------------------------------------------------
def test_is_arithmetic_on_shapes_folded_away(folder):
    m = Model()
    x = m.input("x", "batch", 6, 4)
    batch = m.node("Gather", m.node("Shape", x), m.constant("zero", 0))
    wide = m.node("Mul", batch, m.constant("six", 6))
    shape = m.node(
        "Concat", m.node("Unsqueeze", wide, m.constant("axis", [0])), m.constant("rest", [-1]), axis=0
    )
    out = m.node("MatMul", m.node("Reshape", x, shape), m.weight("w", 4, 3))
    assert sizes(only(m.trace(folder, out, shapes={"x": (2, 6, 4)}))) == (1, 3, 4, 12)


@pytest.mark.parametrize("opset", range(11, 24))
def test_is_every_opset_read(folder, opset):
    m = Model(opset)
    x = m.node("MatMul", m.input("x", 1, 5, 6), m.weight("w", 6, 6))
    axes = {"axes": [1]} if opset < 13 else {}
    x = m.node("Unsqueeze", x, *([] if axes else [m.constant("one", [1])]), **axes)
    assert only(m.trace(folder, m.node("Flatten", x))).macs == 5 * 36


@pytest.mark.parametrize("outside", [False, True])
def test_need_weights_not_be_there(folder, outside):
    m = Model()
    x = m.node("MatMul", m.input("x", 5, 600), m.weight("w", 600, 700))
    proto = m.proto(m.node("Add", x, m.weight("b", 700)))
    path = folder / "model.onnx"
    onnx.save(proto, path, save_as_external_data=outside, location="weights.bin", size_threshold=0)
    if outside:
        (folder / "weights.bin").unlink()
    trace, _ = from_onnx(path, {})
    assert (trace.macs, trace.parameters) == (5 * 600 * 700, 600 * 700 + 700)


def refused(m, folder, *outputs, shapes=None, **options):
    with pytest.raises(TraceError) as caught:
        m.trace(folder, *outputs, shapes=shapes, **options)
    return str(caught.value)


def test_is_a_dynamic_shape_refused_with_what_to_say(folder):
    m = Model()
    out = m.node("Relu", m.input("x", "N", 3, "H"))
    assert (
        refused(m, folder, out)
        == "input x: has the dynamic shape Nx3xH: say which one, such as --shape x=1,3,1"
    )


def test_is_a_shape_that_does_not_fit_refused(folder):
    m = Model()
    out = m.node("Relu", m.input("x", "N", 3))
    assert refused(m, folder, out, shapes={"x": (1, 4)}) == "input x: has the shape Nx3, which 1x4 is not"
    assert refused(
        m, folder, out, shapes={"y": (1, 3)}
    ) == "--shape: the model has no input 'y'; did you mean 'x'?; allowed: x".replace(
        "did you mean 'x'?; ", ""
    )


def test_are_sizes_that_disagree_named(folder):
    m = Model()
    out = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 4, 7))
    assert refused(m, folder, out).startswith("node MatMul.0 (MatMul): its shapes do not fit")


def test_is_an_operator_that_is_not_known_named(folder):
    m = Model()
    out = m.node("Det", m.input("x", 2, 5, 5))
    said = refused(m, folder, out)
    assert (
        said
        == "node Det.0 (Det): this operator is not known; --allow-unknown keeps it as opaque data movement"
    )


def test_is_an_operator_that_is_not_known_kept_if_allowed(folder):
    m = Model()
    trace = m.trace(folder, m.node("Det", m.input("x", 2, 5, 5)), allow_unknown=True)
    assert (only(trace).kind, only(trace).elements) == (Kind.OPAQUE, 2)
    assert any(line.startswith("UNKNOWN") and "Det.0" in line for line in trace.conventions)
    assert simulate(trace, ARCH).ticks > 0


def test_is_a_shape_that_nothing_says_asked_for(folder):
    m = Model()
    out = m.node("Mystery", m.input("x", 2, 5), domain="org.example")
    said = refused(m, folder, m.node("Relu", out), allow_unknown=True)
    assert "node Mystery.0 (org.example.Mystery): the shape of 'v0.0' does not follow" in said


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "it has no nodes"), (b"\xff\xfe nonsense", "is no ONNX model")]
)
def test_is_a_file_that_is_no_model_refused(folder, content, says):
    path = folder / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=says):
        from_onnx(path, {})


def test_is_a_file_that_is_cut_off_refused(folder):
    m = Model()
    whole = m.proto(m.node("Relu", m.input("x", 2, 5))).SerializeToString()
    path = folder / "cut.onnx"
    path.write_bytes(whole[:-7])
    with pytest.raises(TraceError):
        from_onnx(path, {})


def test_is_an_opset_that_is_too_old_refused(folder):
    m = Model(6)
    assert refused(m, folder, m.node("Relu", m.input("x", 2, 5))).startswith("is of opset 6: 9 to ")


# -- a model that others made --------------------------------------------------------------------------------------
@pytest.mark.skipif(find_spec("rapidocr") is None, reason="the wheel with the models is not installed")
def test_is_a_foreign_model_read_whole(folder):
    """PP-OCR's recogniser: convolutions, and two blocks of attention of 8 heads of 15 on 40 tokens of 120."""
    path = next((Path(find_spec("rapidocr").origin).parent / "models").glob("*_rec_small.onnx"))
    trace, _ = from_onnx(path, {"x": (1, 3, 48, 320)})
    attending = [o for o in trace.operators if o.is_gemm and not trace.is_linear(o)]
    assert [sizes(o) for o in attending] == [(8, 40, 15, 40), (8, 40, 40, 15)] * 2
    small, _ = from_onnx(path, {"x": (1, 3, 48, 64)})
    assert small.macs == counted(path, np.zeros((1, 3, 48, 64), np.float32))
    assert simulate(small, ARCH).macs == small.macs


def counted(path, x):
    """The MACs of convolutions and products of a model that onnx's reference runs: from the arrays that it makes."""
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul")]
    names = list(dict.fromkeys(name for node in nodes for name in (*node.input[:2], node.output[0])))
    weights = {weight.name: onnx.numpy_helper.to_array(weight) for weight in model.graph.initializer}
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    made = weights | dict(
        zip(names, ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x}), strict=True)
    )
    depth = {
        "Conv": lambda node: made[node.input[1]][0].size,
        "MatMul": lambda node: made[node.input[0]].shape[-1],
    }
    return sum(made[node.output[0]].size * depth[node.op_type](node) for node in nodes)


# -- the command line ----------------------------------------------------------------------------------------------
def test_does_the_command_make_a_trace(folder):
    m = Model()
    onnx.save(m.proto(m.node("Relu", m.input("x", "N", 3))), folder / "m.onnx")
    done = CliRunner().invoke(
        cli, ["trace", "from-onnx", str(folder / "m.onnx"), "--shape", "x=2,3", "-o", str(folder / "m.jsonl")]
    )
    assert done.exit_code == 0, done.output
    assert "note: " in done.stderr
    assert load_trace(folder / "m.jsonl").operators[0].elements == 6


@pytest.mark.parametrize("text", ["x", "x=", "x=2,a", "=2", "x=0,3"])
def test_is_a_shape_that_cannot_be_read_refused(folder, text):
    (folder / "m.onnx").write_bytes(b"")
    done = CliRunner().invoke(
        cli, ["trace", "from-onnx", str(folder / "m.onnx"), "--shape", text, "-o", str(folder / "m.jsonl")]
    )
    assert done.exit_code == 2
    assert "--shape: must be INPUT=1,3,224,224" in done.stderr


def test_is_it_said_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = CliRunner().invoke(
        cli, ["trace", "from-onnx", str(folder / "m.onnx"), "-o", str(folder / "m.jsonl")]
    )
    assert done.exit_code == 2
    assert "pip install 'lsim[onnx]'" in done.stderr
