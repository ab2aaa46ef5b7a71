"""Sums and means over axes: a product with a vector of equal numbers, or a sum of a few arrays."""

from __future__ import annotations

from math import prod

from lsim.extract.onnx_graph import Node
from lsim.extract.onnx_lower import POOL, Lowering
from lsim.trace.ir import Kind, Role

_MOST_SUMMED = 8  # arrays of one sum


def reduction(low: Lowering, node: Node) -> None:
    """ReduceMean, ReduceSum, GlobalAveragePool, and AveragePool of all of an image; another pooling is data movement."""
    source, out = node.inputs[0], node.outputs[0]
    elements, count = low.size(out), low.size(source) // low.size(out)
    if count == 1:
        low.put(out, low.operand(source))
    elif node.op == "AveragePool" and prod(low.shape(out)[2:]) > 1:
        low.opaque(node)
    elif node.op == "ReduceSum" and count <= _MOST_SUMMED and not _over_rows(low, node):
        _sum(low, node, count)
    else:
        vector = (low.out.tensor(f"{node.name}.{count}", (count,), Role.INPUT),)
        sizes = (1, elements, count, 1)
        operands = [low.full(source), vector]
        low.put(out, low.out.add(node.name, Kind.GEMM, operands, sizes, {out: low.shape(out)}, label=POOL))


def _over_rows(low: Lowering, node: Node) -> bool:
    """Whether the last axis alone is summed."""
    shape = low.shape(node.inputs[0])
    axes = low.graph.value(node.inputs[1]) if node.input(1) else node.attributes.get("axes")
    return axes is not None and [int(axis) % len(shape) for axis in axes] == [len(shape) - 1]


def _sum(low: Lowering, node: Node, count: int) -> None:
    """Of so many arrays that lie in one."""
    out, source = node.outputs[0], node.inputs[0]
    shape = low.shape(out)
    parts = [f"{node.name}.part{at}" for at in range(count)]
    low.graph.shapes.update(dict.fromkeys(parts, shape))
    low.full(source)
    if not low.divide(source, parts):
        for part in parts:
            low.part(Node(part, "Slice", (source,), (part,), {}), part, source)
    low.put(
        out, low.combine(node.name, Kind.RESIDUAL, [low.operand(part) for part in parts], out, shape, "sum")
    )
