"""Sequences of tensors, which exporters make of what returns several: each a list of names once its length is known."""

from __future__ import annotations

from lsim.errors import TraceError
from lsim.extract.onnx_graph import Graph, Node, Shape

OPS = ("SplitToSequence", "SequenceAt", "SequenceConstruct", "ConcatFromSequence")


def unrolled(graph: Graph, node: Node) -> list[Node]:
    """The nodes without sequences that do what a node does. Raises TraceError if its parts, or which of them, are not known."""
    if node.op == "SequenceConstruct":
        graph.sequences[node.outputs[0]] = node.inputs
        return []
    if node.op == "SplitToSequence":
        return [_split(graph, node)]
    names = graph.sequences.get(node.inputs[0])
    if names is None:
        raise TraceError(f"the parts of {node.inputs[0]!r} are not known before the run", place=node.place())
    if node.op == "ConcatFromSequence":
        if node.attributes.get("new_axis"):
            raise TraceError("a new axis is not known: unsqueeze the parts", place=node.place())
        return [Node(node.name, "Concat", names, node.outputs, {"axis": node.attributes["axis"]})]
    at = graph.value(node.inputs[1])
    if at is None or not -len(names) <= int(at) < len(names):
        raise TraceError("which part it takes is not known before the run", place=node.place())
    return [Node(node.name, "Identity", (names[int(at)],), node.outputs, {})]


def _split(graph: Graph, node: Node) -> Node:
    source, shape = node.inputs[0], graph.shapes[node.inputs[0]]
    axis = node.attributes.get("axis", 0) % len(shape)
    sizes = _sizes(graph, node, shape[axis])
    squeezed = not node.input(1) and not node.attributes.get("keepdims", 1)
    if sizes is None or sum(sizes) != shape[axis] or squeezed:
        raise TraceError("what it splits into is not known before the run", place=node.place())
    names = tuple(f"{node.outputs[0]}.{at}" for at in range(len(sizes)))
    graph.sequences[node.outputs[0]] = names
    graph.shapes.update({name: _with(shape, axis, size) for name, size in zip(names, sizes, strict=True)})
    graph.types.update(dict.fromkeys(names, graph.types[source]))
    return Node(node.name, "Split", (source,), names, {"axis": axis})


def _sizes(graph: Graph, node: Node, whole: int) -> list[int] | None:
    """The sizes of the parts: a list of them, or one for all but the last."""
    if not node.input(1):
        return [1] * whole
    value = graph.value(node.inputs[1])
    if value is None:
        return None
    if value.ndim:
        return [int(size) for size in value]
    each = int(value)
    return [min(each, whole - at) for at in range(0, whole, each)] if each > 0 else None


def _with(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
