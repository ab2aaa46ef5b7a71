"""Parts of one value put together again: a roll, windows cut and joined, patches merged. All of its elements, so none is moved."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from lsim.extract.onnx_graph import FOLDED, LAYOUTS, PARTS, Node
from lsim.extract.onnx_look import Look

if TYPE_CHECKING:
    from numpy import ndarray

_MOST = 64  # nodes between a value and its parts put together


def rejoined(look: Look, node: Node) -> Node | None:
    """A concatenation that has each element of one value once, as a name of that value."""
    size = prod(look.graph.shapes[node.outputs[0]])
    found = _between(look, node)
    if found is None or size > FOLDED:
        return None
    source, between = found
    if size != prod(look.graph.shapes[source]) or not any(one.op in PARTS for one in between):
        return None
    made = _numbered(look, source, between)
    if made is None or not _is_each_once(made):
        return None
    return look.replace(node, "lsim.Same", source)


def _between(look: Look, node: Node) -> tuple[str, list[Node]] | None:
    """The one value that all parts are of, and the nodes from there, in order; None if there are several."""
    found: dict[str, Node] = {}
    sources: set[str] = set()
    todo = [node]
    while todo:
        one = todo.pop()
        found[one.outputs[0]] = one
        data = one.inputs if one.op == "Concat" else one.inputs[:1]
        for name in data:
            maker = look.maker(name, "Concat", *LAYOUTS, *PARTS)
            if maker is None:
                sources.add(name)
            elif maker.outputs[0] not in found:
                todo.append(maker)
        if len(found) > _MOST or len(sources) > 1:
            return None
    if len(sources) != 1 or look.graph.is_stored(*sources):
        return None
    order = [one for one in look.graph.nodes if found.get(one.outputs[0]) is one]
    return sources.pop(), order


def _numbered(look: Look, source: str, nodes: list[Node]) -> ndarray[Any, Any] | None:
    """Which elements of the value the last node has, found by computing with their numbers; None if that cannot be."""
    import numpy
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    shape = look.graph.shapes[source]
    given: dict[str, Any] = {source: numpy.arange(prod(shape)).reshape(shape)}
    for name in {name for node in nodes for name in node.inputs if look.graph.is_stored(name)}:
        value = look.graph.value(name)
        if value is None:
            return None
        given[name] = value
    protos = [helper.make_node(one.op, one.inputs, one.outputs, **one.attributes) for one in nodes]
    inputs = [helper.make_empty_tensor_value_info(name) for name in given]
    outputs = [helper.make_empty_tensor_value_info(nodes[-1].outputs[0])]
    model = helper.make_model(
        helper.make_graph(protos, "parts", inputs, outputs),
        opset_imports=[helper.make_opsetid("", look.graph.opset)],
    )
    try:
        made: Any = ReferenceEvaluator(model).run(None, given)
        made = made[0]
    except Exception:  # whatever the reference does not implement
        return None
    return made if isinstance(made, numpy.ndarray) else None


def _is_each_once(numbers: ndarray[Any, Any]) -> bool:
    import numpy

    return bool((numpy.sort(numbers, axis=None) == numpy.arange(numbers.size)).all())
