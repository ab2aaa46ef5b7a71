"""Control flow of ONNX: a branch that is known is part of the model; what bodies of others read is read by their node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsim.extract.onnx_graph import Graph, Node

OPS = {
    "If": "which branch runs depends on the input",
    "Loop": "how often it runs may depend on the input",
    "Scan": "it is a loop over an axis",
}


def branch(graph: Graph, node: Node) -> Any | None:
    """The body that an If runs; None if that depends on the input, or the node is another."""
    known = graph.value(node.inputs[0]) if node.op == "If" else None
    if known is None:
        return None
    return node.attributes["then_branch" if known.all() else "else_branch"]


def captured(proto: Any) -> list[str]:
    """What the bodies of a node read that they do not define, in order."""
    bodies = [
        body
        for attribute in proto.attribute
        for body in ([attribute.g] if attribute.HasField("g") else attribute.graphs)
    ]
    return list(dict.fromkeys(name for body in bodies for name in _free(body)))


def _free(body: Any) -> Iterator[str]:
    own = {value.name for value in (*body.input, *body.initializer)}
    for node in body.node:
        yield from (name for name in (*node.input, *captured(node)) if name and name not in own)
        own.update(node.output)
    yield from (output.name for output in body.output if output.name not in own)
