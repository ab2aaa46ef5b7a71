"""What each operator of ONNX becomes in a trace."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx_models import ARCH, INT64, MS, Model, kinds, only, sizes

from lsim import simulate
from lsim.trace import Kind, Role


# -- products ------------------------------------------------------------------------------------------------------
def test_is_a_product_with_a_parameter_a_linear_layer(tmp_path):
    m = Model()
    out = m.node("MatMul", m.input("x", 2, 5, 3), m.weight("w", 3, 7))
    operator = only(trace := m.trace(tmp_path, out))
    assert sizes(operator) == (1, 7, 3, 10)
    assert trace.is_linear(operator)
    assert trace.macs == 2 * 5 * 3 * 7
    assert [tensor.role for tensor in trace.inputs] == [Role.INPUT]


def test_is_a_product_from_the_left_with_a_parameter_a_linear_layer(tmp_path):
    m = Model()
    out = m.node("MatMul", m.weight("w", 7, 3), m.input("x", 2, 3, 5))
    assert sizes(only(m.trace(tmp_path, out))) == (1, 7, 3, 10)


@pytest.mark.parametrize("turned", [0, 1])
def test_is_gemm_a_linear_layer_with_its_bias(tmp_path, turned):
    m = Model()
    weight = m.weight("w", 7, 3) if turned else m.weight("w", 3, 7)
    out = m.node("Gemm", m.input("x", 5, 3), weight, m.weight("b", 7), transB=turned)
    operator = only(trace := m.trace(tmp_path, out))
    assert sizes(operator) == (1, 7, 3, 5)
    assert operator.operands == (("w",), ("x",), ("b",))
    assert trace.parameters == 28


def test_is_a_sum_with_a_row_the_bias_of_the_layer_before(tmp_path):
    m = Model()
    product = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 3, 7))
    operator = only(m.trace(tmp_path, m.node("Add", m.weight("b", 7), product)))
    assert operator.operands[2] == ("b",)


def test_is_a_bias_that_another_node_must_not_see_a_sum(tmp_path):
    m = Model()
    product = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 3, 7))
    trace = m.trace(tmp_path, m.node("Add", product, m.weight("b", 7)), m.node("Relu", product))
    assert Kind.RESIDUAL in kinds(trace)
    assert len(trace.operators[0].operands) == 2
    assert trace.parameters == 28


def test_has_a_product_of_activations_as_many_heads_as_matrices(tmp_path):
    m = Model()
    out = m.node("MatMul", m.input("a", 2, 4, 5, 3), m.input("b", 2, 4, 3, 6))
    assert sizes(only(m.trace(tmp_path, out))) == (8, 5, 3, 6)


def test_is_a_repeated_key_counted_once(tmp_path):
    """Four query heads on each of two key heads: the keys are expanded, and read once for all four."""
    m = Model()
    k = m.node("Unsqueeze", m.input("k", 1, 2, 6, 3), m.constant("axis", [2]))
    k = m.node("Expand", k, m.constant("wide", [1, 2, 4, 6, 3]))
    k = m.node("Reshape", k, m.constant("flat", [1, 8, 6, 3]))
    out = m.node("MatMul", m.input("q", 1, 8, 5, 3), m.node("Transpose", k, perm=[0, 1, 3, 2]))
    operator = only(trace := m.trace(tmp_path, out))
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
def test_is_a_convolution_a_gemm_by_im2col(tmp_path, name):
    attributes, shape, wanted, unfolds = CONVOLUTIONS[name]
    m = Model()
    out = m.node(
        "Conv", m.input("x", 1, 4, 8, 10), m.weight("w", *shape), m.weight("b", shape[0]), **attributes
    )
    trace = m.trace(tmp_path, out)
    product = trace.operators[-1]
    assert sizes(product) == wanted
    assert kinds(trace) == ([Kind.EMBEDDING, Kind.GEMM] if unfolds else [Kind.GEMM])
    assert trace.macs == np.prod(shape) * wanted[3]  # each weight once for each place
    assert trace.parameters == np.prod(shape) + shape[0]
    if unfolds:
        assert trace.operators[0].elements == wanted[0] * wanted[2] * wanted[3]
        assert any("im2col" in line for line in trace.conventions)
    assert simulate(trace, ARCH).macs == trace.macs


def test_is_a_transposed_convolution_a_product_and_a_sum_of_windows(tmp_path):
    m = Model()
    x, w, b = m.input("x", 1, 4, 5, 6), m.weight("w", 4, 3, 2, 2), m.weight("b", 3)
    trace = m.trace(tmp_path, m.node("ConvTranspose", x, w, b, kernel_shape=[2, 2], strides=[2, 2]))
    assert trace.macs == 4 * 3 * 2 * 2 * 5 * 6
    assert kinds(trace) == [Kind.GEMM, Kind.OPAQUE]
    assert trace.operators[1].elements == 3 * 10 * 12
    assert trace.parameters == 4 * 3 * 4 + 3


def test_is_a_layer_of_packed_weights_a_linear_layer(tmp_path):
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
    assert sizes(only(trace := m.trace(tmp_path, out))) == (1, 7, 32, 5)
    assert trace.parameters == 7 * 32


# -- vector operators ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", ["Relu", "Erf", "Tanh", "Sigmoid", "HardSwish", "Sqrt", "Exp"])
def test_is_a_function_an_activation(tmp_path, op):
    m = Model()
    operator = only(m.trace(tmp_path, m.node(op, m.input("x", 2, 5, 3))))
    assert (operator.kind, operator.label) == (Kind.ACTIVATION, op.lower())
    assert sizes(operator) == (1, 3, 0, 10)


@pytest.mark.parametrize(
    ("op", "kind"),
    [("Add", Kind.RESIDUAL), ("Sub", Kind.RESIDUAL), ("Mul", Kind.MULTIPLY), ("Div", Kind.MULTIPLY)],
)
def test_is_a_sum_or_a_product_of_arrays_one(tmp_path, op, kind):
    m = Model()
    operator = only(m.trace(tmp_path, m.node(op, m.input("x", 5, 3), m.input("y", 5, 3))))
    assert (operator.kind, len(operator.operands)) == (kind, 2)


def test_is_a_scale_of_each_feature_a_parameter_of_a_product(tmp_path):
    m = Model()
    operator = only(trace := m.trace(tmp_path, m.node("Mul", m.input("x", 5, 3), m.weight("gain", 3))))
    assert operator.kind is Kind.MULTIPLY
    assert trace.parameters == 3
    assert simulate(trace, ARCH).ticks > 0


def test_is_a_product_with_a_number_free(tmp_path):
    m = Model()
    scaled = m.node("Mul", m.input("x", 5, 3), m.constant("half", 0.5, np.float32))
    assert only(m.trace(tmp_path, m.node("Relu", scaled))).operands == (("x",),)


def test_does_a_small_activation_repeat(tmp_path):
    """Squeeze and excitation: one factor for each channel, computed."""
    m = Model()
    x = m.input("x", 1, 4, 5, 6)
    factor = m.node("Sigmoid", m.node("GlobalAveragePool", x))
    trace = m.trace(tmp_path, m.node("Mul", x, factor))
    pool, sigmoid, product = trace.operators
    assert sizes(pool) == (1, 4, 30, 1)  # a product with a vector of 1/30
    assert (sigmoid.elements, product.elements) == (4, 120)
    assert product.operands == (("x",), sigmoid.outputs)


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
def test_is_softmax_over_its_axis(tmp_path, opset, axis, wanted):
    m = Model(opset)
    operator = only(
        m.trace(
            tmp_path, m.node("Softmax", m.input("x", 2, 4, 5, 6), **({} if axis is None else {"axis": axis}))
        )
    )
    assert operator.heads * operator.rows == wanted[0] * wanted[1]
    assert operator.columns == wanted[3]


def test_is_a_norm_one_with_its_parameters(tmp_path):
    m = Model()
    out = m.node("LayerNormalization", m.input("x", 2, 5, 6), m.weight("g", 6), m.weight("b", 6))
    operator = only(trace := m.trace(tmp_path, out))
    assert (operator.kind, sizes(operator)) == (Kind.NORM, (1, 10, 0, 6))
    assert trace.parameters == 12


@pytest.mark.parametrize(
    ("op", "opset", "domain"),
    [("RMSNormalization", 23, ""), ("SimplifiedLayerNormalization", 17, "")],
)
def test_is_a_norm_without_a_mean_one(tmp_path, op, opset, domain):
    m = Model(opset)
    operator = only(m.trace(tmp_path, m.node(op, m.input("x", 2, 5, 6), m.weight("g", 6), domain=domain)))
    assert (operator.kind, operator.label, operator.operands[1]) == (Kind.NORM, "rmsnorm", ("g",))


@pytest.mark.parametrize("simple", [False, True])
def test_is_a_skip_norm_a_sum_and_a_norm(tmp_path, simple):
    m = Model()
    x, y, gain = m.input("x", 2, 5, 6), m.input("y", 2, 5, 6), m.weight("g", 6)
    parameters = [gain] if simple else [gain, m.weight("b", 6), m.weight("bias", 6)]
    op = "SkipSimplifiedLayerNormalization" if simple else "SkipLayerNormalization"
    normed, _, _, total = m.node(op, x, y, *parameters, outputs=4, domain=MS)
    trace = m.trace(tmp_path, normed, m.node("Relu", total))
    assert kinds(trace) == [Kind.RESIDUAL, Kind.NORM, Kind.ACTIVATION]
    assert trace.parameters == 6 * len(parameters)


def test_are_the_embeddings_of_bert_one_operator(tmp_path):
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
    trace = m.trace(tmp_path, out)
    assert kinds(trace) == [Kind.EMBEDDING, Kind.NORM]
    assert trace.parameters == (100 + 20 + 2 + 2) * 6


def test_is_a_look_up_an_embedding(tmp_path):
    m = Model()
    out = m.node("Gather", m.weight("table", 100, 6), m.input("ids", 1, 5, dtype=INT64))
    operator = only(trace := m.trace(tmp_path, out))
    assert (operator.kind, sizes(operator)) == (Kind.EMBEDDING, (1, 5, 0, 6))
    assert trace.parameters == 600


@pytest.mark.parametrize(("op", "domain"), [("Gelu", MS), ("FastGelu", MS), ("QuickGelu", MS)])
def test_is_a_gelu_an_activation(tmp_path, op, domain):
    m = Model()
    assert only(m.trace(tmp_path, m.node(op, m.input("x", 5, 6), domain=domain))).label == op.lower()


def test_is_the_bias_of_a_gelu_that_of_the_layer_before(tmp_path):
    m = Model()
    product = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 3, 7))
    trace = m.trace(tmp_path, m.node("BiasGelu", product, m.weight("b", 7), domain=MS))
    assert kinds(trace) == [Kind.GEMM, Kind.ACTIVATION]
    assert trace.operators[0].operands[2] == ("b",)


def test_are_group_and_batch_norms_kept_with_their_parameters(tmp_path):
    m = Model(21)
    x = m.input("x", 2, 4, 5, 6)
    grouped = m.node("GroupNormalization", x, m.weight("g", 4), m.weight("b", 4), num_groups=2)
    out = m.node("BatchNormalization", grouped, *(m.weight(f"p{at}", 4) for at in range(4)))
    trace = m.trace(tmp_path, out)
    assert [sizes(o) for o in trace.operators if o.kind is Kind.NORM] == [(1, 4, 0, 60)]
    assert trace.parameters == 6 * 4


@pytest.mark.parametrize("op", ["MaxPool", "Resize"])
def test_is_pooling_and_resampling_data_movement(tmp_path, op):
    m = Model()
    x = m.input("x", 1, 4, 8, 10)
    if op == "MaxPool":
        out, elements = m.node(op, x, kernel_shape=[2, 2], strides=[2, 2]), 80
    else:
        out, elements = m.node(op, x, "", m.constant("scales", [1, 1, 2, 2], np.float32)), 4 * 16 * 20
    operator = only(trace := m.trace(tmp_path, out))
    assert (operator.kind, operator.elements, operator.label) == (Kind.OPAQUE, elements, op)
    assert any(f"1 {op}" in line for line in trace.conventions)
    assert simulate(trace, ARCH).ticks > 0
