"""Which attentions are causal: a module says it of all that runs inside it, and the mask of which softmax that holds.

A mask is known to be causal by its numbers, if it was given with any, or by how it was made: a triangle of ones, or
positions compared to positions. It is followed from there through functions of elements to the softmax that it reaches.
What is not known to be causal is taken as dense, and a convention of the trace says so.
"""

from collections.abc import Collection, Iterator

from attrs import evolve

from lsim.extract.recording import Call, Ref

SOFTMAXES = ("_softmax", "softmax", "_safe_softmax")
_TRIANGLES = {
    "tril": 0,
    "triu": 1,
}  # the diagonal that makes keys up to the query one side, later ones the other
_COMPARED = ("le", "lt", "ge", "gt")
_WIDENING = ("bitwise_or", "logical_or")  # a triangle or something else may be more than the triangle
_ENDS = (*SOFTMAXES, "mm", "bmm", "addmm", "mv", "addmv", "dot", "convolution", "embedding")


def settled(calls: Collection[Call], given: Collection[Ref], causal: Collection[int]) -> Iterator[Call]:
    """The calls; the place of a softmax is causal no longer if nothing causal reaches it.

    `given`: what was there before; `causal`: numbers of tensors that are causal masks by their numbers.
    """
    masks, live = set(causal), {ref.number for ref in given}
    for call in calls:
        outputs = {out.number for out in call.outputs}
        if call.base in SOFTMAXES and not call.place.certain:
            says = call.place.causal and call.ref(0).number in masks
            yield evolve(call, place=evolve(call.place, causal=says))
        else:
            yield call
        refs = [ref.number for ref in call.refs]
        if live.intersection(refs):
            live |= outputs
        if _is_made(call, live) or _passes(call, masks):
            masks |= outputs
        else:
            masks -= outputs


def _is_made(call: Call, live: Collection[int]) -> bool:
    if call.base in _TRIANGLES:
        return call.arg(1) == _TRIANGLES[call.base]
    refs = list(call.refs)
    return call.base in _COMPARED and len(refs) == 2 and not any(ref.number in live for ref in refs)


def _passes(call: Call, masks: Collection[int]) -> bool:
    if call.base in _ENDS:
        return False
    refs = [call.ref(0)] if call.base == "baddbmm" else list(call.refs)
    found = [ref.number in masks for ref in refs]
    return all(found) and bool(found) if call.base in _WIDENING else any(found)
