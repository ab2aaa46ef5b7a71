"""Softmaxes of scaled and masked scores: what the mask allows is told by the softmax."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from lsim.extract.onnx_graph import FLOATS, Node, Shape
from lsim.extract.onnx_look import Look

if TYPE_CHECKING:
    from numpy import ndarray

MASKED = -1e3  # what is added to a score that shall not count: -10000, -3.4e38, -inf
# Element types of onnx.proto that are whole numbers, or truth values.
_INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})


def softmax(look: Look, node: Node) -> Node | None:
    """With scale and mask taken in, back to the product that made the scores."""
    scores, causal = node.inputs[0], False
    while (step := look.maker(scores, "Mul", "Div", "Add", "Where")) is not None:
        if len(look.read_by[scores]) > 1 or scores in look.graph.outputs:
            break
        before, masked = _unmasked(look, step, node.name)
        if before is None:
            break
        scores, causal = before, causal or masked
    if scores == node.inputs[0] or look.maker(scores, "MatMul", "com.microsoft.FusedMatMul") is None:
        return None
    if look.graph.shapes[scores] != look.graph.shapes[node.outputs[0]]:
        return None
    return look.replace(node, "lsim.Softmax", scores, causal=causal, **node.attributes)


def finite(look: Look, node: Node) -> Node | None:
    """What replaces the result of a row without any key that counts."""
    check = look.maker(node.inputs[0], "IsNaN")
    same = check is not None and check.inputs[0] == node.inputs[2] and look.is_number(node.inputs[1])
    return look.replace(node, "Identity", node.inputs[2]) if same else None


def _unmasked(look: Look, step: Node, softmax: str) -> tuple[str | None, bool]:
    """The scores before a scale or a mask, and whether that is a causal one; None if the step is something else."""
    if step.op in ("Mul", "Div"):
        return next(((one, False) for one, other in look.pairs(step) if look.is_number(other)), (None, False))
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
        before, causal = _by_mask(look, one, other, softmax, None)
        if before is not None:
            return before, causal
    return None, False


def _by_mask(look: Look, scores: str, mask: str, softmax: str, keep: bool | None) -> tuple[str | None, bool]:
    """`keep`: the truth value of what counts; None for a mask that is added."""
    value = look.graph.value(mask)
    if value is None:
        if look.graph.is_stored(mask) or not _from_integers(look, mask):
            return None, False  # a bias: it is a parameter, or computed from one
        look.masks.append(softmax)
        return scores, False
    if keep is None and not _is_mask(value):
        return None, False
    masked = value <= MASKED if keep is None else value.astype(bool) != keep
    causal = _is_causal(masked, look.graph.shapes[scores])
    look.masks += [softmax] if masked.any() and not causal else []
    return scores, causal


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


def _is_mask(value: ndarray[Any, Any]) -> bool:
    """Whether what is added hides keys, or nothing for all heads alike; a bias of each head may be zero by chance."""
    hides = bool((value <= MASKED).any())
    return bool(((value == 0) | (value <= MASKED)).all()) and (
        hides or value.ndim < 3 or value.shape[-3] == 1
    )


def _is_causal(masked: ndarray[Any, Any], shape: Shape) -> bool:
    """Whether query t may see keys 0 to t, and no other, in all heads alike."""
    import numpy

    queries, keys = shape[-2:]
    whole = numpy.broadcast_to(
        numpy.asarray(masked), numpy.broadcast_shapes(numpy.shape(masked), (queries, keys))
    )
    after = numpy.triu(numpy.ones((queries, keys), bool), 1)
    return queries == keys and bool((whole == after).all())
