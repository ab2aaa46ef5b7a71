"""What is prepared outside the machine: what comes of whole numbers and constants by arithmetic on each element alone.

Positions, their sines and cosines, masks. A look-up in a table, or a product with a matrix, is work of the machine.
"""

from __future__ import annotations

from lsim.extract.onnx_graph import FLOATS, LAYOUTS, PARTS, Graph, Node

_ARITHMETIC = frozenset({
    "Abs", "Add", "And", "Ceil", "Clip", "Concat", "Cos", "CumSum", "Div", "Equal", "Exp", "Expand", "Floor", "Greater",
    "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow",
    "Range", "Reciprocal", "Round", "Sign", "Sin", "Sqrt", "Sub", "Sum", "Tile", "Trilu", "Where", "Xor",
})  # fmt: skip


def prepared(graph: Graph) -> dict[str, str]:
    """The values that depend on whole numbers of the input, or on constants, and on nothing else; each with the first value
    that is computed in the same way: what each layer computes anew is prepared once."""
    given = {name: name for name in graph.inputs if graph.types[name] not in FLOATS}
    first: dict[object, str] = {}
    for node in graph.nodes:
        inputs = [name for name in node.inputs if name and not graph.is_stored(name)]
        if inputs and given.keys() >= set(inputs) and _is_arithmetic(graph, node):
            way = (
                node.op,
                str(sorted(node.attributes.items())),
                *(_said(graph, given, one) for one in node.inputs),
            )
            for at, name in enumerate(node.outputs):
                if name:
                    given[name] = first.setdefault((at, way), name)
    return given


def _said(graph: Graph, given: dict[str, str], name: str) -> object:
    """A value by what it is: a constant by what it holds."""
    if name in given or not graph.is_stored(name):
        return given.get(name, name)
    value = graph.value(name)
    return name if value is None else (value.shape, value.tobytes())


def _is_arithmetic(graph: Graph, node: Node) -> bool:
    if not any(graph.types.get(name) in FLOATS for name in (*node.inputs, *node.outputs) if name):
        return True
    if node.op in PARTS:
        return not graph.is_stored(node.inputs[0])
    if node.op in ("MatMul", "Einsum"):
        return (
            all(graph.shapes.get(name, ())[-1:] == (1,) for name in node.inputs[:1]) and node.op == "MatMul"
        )
    return node.op in _ARITHMETIC | LAYOUTS
