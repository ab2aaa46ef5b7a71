"""Norms, GELU, SiLU and rotary embedding that exporters write as several nodes."""

from __future__ import annotations

from math import prod

from lsim.extract.onnx_graph import Node
from lsim.extract.onnx_look import Look

_ARITHMETIC = frozenset({"Mul", "Div", "Add", "Pow"})


def norm(look: Look, node: Node) -> Node | None:
    """(x - mean(x)) or x, over the root of its mean square, or over its sum or its length."""
    for above, below in look.pairs(node):
        if node.op == "Div" and above == node.inputs[0] and _is_length(look, above, below):
            return _affine(look, node, "lsim.RMSNorm", above)
        squares, x = _root_of_mean_square(look, node, below), _source(look, above)
        if squares is None:
            continue
        if x is not None and _source(look, squares) == x:
            return _affine(look, node, "lsim.LayerNorm", x)
        if squares == above:
            return _affine(look, node, "lsim.RMSNorm", above)
    return None


def _is_length(look: Look, x: str, below: str) -> bool:
    """Whether a value is a sum over each row of x, of elements or of their sizes, perhaps kept from zero."""
    kept = look.maker(below, "Clip", "Max", "Expand")
    while kept is not None:
        below = kept.inputs[0]
        kept = look.maker(below, "Clip", "Max", "Expand")
    total = look.maker(below, "ReduceSum", "ReduceL1", "ReduceL2")
    if total is None or total.inputs[0] != x:
        return False
    whole = look.graph.shapes[x]
    return look.graph.shapes[total.outputs[0]] == (*whole[:-1], 1) and whole[-1] > 1


def _source(look: Look, name: str) -> str | None:
    """The x of x - mean(x)."""
    minus = look.maker(name, "Sub")
    mean = look.maker(minus.inputs[1], "ReduceMean") if minus else None
    return mean.inputs[0] if minus and mean and mean.inputs[0] == minus.inputs[0] else None


def _root_of_mean_square(look: Look, node: Node, below: str) -> str | None:
    """The y of sqrt(mean(y²) + ε), if the node divides by that."""
    root = look.maker(below, "Sqrt") if node.op == "Div" else None
    if node.op == "Mul" and (inverse := look.maker(below, "Reciprocal", "Div")):
        root = look.maker(inverse.inputs[-1], "Sqrt")
    plus = look.maker(root.inputs[0], "Add") if root else None
    for one, other in look.pairs(plus) if plus else ():
        mean = look.maker(one, "ReduceMean")
        square = look.maker(mean.inputs[0], "Pow", "Mul") if mean and look.is_number(other) else None
        if square and (square.inputs[0] == square.inputs[1] or look.is_number(square.inputs[1])):
            return square.inputs[0]
    return None


def _affine(look: Look, node: Node, op: str, x: str) -> Node:
    """With the gain and the bias that come after, if they do."""
    parameters, last = [], node
    for follows in ("Mul", "Add"):
        after = look.reader(last.outputs[0], follows)
        rows = (
            [b for a, b in look.pairs(after) if a == last.outputs[0] and _is_row(look, b, x)] if after else []
        )
        if after and rows:
            parameters.append(rows[0])
            last = after
    return look.replace(last, op, x, *parameters)


def _is_row(look: Look, name: str, x: str) -> bool:
    shape = look.graph.shapes[name]
    return look.graph.is_stored(name) and prod(shape) == look.graph.shapes[x][-1] == (shape or (1,))[-1]


def gelu(look: Look, node: Node) -> Node | None:
    """x · (1 + f) / 2 in any order, where f = erf(x/√2), or a tanh of a polynomial of x."""
    for one, other in look.pairs(node):
        plus, x = look.maker(look.scaled(one), "Add"), look.scaled(other)
        bell = _bell(look, plus) if plus else None
        if bell is None or _leaves(look, bell.inputs[0], x) != {x}:
            continue
        halved = x != other or plus is not look.maker(one, "Add")
        half = None if halved else look.reader(node.outputs[0], "Mul", "Div")
        last = half if half and any(look.is_number(name) for name in half.inputs) else node
        return look.replace(last, "lsim.Gelu", x)
    return None


def _bell(look: Look, plus: Node) -> Node | None:
    """The f of 1 + f."""
    return next((look.maker(a, "Erf", "Tanh") for a, b in look.pairs(plus) if look.is_number(b)), None)


def _leaves(look: Look, name: str, x: str, depth: int = 8) -> set[str]:
    """What a value is computed from by arithmetic with constants, back to x."""
    node = look.maker(name, *_ARITHMETIC) if depth and name != x else None
    if node is None:
        return {name}
    inputs = [one for one in node.inputs if not look.is_number(one)]
    return {leaf for one in inputs for leaf in _leaves(look, one, x, depth - 1)}


def silu(look: Look, node: Node) -> Node | None:
    """x · sigmoid(x)."""
    for x, other in look.pairs(node):
        gate = look.maker(other, "Sigmoid")
        if gate and gate.inputs[0] == x and node.op == "Mul":
            return look.replace(node, "lsim.Silu", x)
    return None


def rotary(look: Look, node: Node) -> Node | None:
    """x · cos + (-x₂, x₁) · sin."""
    for one, other in look.pairs(node):
        straight, turned = look.maker(one, "Mul"), look.maker(other, "Mul")
        if straight is None or turned is None:
            continue
        for half in turned.inputs:
            x = _turned(look, half)
            if x is not None and x in straight.inputs:
                return look.replace(node, "lsim.Rotary", x)
    return None


def _turned(look: Look, name: str) -> str | None:
    """The x of (-x₂, x₁)."""
    both = look.maker(name, "Concat")
    if both is None or len(both.inputs) != 2:
        return None
    minus = look.maker(both.inputs[0], "Neg")
    parts = [
        look.maker(part, "Slice", "Split") for part in (minus.inputs[0] if minus else "", both.inputs[1])
    ]
    sources = {part.inputs[0] if part else "" for part in parts}
    return sources.pop() if minus and len(sources) == 1 and "" not in sources else None
