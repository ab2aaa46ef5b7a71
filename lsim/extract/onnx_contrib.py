"""Shapes of what operators of ONNX Runtime write, and one of onnx that it infers nothing of.

github.com/microsoft/onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from lsim.extract.onnx_graph import Graph, Node, Shape


def _as_first(graph: Graph, node: Node) -> dict[str, Shape]:
    return {name: graph.shapes[node.inputs[0]] for name in node.outputs if name}


def _skip_norm(graph: Graph, node: Node) -> dict[str, Shape]:
    return {
        name: graph.shapes[node.inputs[0]] for at, name in enumerate(node.outputs) if name and at in (0, 3)
    }


def _embed_norm(graph: Graph, node: Node) -> dict[str, Shape]:
    shape = (*graph.shapes[node.inputs[0]], graph.shapes[node.inputs[2]][-1])
    return {name: shape for at, name in enumerate(node.outputs) if name and at in (0, 2)}


def _attention(graph: Graph, node: Node) -> dict[str, Shape]:
    """Attention of a fused QKV weight: the width of V, a third of the weight's unless said."""
    *first, _ = graph.shapes[node.inputs[0]]
    widths = node.attributes.get("qkv_hidden_sizes")
    return {node.outputs[0]: (*first, widths[2] if widths else graph.shapes[node.inputs[1]][-1] // 3)}


def _multi_head(graph: Graph, node: Node) -> dict[str, Shape]:
    batch, queries, *packed = graph.shapes[node.inputs[0]]
    if len(packed) == 3:
        return {node.outputs[0]: (batch, queries, packed[0] * packed[2])}
    value = graph.shapes.get(node.input(2), ())
    last = value[1] * value[3] if len(value) == 4 else value[-1] if value else packed[-1]
    return {node.outputs[0]: (batch, queries, last)}


def _grouped(graph: Graph, node: Node) -> dict[str, Shape]:
    """Grouped-query attention, and the caches that it extends."""
    batch, tokens, width = graph.shapes[node.inputs[0]]
    heads, groups = node.attributes["num_heads"], node.attributes["kv_num_heads"]
    size = width // (heads if node.input(1) else heads + 2 * groups)
    cached = graph.shapes.get(node.input(3), (0, 0, 0, 0))[2]
    made = {node.outputs[0]: (batch, tokens, heads * size)}
    return made | {name: (batch, groups, cached + tokens, size) for name in node.outputs[1:3] if name}


def _fused_matmul(graph: Graph, node: Node) -> dict[str, Shape]:
    a, b = (graph.shapes[name] for name in node.inputs[:2])
    a, b = (
        (*s[:-2], s[-1], s[-2]) if node.attributes.get(turn) else s
        for s, turn in ((a, "transA"), (b, "transB"))
    )
    return {node.outputs[0]: (*max(a[:-2], b[:-2], key=prod), a[-2], b[-1])}


def _bits(graph: Graph, node: Node) -> dict[str, Shape]:
    return {node.outputs[0]: (*graph.shapes[node.inputs[0]][:-1], node.attributes["N"])}


_MS = "com.microsoft."
SHAPES: dict[str, Callable[[Graph, Node], dict[str, Shape]]] = {
    **{f"{_MS}{op}": _as_first for op in ("Gelu", "FastGelu", "BiasGelu", "QuickGelu", "RotaryEmbedding")},
    "GroupNormalization": _as_first,  # a function of which onnx infers nothing
    **dict.fromkeys(("SimplifiedLayerNormalization", f"{_MS}SimplifiedLayerNormalization"), _as_first),
    **{f"{_MS}{op}": _skip_norm for op in ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")},
    f"{_MS}EmbedLayerNormalization": _embed_norm,
    f"{_MS}Attention": _attention,
    f"{_MS}MultiHeadAttention": _multi_head,
    f"{_MS}GroupQueryAttention": _grouped,
    f"{_MS}FusedMatMul": _fused_matmul,
    f"{_MS}MatMulNBits": _bits,
}
