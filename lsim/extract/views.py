"""Calls that move no element, take some of them, or put tensors side by side."""

from collections.abc import Hashable, Sequence

from lsim.extract.graph import Data, Source
from lsim.extract.opaque import unknown
from lsim.extract.recording import Call, Ref
from lsim.extract.rotary import of_parts
from lsim.extract.slices import covers
from lsim.extract.state import State

# Elements stay in their order.
RESHAPES = (
    "view _unsafe_view reshape unsqueeze squeeze clone contiguous _to_copy alias detach lift_fresh view_as _reshape_alias "
    "flatten unflatten to positive neg dropout native_dropout"
)
# Elements change place all together.
VIEWS = (
    "permute transpose t expand expand_as roll flip movedim repeat swapaxes swapdims as_strided_copy repeat_interleave "
    "pixel_shuffle pixel_unshuffle channel_shuffle"
)


def reshaped(s: State, call: Call) -> None:
    """The same elements, in another shape."""
    data, out = s.data(call.ref(0)), call.outputs[0]
    if out.integer and data.is_given and not call.ref(0).integer:
        return
    s.set(out, data)


def view(s: State, call: Call) -> None:
    """The same elements, in another order, or some of them several times."""
    ref, out = call.ref(0), call.outputs[0]
    data = s.data(ref)
    in_rows = data.row is not None and call.base.startswith("expand") and ref.shape[:-1] == out.shape[:-1]
    s.set(out, data if in_rows else data.moved(call.base, call.args[1:], ref.shape))


def as_large(s: State, call: Call) -> None:
    """A view, if nothing is added or left out: padding by nothing, other strides for the same elements."""
    ref, out = call.ref(0), call.outputs[0]
    if ref.elements == out.elements:
        s.set(out, s.data(ref).moved(call.base, call.args[1:], ref.shape))
    else:
        unknown(s, call)


def part(s: State, call: Call) -> None:
    """Some of the elements: slices of the one tensor it is taken from."""
    whole, data = call.ref(0), s.data(call.ref(0))
    for at, out in enumerate(call.outputs):
        if out.elements == whole.elements:
            s.set(out, data)
        elif out.elements and not data.is_given:
            s.set(out, s.slice(call, data, out, (call.base, call.args[1:], whole.shape, at)))
        elif out.elements:
            s.set(out, s.prepared(out))


def concatenate(s: State, call: Call) -> None:
    """Tensors side by side; all slices of one tensor are that tensor."""
    refs = [r for r in _listed(call) if r.elements]
    datas = [s.get(ref) for ref in refs]
    known = [data for data in datas if data is not None]
    if all(data.is_given for data in known):
        s.set(call.outputs[0], s.prepared(call.outputs[0]))
        return
    parts = [part for data in known for part in data.parts]
    if len(known) == len(refs) and all(data.is_plain for data in known) and (whole := _whole(parts)):
        order = (*_order(whole, parts), ("cat", call.args[1:], tuple(part.name for part in parts)))
        scaled, masked = (any(flags) for flags in zip(*((d.scaled, d.masked) for d in known), strict=True))
        s.set(call.outputs[0], Data((whole,), order=order, scaled=scaled, masked=masked))
        return
    if turned := of_parts(s, call, known) if len(known) == len(refs) else None:
        s.set(call.outputs[0], turned)
        return
    joined = [_repeated(s, ref, data) for ref, data in zip(refs, datas, strict=True)]
    s.set(call.outputs[0], Data(tuple(part for parts in joined for part in parts)))


def _whole(parts: Sequence[Source]) -> Source | None:
    """The tensor that has been cut into just these slices."""
    elements = sum(part.elements for part in parts)
    above = [whole for whole in parts[0].ancestors if whole.elements == elements]
    return above[0] if above and len(parts) == len(set(parts)) and covers(above[0], parts) else None


def _order(whole: Source, parts: Sequence[Source]) -> tuple[Hashable, ...]:
    """The order in which a tensor was seen when it was cut into these slices."""
    orders = {place[-1] for place, part in whole.slices.items() if part in parts and isinstance(place, tuple)}
    order = orders.pop() if len(orders) == 1 else ()
    return order if isinstance(order, tuple) else ()


def _repeated(s: State, ref: Ref, data: Data | None) -> tuple[Source, ...]:
    if data is None:
        return s.prepared(ref).parts
    return s.operand(data) * (ref.elements // data.elements or 1)


def _listed(call: Call) -> list[Ref]:
    value = call.args[0]
    return [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Ref)]
