"""Attention of ONNX models: its three operators, heads, masks and caches."""

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx
from onnx_models import ARCH, FLOAT, INT64, MS, Model, kinds, sizes

from lsim import simulate
from lsim.trace import Kind, Role

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
def test_is_attention_three_operators_with_its_heads_and_mask(tmp_path, mask, causal):
    m = Model()
    trace = m.trace(tmp_path, attention(m, m.input("x", 1, TOKENS, WIDTH), mask))
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


def test_is_a_mask_that_is_an_input_left_out_and_said_so(tmp_path):
    m = Model()
    allowed = m.input("attention_mask", 1, TOKENS, dtype=INT64)

    def mask(m, scores):
        wide = m.node("Unsqueeze", allowed, m.constant("axes", [1, 2]))
        away = m.node("Sub", m.constant("one", 1, np.float32), m.node("Cast", wide, to=FLOAT))
        return m.node("Add", scores, m.node("Mul", away, m.constant("never", -1e9, np.float32)))

    trace = m.trace(tmp_path, attention(m, m.input("x", 1, TOKENS, WIDTH), mask))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM, Kind.SOFTMAX, Kind.GEMM, Kind.GEMM]
    assert any("Masks that are not causal, or not in the file" in line for line in trace.conventions)


def test_is_a_bias_of_positions_a_parameter(tmp_path):
    m = Model()
    biased = lambda m, scores: m.node("Add", scores, m.weight("bias", HEADS, TOKENS, TOKENS))  # noqa: E731
    trace = m.trace(tmp_path, attention(m, m.input("x", 1, TOKENS, WIDTH), biased))
    assert kinds(trace) == [Kind.GEMM, Kind.GEMM, Kind.RESIDUAL, Kind.SOFTMAX, Kind.GEMM, Kind.GEMM]
    assert trace.parameters == 4 * WIDTH**2 + 4 * WIDTH + HEADS * TOKENS**2


def test_is_a_bias_of_each_head_no_mask_though_it_be_zero(tmp_path):
    m = Model()
    zero = np.zeros((1, HEADS, TOKENS, TOKENS))
    biased = lambda m, scores: m.node("Add", scores, m.constant("bias", zero, np.float32))  # noqa: E731
    trace = m.trace(tmp_path, attention(m, m.input("x", 1, TOKENS, WIDTH), biased))
    assert trace.parameters == 4 * WIDTH**2 + 4 * WIDTH + HEADS * TOKENS**2


def test_is_a_guard_against_rows_without_keys_nothing(tmp_path):
    m = Model()
    x = m.node("Softmax", m.input("x", 2, 5, 5))
    out = m.node("Where", m.node("IsNaN", x), m.constant("zero", 0, np.float32), x)
    trace = m.trace(tmp_path, m.node("MatMul", out, m.input("v", 2, 5, 3)))
    assert kinds(trace) == [Kind.SOFTMAX, Kind.GEMM]


def test_is_a_part_that_others_leave_gathered(tmp_path):
    """The class token: a row of what is read as a whole elsewhere."""
    m = Model()
    x = m.node("Relu", m.input("x", 1, TOKENS, WIDTH))
    row = m.node("Gather", x, m.constant("first", 0), axis=1)
    trace = m.trace(tmp_path, m.node("Relu", row), m.node("Tanh", x))
    (gathered,) = [operator for operator in trace.operators if operator.kind is Kind.EMBEDDING]
    assert gathered.elements == WIDTH


@pytest.mark.parametrize("causal", [0, 1])
def test_is_attention_of_opset_23_with_grouped_queries(tmp_path, causal):
    m = Model(23)
    q, k, v = m.input("q", 2, 5, 24), m.input("k", 2, 5, 8), m.input("v", 2, 5, 8)
    trace = m.trace(tmp_path, m.node("Attention", q, k, v, q_num_heads=6, kv_num_heads=2, is_causal=causal))
    assert kinds(trace) == [Kind.GEMM, Kind.SOFTMAX, Kind.GEMM]
    assert sizes(trace.operators[0]) == (2 * 2, 3 * 5, 4, 5)
    assert sizes(trace.operators[2]) == (2 * 2, 3 * 5, 5, 4)
    assert {operator.causal for operator in trace.operators} == {bool(causal)}


def test_is_fused_attention_with_its_projection(tmp_path):
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
    trace = m.trace(tmp_path, out)
    assert [sizes(o) for o in trace.operators] == [(1, 36, 12, 10), (6, 5, 4, 5), (6, 5, 0, 5), (6, 5, 5, 4)]
    assert trace.macs == 10 * 36 * 12 + 2 * 6 * 5 * 5 * 4
    assert trace.operators[1].causal
    assert simulate(trace, ARCH).macs == trace.macs


def test_is_multi_head_attention_with_its_bias(tmp_path):
    m = Model()
    q, k, v = (m.input(name, 2, 5, 12) for name in "qkv")
    trace = m.trace(
        tmp_path, m.node("MultiHeadAttention", q, k, v, m.weight("b", 36), domain=MS, num_heads=3)
    )
    assert kinds(trace) == [Kind.RESIDUAL, Kind.GEMM, Kind.SOFTMAX, Kind.GEMM]
    assert sizes(trace.operators[1]) == (6, 5, 4, 5)
    assert trace.parameters == 36


def test_is_cross_attention_of_its_own_length(tmp_path):
    m = Model()
    out = m.node(
        "MultiHeadAttention",
        m.input("q", 1, 2, 12),
        m.input("k", 1, 7, 12),
        m.input("v", 1, 7, 12),
        domain=MS,
        num_heads=3,
    )
    assert sizes(m.trace(tmp_path, out).operators[0]) == (3, 2, 4, 7)


@pytest.mark.parametrize("packed", [False, True])
def test_has_grouped_attention_a_cache(tmp_path, packed):
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
    trace = m.trace(tmp_path, *outputs)
    attending = [
        operator for operator in trace.operators if operator.is_gemm and not trace.is_linear(operator)
    ]
    assert [sizes(operator) for operator in attending] == [(2, 4, 4, 7), (2, 4, 7, 4)]
    assert kinds(trace).count(Kind.ROTARY) == 2
    cached = [tensor for tensor in trace.tensors.values() if tensor.role is Role.KV]
    assert sorted(tensor.elements for tensor in cached) == [8, 8, 48, 48]
    assert not any(operator.causal for operator in trace.operators)
    assert simulate(trace, ARCH).macs == 16 * 48 + 2 * 8 * 7 * 4
