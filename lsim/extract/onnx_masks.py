"""Softmaxes of scaled and masked scores: what the mask allows is told by the softmax."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from attrs import frozen

from lsim.extract.onnx_graph import FLOATS, Node, Shape
from lsim.extract.onnx_look import Look

if TYPE_CHECKING:
    from numpy import ndarray


@frozen
class Seen:
    """What a mask lets a query see: all keys, those up to its own, or the last so many of these."""

    causal: bool = False
    window: int = 0


OPEN = Seen()
MASKED = -100  # the most that is added to a score that shall not count: -100 in Swin, -10000, -3.4e38, -inf
_SHAPES = ("Reshape", "Unsqueeze", "Squeeze", "Expand")
# Element types of onnx.proto that are whole numbers, or truth values.
_INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})


def softmax(look: Look, node: Node) -> Node | None:
    """With scale and mask taken in, back to the product that made the scores, or its sum with a bias."""
    scores, seen = node.inputs[0], OPEN
    while (step := look.maker(scores, "Mul", "Div", "Add", "Where")) is not None:
        if len(look.read_by[scores]) > 1 or scores in look.graph.outputs:
            break
        before, mask = _unmasked(look, step, node.name)
        if before is None:
            break
        scores, seen = before, mask or seen
    if not _is_product(look, scores):
        return None
    joined = _unmasked_bias(look, scores, node.name)
    if scores == node.inputs[0] and joined is None:
        return None
    seen = joined or seen
    if look.graph.shapes[scores] != look.graph.shapes[node.outputs[0]]:
        return None
    marks = {"causal": int(seen.causal), "window": seen.window}
    return look.replace(node, "lsim.Softmax", scores, **marks, **node.attributes)


def attention(look: Look, node: Node) -> Node | None:
    """A fused attention with what its mask allows as attributes, and of the mask what is a bias."""
    mask = node.input(3)
    if not mask:
        return None
    keep = None if look.graph.types[mask] in FLOATS else True
    shape = (*look.graph.shapes[node.inputs[0]][-2:-1], look.graph.shapes[mask][-1])
    bias, seen = _by_mask(look, "", mask, shape, node.name, keep)
    if bias is None:
        adds = look.maker(mask, "Add", "Where")
        bias, seen = _unmasked(look, adds, node.name) if adds else (None, None)
    if bias is None:
        return None
    marks = {"window": seen.window if seen else 0}
    causal = int(bool(node.attributes.get("is_causal")) or (seen is not None and seen.causal))
    attributes = {**node.attributes, **marks, "is_causal": causal}
    return look.replace(node, node.op, *node.inputs[:3], bias, *node.inputs[4:], **attributes)


def _unmasked_bias(look: Look, scores: str, softmax: str) -> Seen | None:
    """Takes a mask out of the bias that is added to scores; None if there is none in it."""
    step = look.maker(scores, "Add")
    for one, other in look.pairs(step) if step else ():
        adds = look.maker(other, "Add", "Where")
        bias, seen = _unmasked(look, adds, softmax) if adds and _is_product(look, one) else (None, None)
        if step is not None and bias is not None:
            at = look.graph.nodes.index(step)
            look.graph.nodes[at] = look.replace(step, "Add", one, bias)
            return seen or OPEN
    return None


def _is_product(look: Look, scores: str) -> bool:
    """Whether a value is a product, or one with a scale and a bias."""
    while (step := look.maker(scores, "Mul", "Div", "Add")) is not None:
        shape = look.graph.shapes[scores]
        biased = step.op == "Add"
        pairs = (one for one, other in look.pairs(step) if biased or look.is_number(other))
        scores = next((one for one in pairs if look.graph.shapes[one] == shape), "")
    return look.maker(scores, "MatMul", "Einsum", "com.microsoft.FusedMatMul") is not None


def finite(look: Look, node: Node) -> Node | None:
    """What replaces the result of a row without any key that counts."""
    check = look.maker(node.inputs[0], "IsNaN")
    same = check is not None and check.inputs[0] == node.inputs[2] and look.is_number(node.inputs[1])
    return look.replace(node, "Identity", node.inputs[2]) if same else None


def _unmasked(look: Look, step: Node, softmax: str) -> tuple[str | None, Seen | None]:
    """The scores before a scale or a mask, and what that lets see; None if the step is something else."""
    if step.op in ("Mul", "Div"):
        return next(((one, None) for one, other in look.pairs(step) if look.is_number(other)), (None, None))
    if step.op == "Where":
        allowed, one, other = step.inputs
        scores, hidden, keep = (one, other, True) if look.is_number(other) else (other, one, False)
        value = look.graph.value(hidden)
        if value is not None and not (value <= MASKED).all():
            return None, None
        return _by_mask(look, scores, allowed, look.graph.shapes[scores], softmax, keep)
    shape = look.graph.shapes[step.outputs[0]]
    for one, other in look.pairs(step):
        if _value(look, one) is not None and _value(look, other) is None:
            continue  # a stored mask is what is added, not what it is added to
        before, seen = _by_mask(look, one, other, shape, softmax, None)
        if before is not None:
            return before, seen
    return None, None


def _by_mask(
    look: Look, scores: str, mask: str, shape: Shape, softmax: str, keep: bool | None
) -> tuple[str | None, Seen | None]:
    """`keep`: the truth value of what counts; None for a mask that is added."""
    value = _value(look, mask)
    if value is None:
        if look.graph.is_stored(mask) or not _from_integers(look, mask):
            return None, None  # a bias: it is a parameter, or computed from one
        look.masks.append(softmax)
        return scores, None
    if keep is None and not _is_mask(value, _root(look, mask) in look.graph.weights):
        return None, None
    masked = value <= MASKED if keep is None else value.astype(bool) != keep
    if not masked.any():
        return scores, None
    seen = _seen(masked, shape)
    look.masks += [] if seen else [softmax]
    return scores, seen


def _value(look: Look, name: str) -> ndarray[Any, Any] | None:
    """What a mask holds, if it is known before the run; perhaps in another shape."""
    import numpy

    maker = look.maker(name, *_SHAPES)
    if maker is None:
        return look.graph.value(name)
    value, shape = _value(look, maker.inputs[0]), look.graph.shapes[name]
    if value is None:
        return None
    return numpy.broadcast_to(value, shape) if maker.op == "Expand" else value.reshape(shape)


def _root(look: Look, name: str) -> str:
    """What a value is another shape of."""
    while (maker := look.maker(name, *_SHAPES)) is not None:
        name = maker.inputs[0]
    return name


def _from_integers(look: Look, name: str) -> bool:
    """Whether a value comes from whole numbers or truth values alone, as masks do, and from no parameter."""
    reached, todo = set[str](), [name]
    while todo:
        one = todo.pop()
        if one in reached:
            continue
        reached.add(one)
        maker = look.made_by.get(one)
        if maker is None and not _is_mask_source(look, one):
            return False
        todo += [source for source in maker.inputs if source] if maker else []
    return True


def _is_mask_source(look: Look, name: str) -> bool:
    if name in look.graph.weights and prod(look.graph.shapes[name]) > 1 and look.graph.types[name] in FLOATS:
        return False
    return look.graph.is_stored(name) or look.graph.types.get(name) in _INTEGERS or "mask" in name


def _is_mask(value: ndarray[Any, Any], is_weight: bool) -> bool:
    """Whether what is added hides keys, or nothing for all heads alike; a parameter of each head may be zero by chance."""
    hides = bool((value <= MASKED).any())
    return bool(((value == 0) | (value <= MASKED)).all()) and (
        hides or value.ndim < 3 or value.shape[-3] == 1 or not is_weight
    )


def _seen(masked: ndarray[Any, Any], shape: Shape) -> Seen | None:
    """What query t may see in all heads alike, if that is keys 0 to t, or the last of them."""
    import numpy

    queries, keys = shape[-2:]
    if queries != keys:
        return None
    whole = numpy.broadcast_to(
        numpy.asarray(masked), numpy.broadcast_shapes(numpy.shape(masked), (queries, keys))
    )
    last = int((~whole.reshape(-1, queries, keys)[0, -1]).sum())
    ones = numpy.ones((queries, keys), bool)
    hidden = numpy.triu(ones, 1) | numpy.tril(ones, -max(last, 1))
    return Seen(True, last if last < keys else 0) if bool((whole == hidden).all()) else None
