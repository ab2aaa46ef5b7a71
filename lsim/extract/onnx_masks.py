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
MASKED = -1e3  # what is added to a score that shall not count: -10000, -3.4e38, -inf
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
    if scores == node.inputs[0] or not _is_product(look, scores):
        return None
    if look.graph.shapes[scores] != look.graph.shapes[node.outputs[0]]:
        return None
    marks = {"causal": int(seen.causal), "window": seen.window}
    return look.replace(node, "lsim.Softmax", scores, **marks, **node.attributes)


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
        scores, keep = (one, True) if look.is_number(other) else (other, False)
        return _by_mask(look, scores, allowed, softmax, keep)
    pairs = [
        (one, other)
        for one, other in look.pairs(step)
        if look.graph.shapes[one] == look.graph.shapes[step.outputs[0]]
    ]
    for one, other in pairs:
        before, seen = _by_mask(look, one, other, softmax, None)
        if before is not None:
            return before, seen
    return None, None


def _by_mask(
    look: Look, scores: str, mask: str, softmax: str, keep: bool | None
) -> tuple[str | None, Seen | None]:
    """`keep`: the truth value of what counts; None for a mask that is added."""
    value = look.graph.value(mask)
    if value is None:
        if look.graph.is_stored(mask) or not _from_integers(look, mask):
            return None, None  # a bias: it is a parameter, or computed from one
        look.masks.append(softmax)
        return scores, None
    if keep is None and not _is_mask(value, mask in look.graph.weights):
        return None, None
    masked = value <= MASKED if keep is None else value.astype(bool) != keep
    if not masked.any():
        return scores, None
    seen = _seen(masked, look.graph.shapes[scores])
    look.masks += [] if seen else [softmax]
    return scores, seen


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
