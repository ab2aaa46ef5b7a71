"""Fused attention of ONNX, and of ONNX Runtime, as its three operators: Q·Kᵀ, softmax, S·V.

Query heads that share a key-value head are stacked along the rows. Masks cost nothing; causal is what a node says and what has as many
queries as keys: after a cache nothing is marked causal.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from attrs import frozen

from lsim.errors import TraceError
from lsim.extract.onnx_graph import Node, Shape
from lsim.extract.onnx_lower import Lowering, Operand
from lsim.trace.ir import Kind


@frozen
class Heads:
    """Sizes of an attention: `kv` key-value heads in all (of each of the batch), each read by `group` query heads."""

    kv: int
    group: int
    queries: int
    keys: int
    size: int
    v_size: int


def attend(low: Lowering, node: Node, qkv: Sequence[Operand], h: Heads, causal: bool, bias: str = "") -> None:
    """The three operators; a bias that is no mask is added to the scores."""
    (q, k, v), rows, name = qkv, h.group * h.queries, node.name
    scores = low.gemm(node, f"{name}.qk", [q, k], (h.kv, rows, h.size, h.keys), f"{name}.qk.out")
    shape = (h.kv, rows, h.keys)
    if bias and low.is_float(bias) and bias not in low.given:
        total = f"{name}.bias"
        scores = low.combine(total, Kind.RESIDUAL, [scores, low.operand(bias)], f"{total}.out", shape, "bias")
    causal = causal and h.queries == h.keys > 1
    window = node.attributes.get("window", 0) if causal else 0
    sizes = (h.kv, rows, 0, h.keys)
    softmax = f"{name}.softmax"
    made = {f"{softmax}.out": shape}
    weights = low.out.add(softmax, Kind.SOFTMAX, [scores], sizes, made, causal=causal, window=window)
    low.put(
        node.outputs[0],
        low.gemm(node, f"{name}.sv", [weights, v], (h.kv, rows, h.keys, h.v_size), node.outputs[0]),
    )


def standard_attention(low: Lowering, node: Node) -> None:
    """Attention of opset 23: heads in an axis of their own, or by attribute."""
    shapes = [low.shape(name) for name in node.inputs[:3]]
    many = [node.attributes.get("q_num_heads"), *[node.attributes.get("kv_num_heads")] * 2]
    q, k, v = (_by_heads(shape, count) for shape, count in zip(shapes, many, strict=True))
    repeats, new = _kept_once(low, node.inputs[1:3], k[1])
    cached, held = _cached(low, node, (node.input(4), node.input(5)), new)
    _present(low, node.outputs[1:3], held)
    heads = k[1] // repeats
    h = Heads(k[0] * heads, q[1] // heads, q[2], k[2] + cached, q[3], v[3])
    attend(
        low, node, [low.full(node.inputs[0]), *held], h, bool(node.attributes.get("is_causal")), node.input(3)
    )


def _kept_once(low: Lowering, names: Sequence[str], heads: int) -> tuple[int, list[Operand]]:
    """How often each key-value head has been repeated, and the keys and values without that."""
    held = [low.operand(name) for name in names]
    repeats = {low.size(name) // low.out.elements(operand) for name, operand in zip(names, held, strict=True)}
    if len(repeats) == 1 and heads % (times := repeats.pop()) == 0:
        return times, held
    return 1, [low.full(name) for name in names]


def _by_heads(shape: Shape, heads: int | None) -> tuple[int, int, int, int]:
    """Batch, heads, tokens and size."""
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
    assert heads, "checked by onnx"
    return shape[0], heads, shape[1], shape[2] // heads


def fused_attention(low: Lowering, node: Node) -> None:
    """com.microsoft.Attention: with the linear layer that makes Q, K and V."""
    batch, tokens, width = low.shape(node.inputs[0])
    rows = low.shape(node.inputs[1])[-1]
    widths = node.attributes.get("qkv_hidden_sizes") or [rows // 3] * 3
    heads, name = node.attributes["num_heads"], f"{node.name}.qkv"
    operands = [low.operand(node.inputs[1]), low.full(node.inputs[0])]
    operands += [low.operand(node.input(2))] if node.input(2) else []
    parts = {f"{node.name}.{part}": (batch, tokens, size) for part, size in zip("qkv", widths, strict=True)}
    made = low.out.add(name, Kind.GEMM, operands, (1, rows, width, batch * tokens), parts, label="qkv")
    past = low.operand(node.input(4)) if node.input(4) else ()
    if past:
        raise TraceError(
            "a cache in one tensor of K and V is not understood: export K and V apart", place=node.place()
        )
    h = Heads(batch * heads, 1, tokens, tokens, widths[0] // heads, widths[2] // heads)
    attend(
        low,
        node,
        [(tensor,) for tensor in made],
        h,
        bool(node.attributes.get("unidirectional")),
        node.input(5),
    )


def multi_head_attention(low: Lowering, node: Node) -> None:
    """com.microsoft.MultiHeadAttention: Q, K and V apart or packed, a bias of all three, caches."""
    heads = node.attributes["num_heads"]
    batch, queries = low.shape(node.inputs[0])[:2]
    qkv = _unpacked(low, node, heads)
    cached_keys, cached_values = node.input(6), node.input(7)
    keys = low.out.elements(qkv[1]) * queries // low.out.elements(qkv[0])  # as wide as the queries
    v_size = low.out.elements(qkv[2]) // (batch * heads * keys)
    size = low.out.elements(qkv[0]) // (batch * heads * queries)
    if node.input(3):
        qkv = _biased(low, node, qkv)
    cached, held = _cached(low, node, (cached_keys, cached_values), qkv[1:])
    _present(low, node.outputs[1:3], held)
    h = Heads(batch * heads, 1, queries, keys + cached, size, v_size)
    attend(low, node, [qkv[0], *held], h, bool(node.attributes.get("unidirectional")), node.input(5))


def _unpacked(low: Lowering, node: Node, heads: int) -> list[Operand]:
    """Q, K and V, however they come: apart, K with V, or all in one."""
    query, key, value = (node.input(at) for at in range(3))
    if key and value:
        return [low.full(name) for name in (query, key, value)]
    packed, parts = (key, "kv") if key else (query, "qkv")
    shape = low.shape(packed)
    made = _divided(low, node, packed, dict.fromkeys(parts, (*shape[:3], shape[4])))
    return [low.full(query), *made] if key else made


def _divided(low: Lowering, node: Node, source: str, parts: dict[str, Shape]) -> list[Operand]:
    """The parts of a value, which are all of it."""
    names = [f"{node.name}.{part}" for part in parts]
    low.graph.shapes.update(zip(names, parts.values(), strict=True))
    if not low.divide(source, names):
        for name in names:
            low.part(Node(name, "Split", (source,), (name,), {}), name, source)
    return [low.operand(name) for name in names]


def _biased(low: Lowering, node: Node, qkv: Sequence[Operand]) -> list[Operand]:
    """With one bias for Q, K and V together."""
    name, both = f"{node.name}.bias", tuple(tensor for operand in qkv for tensor in operand)
    bias = low.operand(node.inputs[3])
    total = low.out.elements(both)
    outputs = {
        f"{name}.{part}": (low.out.elements(operand),) for part, operand in zip("qkv", qkv, strict=True)
    }
    if total % low.out.elements(bias) == 0:
        made = low.out.add(name, Kind.RESIDUAL, [both, bias], (1, total, 0, 1), outputs, label="bias")
    else:
        made = low.out.add(name, Kind.OPAQUE, [(*both, *bias)], (1, total, 0, 1), outputs, label="bias")
    return [(tensor,) for tensor in made]


def grouped_attention(low: Lowering, node: Node) -> None:
    """com.microsoft.GroupQueryAttention: fewer key-value heads, caches, rotary embedding inside; always causal."""
    heads, groups = node.attributes["num_heads"], node.attributes["kv_num_heads"]
    batch, tokens, _ = low.shape(node.inputs[0])
    size = low.size(node.outputs[0]) // (batch * tokens * heads)
    if node.input(1):
        qkv = [low.full(name) for name in node.inputs[:3]]
    else:
        widths = {"q": heads * size, "k": groups * size, "v": groups * size}
        qkv = _divided(
            low, node, node.inputs[0], {part: (batch, tokens, width) for part, width in widths.items()}
        )
    if node.attributes.get("do_rotary"):
        qkv[:2] = [
            _turned(low, f"{node.name}.{part}.rotary", one) for part, one in zip("qk", qkv, strict=False)
        ]
    cached, held = _cached(low, node, (node.input(3), node.input(4)), qkv[1:])
    _present(low, node.outputs[1:3], held)
    attend(
        low,
        node,
        [qkv[0], *held],
        Heads(batch * groups, heads // groups, tokens, tokens + cached, size, size),
        True,
    )


def _turned(low: Lowering, name: str, operand: Operand) -> Operand:
    elements = low.out.elements(operand)
    return low.out.add(name, Kind.ROTARY, [operand], (1, elements, 0, 1), {f"{name}.out": (elements,)})


def _cached(
    low: Lowering, node: Node, past: tuple[str, str], new: Sequence[Operand]
) -> tuple[int, list[Operand]]:
    """How many tokens the caches hold, and K and V after them."""
    if not all(past) or not prod(low.shape(past[0])):
        return 0, list(new)
    return low.shape(past[0])[2], [(*low.operand(old), *made) for old, made in zip(past, new, strict=True)]


def _present(low: Lowering, outputs: Sequence[str], held: Sequence[Operand]) -> None:
    for name, operand in zip(outputs, held, strict=False):
        if name:
            low.put(name, operand)
