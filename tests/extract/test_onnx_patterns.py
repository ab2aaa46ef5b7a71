"""What exporters write as several nodes, put together."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx_models import Model, kinds, only, sizes

from lsim.trace import Kind


# -- what exporters write as several nodes -------------------------------------------------------------------------
def layer_norm(m, x, gain, bias):
    centred = m.node("Sub", x, m.node("ReduceMean", x, axes=[-1]))
    square = m.node("ReduceMean", m.node("Pow", centred, m.constant("two", 2, np.float32)), axes=[-1])
    root = m.node("Sqrt", m.node("Add", square, m.constant("eps", 1e-5, np.float32)))
    return m.node("Add", m.node("Mul", m.node("Div", centred, root), gain), bias)


def test_is_a_written_out_layer_norm_one_operator(tmp_path):
    m = Model(13)
    out = layer_norm(m, m.input("x", 5, 6), m.weight("g", 6), m.weight("b", 6))
    operator = only(m.trace(tmp_path, out))
    assert (operator.kind, operator.operands, sizes(operator)) == (
        Kind.NORM,
        (("x",), ("g",), ("b",)),
        (1, 5, 0, 6),
    )


@pytest.mark.parametrize("inverse", [False, True])
def test_is_a_written_out_rms_norm_one_operator(tmp_path, inverse):
    m = Model(13)
    x, gain = m.input("x", 5, 6), m.weight("g", 6)
    mean = m.node("ReduceMean", m.node("Pow", x, m.constant("two", 2, np.float32)), axes=[-1])
    root = m.node("Sqrt", m.node("Add", mean, m.constant("eps", 1e-5, np.float32)))
    normed = m.node("Mul", x, m.node("Reciprocal", root)) if inverse else m.node("Div", x, root)
    operator = only(m.trace(tmp_path, m.node("Mul", gain, normed)))
    assert (operator.kind, operator.operands, operator.label) == (Kind.NORM, (("x",), ("g",)), "rmsnorm")


def test_is_a_quotient_by_the_root_of_another_mean_no_norm(tmp_path):
    m = Model(13)
    x, y = m.input("x", 5, 6), m.input("y", 5, 6)
    mean = m.node("ReduceMean", m.node("Pow", x, m.constant("two", 2, np.float32)), axes=[-1])
    root = m.node("Sqrt", m.node("Add", mean, m.constant("eps", 1e-5, np.float32)))
    assert Kind.NORM not in kinds(m.trace(tmp_path, m.node("Div", y, root)))


@pytest.mark.parametrize("half", ["x", "bell", "last"])
def test_is_a_written_out_gelu_one_operator(tmp_path, half):
    m = Model()
    x = m.input("x", 5, 6)
    number, one = m.constant("half", 0.5, np.float32), m.constant("one", 1, np.float32)
    bell = m.node("Add", m.node("Erf", m.node("Div", x, m.constant("root", 1.414, np.float32))), one)
    left = m.node("Mul", x, number) if half == "x" else x
    out = m.node("Mul", left, m.node("Mul", number, bell) if half == "bell" else bell)
    out = m.node("Mul", out, number) if half == "last" else out
    operator = only(m.trace(tmp_path, out))
    assert (operator.kind, operator.label, operator.operands) == (Kind.ACTIVATION, "gelu", (("x",),))


def test_is_a_written_out_tanh_gelu_one_operator(tmp_path):
    m = Model()
    x, number = m.input("x", 5, 6), iter(range(9))
    c = lambda value: m.constant(f"c{next(number)}", value, np.float32)  # noqa: E731
    cube = m.node("Mul", m.node("Pow", x, c(3)), c(0.044715))
    bell = m.node("Add", m.node("Tanh", m.node("Mul", m.node("Add", x, cube), c(0.7979))), c(1))
    operator = only(m.trace(tmp_path, m.node("Mul", m.node("Mul", x, c(0.5)), bell)))
    assert (operator.label, operator.operands) == ("gelu", (("x",),))


def test_is_a_written_out_silu_one_operator(tmp_path):
    m = Model()
    x = m.input("x", 5, 6)
    assert only(m.trace(tmp_path, m.node("Mul", x, m.node("Sigmoid", x)))).label == "silu"


def test_is_a_written_out_rotary_embedding_one_operator(tmp_path):
    m = Model()
    x, cos, sin = m.input("x", 1, 2, 5, 6), m.weight("cos", 5, 6), m.weight("sin", 5, 6)
    first, second = m.node("Split", x, axis=3, outputs=2)
    turned = m.node("Concat", m.node("Neg", second), first, axis=3)
    out = m.node("Add", m.node("Mul", x, cos), m.node("Mul", turned, sin))
    operator = only(m.trace(tmp_path, out))
    assert (operator.kind, operator.operands) == (Kind.ROTARY, (("x",),))
