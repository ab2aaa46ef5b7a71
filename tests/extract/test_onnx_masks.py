"""Masks of attention in ONNX models: windows, masks inside biases, behind layouts, and beside the model in a file of their own."""

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx
from onnx_models import Model

from lsim.extract.onnx_model import from_onnx
from lsim.trace import Kind

TOKENS, SIZE, HEADS = 6, 4, 2
NEVER = -3e38


def hidden(window=TOKENS):
    """Truth where query t (row) does not see a key: those after it, and those `window` before it."""
    distance = np.subtract.outer(np.arange(TOKENS), np.arange(TOKENS))
    return (distance < 0) | (distance >= window)


def added(window=TOKENS, value=NEVER):
    return np.where(hidden(window), np.float32(value), np.float32(0))


def attention(m, mask):
    """Attention of two heads, the scores of which go through `mask`."""
    x = m.input("x", 1, HEADS, TOKENS, SIZE)
    q, k, v = (m.node("MatMul", x, m.weight(name, SIZE, SIZE)) for name in "qkv")
    scores = mask(m.node("MatMul", q, m.node("Transpose", k, perm=[0, 1, 3, 2])))
    return m.node("MatMul", m.node("Softmax", scores, axis=-1), v)


def marks(trace):
    (softmax,) = (o for o in trace.operators if o.kind is Kind.SOFTMAX)
    products = [o for o in trace.operators if o.is_gemm and not trace.is_linear(o)]
    assert {(o.causal, o.window) for o in products} == {(softmax.causal, softmax.window)}
    return softmax.causal, softmax.window


@pytest.mark.parametrize("value", [NEVER, -100.0, -np.inf])
@pytest.mark.parametrize(("window", "told"), [(TOKENS, 0), (3, 3), (1, 1), (TOKENS + 4, 0)])
def test_is_a_window_told_by_the_mask(tmp_path, window, told, value):
    m = Model()
    out = attention(
        m, lambda scores: m.node("Add", scores, m.constant("mask", added(window, value), np.float32))
    )
    assert marks(m.trace(tmp_path, out)) == (True, told)


@pytest.mark.parametrize("change", ["one key more", "one key less", "not each head"])
def test_is_a_mask_that_is_almost_a_window_none(tmp_path, change):
    mask = np.broadcast_to(added(3), (1, HEADS, TOKENS, TOKENS)).copy()
    if change == "not each head":
        mask[0, 1] = added(2)
    else:
        mask[..., 4, 1 if change == "one key more" else 3] = 0 if change == "one key more" else NEVER
    m = Model()
    trace = m.trace(tmp_path, attention(m, lambda s: m.node("Add", s, m.constant("mask", mask, np.float32))))
    assert marks(trace) == (False, 0)
    assert any(line.startswith("Masks that are not causal") for line in trace.conventions)


def test_is_a_choice_with_a_number_that_counts_no_mask(tmp_path):
    """Where the scores are replaced by zero the keys are still seen."""
    m = Model()
    seen = m.constant("seen", ~hidden(), np.bool_)
    out = attention(m, lambda scores: m.node("Where", seen, scores, m.constant("zero", 0.0, np.float32)))
    assert marks(m.trace(tmp_path, out)) == (False, 0)


@pytest.mark.parametrize("way", ["sum", "choice"])
def test_is_a_mask_inside_a_bias_taken_out_of_it(tmp_path, way):
    m = Model()
    bias = m.weight("bias", HEADS, TOKENS, TOKENS)
    if way == "sum":
        both = m.node("Add", bias, m.constant("mask", added(), np.float32))
    else:
        both = m.node(
            "Where", m.constant("seen", ~hidden(), np.bool_), bias, m.constant("never", NEVER, np.float32)
        )
    trace = m.trace(tmp_path, attention(m, lambda scores: m.node("Add", scores, both)))
    assert marks(trace) == (True, 0)
    (sum_,) = (o for o in trace.operators if o.kind is Kind.RESIDUAL)
    assert sum_.operands[1] == ("bias",)
    assert (sum_.heads, sum_.rows, sum_.columns) == (HEADS, TOKENS, TOKENS)


def test_is_a_mask_known_behind_layouts(tmp_path):
    m = Model()
    flat = m.constant("mask", added().reshape(-1), np.float32)
    mask = m.node("Reshape", flat, m.constant("square", [1, TOKENS, TOKENS]))
    wide = m.node("Expand", mask, m.constant("wide", [HEADS, TOKENS, TOKENS]))
    assert marks(m.trace(tmp_path, attention(m, lambda scores: m.node("Add", scores, wide)))) == (True, 0)


@pytest.mark.parametrize("there", [True, False])
def test_is_a_mask_read_from_the_file_beside_the_model_if_it_is_there(tmp_path, there):
    m = Model()
    out = attention(m, lambda scores: m.node("Add", scores, m.constant("mask", added(), np.float32)))
    path = tmp_path / "model.onnx"
    onnx.save(m.proto(out), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    if not there:
        (tmp_path / "weights.bin").unlink()
    trace, _ = from_onnx(path, {})
    assert marks(trace) == (there, 0)
    assert any(o.kind is Kind.RESIDUAL for o in trace.operators) is not there


@pytest.mark.parametrize(("mask", "dtype"), [(~hidden(3), np.bool_), (added(3), np.float32)])
def test_is_the_mask_of_a_fused_attention_told(tmp_path, mask, dtype):
    m = Model(23)
    q, k, v = (m.input(name, 1, HEADS, TOKENS, SIZE) for name in "qkv")
    trace = m.trace(tmp_path, m.node("Attention", q, k, v, m.constant("mask", mask, dtype)))
    assert marks(trace) == (True, 3)
    assert not any(o.kind is Kind.RESIDUAL for o in trace.operators)


def test_are_repeated_keys_of_a_fused_attention_read_once(tmp_path):
    m = Model(23)
    q, v = m.input("q", 1, 4, TOKENS, SIZE), m.input("v", 1, 4, TOKENS, SIZE)
    k = m.node("Unsqueeze", m.input("k", 1, 2, TOKENS, SIZE), m.constant("axis", [2]))
    k = m.node("Expand", k, m.constant("wide", [1, 2, 2, TOKENS, SIZE]))
    k = m.node("Reshape", k, m.constant("flat", [1, 4, TOKENS, SIZE]))
    grouped = m.trace(tmp_path, m.node("Attention", q, k, k)).operators
    assert [(o.heads, o.rows) for o in grouped] == [(2, 2 * TOKENS)] * 3
    mixed = m.trace(tmp_path, m.node("Attention", q, k, v))  # the values are not repeated
    assert [o.heads for o in mixed.operators if o.kind is not Kind.OPAQUE] == [4] * 3
