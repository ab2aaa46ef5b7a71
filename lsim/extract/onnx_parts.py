"""Slices, splits and gathers of ONNX: some of the elements of a value."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from lsim.extract.onnx_graph import PARTS, Node
from lsim.extract.onnx_lower import Lowering
from lsim.trace.ir import Kind

_Range = tuple[int, int, int]  # axis, from, to


def gather(low: Lowering, node: Node) -> None:
    """Rows of a table by computed indices; by constant ones a part."""
    data, indices = node.inputs[:2]
    index = low.graph.value(indices)
    if index is not None:
        axis = node.attributes.get("axis", 0) % len(low.shape(data))
        if index.size == 1:
            at = int(index.reshape(())) % low.shape(data)[axis]
            _parts(low, node, data, {node.outputs[0]: (axis, at, at + 1)})
        else:
            low.part(node, node.outputs[0], data)
        return
    shape = low.shape(node.outputs[0])
    columns = prod(low.shape(data)[1:]) if node.attributes.get("axis", 0) == 0 else 1
    columns = columns if prod(shape) % columns == 0 else 1
    operands = [low.operand(indices), low.operand(data)]
    low.vector(node, Kind.EMBEDDING, operands, (1, prod(shape) // columns, 0, columns))


def gather_nd(low: Lowering, node: Node) -> None:
    """Blocks by computed indices, each of as many coordinates as the last axis of the indices has."""
    data, indices = node.inputs[:2]
    if low.graph.value(indices) is not None:
        low.part(node, node.outputs[0], data)
        return
    columns = low.size(node.outputs[0]) // prod(low.shape(indices)[:-1])
    operands = [low.operand(indices), low.operand(data)]
    low.vector(node, Kind.EMBEDDING, operands, (1, low.size(node.outputs[0]) // columns, 0, columns))


def largest(low: Lowering, node: Node) -> None:
    """The largest of each row and where they are: one gather of both."""
    values, indices = node.outputs
    held = low.full(node.inputs[0])
    sizes = (1, low.size(values), 0, 1)
    made = low.out.add(node.name, Kind.EMBEDDING, [held], sizes, {values: low.shape(values)}, label="top-k")
    low.put(values, made)
    low.put(indices, made)


def pad(low: Lowering, node: Node) -> None:
    """Data movement, unless it adds nothing."""
    if low.size(node.inputs[0]) == low.size(node.outputs[0]):
        low.put(node.outputs[0], low.operand(node.inputs[0]))
    else:
        low.opaque(node)


def part(low: Lowering, node: Node) -> None:
    _parts(low, node, node.inputs[0], _ranges(low, node))


def _parts(low: Lowering, node: Node, source: str, ranges: dict[str, _Range]) -> None:
    """What a node takes of a value; if it and all others that take of it divide it, its operator writes the parts."""
    if node.outputs[0] in low.held:
        return  # divided with the first of them
    everyone: dict[str, _Range] = {}
    for reader in low.readers[source]:
        if reader.op not in PARTS:
            everyone.clear()
            break
        everyone.update(_ranges(low, reader))
    if _divides(low, source, everyone):
        order = sorted(everyone, key=lambda name: everyone[name][1])
        if low.divide(source, order):
            return
    for name in node.outputs:
        low.part(Node(node.name, node.op, node.inputs, (name,), node.attributes), name, source)


def _divides(low: Lowering, source: str, ranges: dict[str, _Range]) -> bool:
    if (
        len(ranges) < 2
        or len({axis for axis, _, _ in ranges.values()}) > 1
        or source in low.graph.outputs
        or source not in low.makers
    ):
        return False
    edges = sorted((begin, end) for _, begin, end in ranges.values())
    axis = next(iter(ranges.values()))[0]
    joined = all(one[1] == other[0] for one, other in pairwise(edges))
    return joined and edges[0][0] == 0 and edges[-1][1] == low.shape(source)[axis] and axis >= 0


def _ranges(low: Lowering, node: Node) -> dict[str, _Range]:
    """Along which axis, from where to where, each output is taken; axis -1 if that is no range along one axis."""
    shape = low.shape(node.inputs[0])
    if node.op == "Split":
        axis, at, made = node.attributes.get("axis", 0) % len(shape), 0, {}
        for name in node.outputs:
            size = low.shape(name)[axis]
            made[name], at = (axis, at, at + size), at + size
        return made
    out = node.outputs[0]
    if node.op == "Gather":
        index, axis = low.graph.value(node.inputs[1]), node.attributes.get("axis", 0) % len(shape)
        at = int(index.reshape(())) % shape[axis] if index is not None and index.size == 1 else -1
        return {out: (axis, at, at + 1) if at >= 0 else (-1, 0, 0)}
    changed = [
        axis for axis, (one, other) in enumerate(zip(shape, low.shape(out), strict=True)) if one != other
    ]
    starts = low.graph.value(node.input(1)) if node.input(1) else node.attributes.get("starts")
    axes = low.graph.value(node.input(3)) if node.input(3) else node.attributes.get("axes")
    axes = list(range(len(shape))) if axes is None else [int(axis) % len(shape) for axis in axes]
    if len(changed) != 1 or starts is None or changed[0] not in axes:
        return {out: (-1, 0, 0)}
    begin = int(starts[axes.index(changed[0])])
    begin = begin if begin >= 0 else max(0, begin + shape[changed[0]])
    return {out: (changed[0], begin, begin + low.shape(out)[changed[0]])}
