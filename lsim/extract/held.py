"""Weights that are no parameters: buffers, and tensors in plain attributes, that a layer reads as its matrix.

Buffers are constants as a rule, masks and tables of angles, and part of the operators around them. One that a product
multiplies with data, that ids are looked up in, or that is a layer's bias or gain is a weight as a parameter is.
"""

from collections.abc import Collection, Iterable, Iterator

from lsim.extract.recording import Call, Ref

# The same numbers, in another shape, order or type.
_VIEWS = (
    "view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "unsqueeze", "squeeze", "expand",
    "clone", "contiguous", "_to_copy", "alias", "detach", "slice", "select", "split", "split_with_sizes", "unbind",
    "chunk", "narrow",
)  # fmt: skip
_READS = {  # which arguments are a layer's, if the others are data
    "mm": (0, 1), "bmm": (0, 1), "mv": (0, 1), "dot": (0, 1), "addmm": (0, 1, 2), "addmv": (0, 1, 2),
    "baddbmm": (1, 2), "convolution": (1, 2), "native_layer_norm": (2, 3), "_grouped_mm": (0, 1),
}  # fmt: skip


def weights(calls: Iterable[Call], held: Iterable[Ref], given: Collection[Ref]) -> Iterator[Ref]:
    """Those of the tensors `held` that are weights. `given`: parameters, inputs and cache."""
    data = {ref.number for ref in given if not ref.integer}
    ids = {ref.number for ref in given if ref.integer}
    seen = {ref.number: ref for ref in held}  # also what is a view of one
    for call in calls:
        numbers = {ref.number for ref in call.refs}
        for ref in _read(call, seen, numbers & data, numbers & ids):
            yield seen[ref.number]
            data.add(ref.number)
        outputs = {out.number for out in call.outputs}
        if numbers & data:
            data |= outputs
        elif numbers & ids:
            ids |= outputs
        elif call.base in _VIEWS and call.ref(0).number in seen:
            seen.update(dict.fromkeys(outputs, seen[call.ref(0).number]))


def _read(call: Call, seen: Collection[int], data: Collection[int], ids: Collection[int]) -> list[Ref]:
    places = (0,) if call.base == "embedding" and ids else _READS.get(call.base, ()) if data else ()
    refs = [call.arg(at) for at in places]
    return [ref for ref in refs if isinstance(ref, Ref) and ref.number in seen]
