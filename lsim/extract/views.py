"""Calls that move no element, take some of them, or put tensors side by side."""

from collections.abc import Sequence

from lsim.extract.graph import Data, Source
from lsim.extract.opaque import unknown
from lsim.extract.recording import Call, Ref
from lsim.extract.slices import covers
from lsim.extract.state import State

# Elements stay where they are, or change place all together.
VIEWS = (
    "view _unsafe_view reshape permute transpose t unsqueeze squeeze expand expand_as clone contiguous _to_copy alias "
    "detach roll flip lift_fresh view_as movedim repeat _reshape_alias flatten unflatten to positive neg "
    "swapaxes swapdims dropout native_dropout as_strided_copy repeat_interleave conj real"
)


def view(s: State, call: Call) -> None:
    """The same elements, in another order or shape, or some of them several times."""
    data, out = s.data(call.ref(0)), call.outputs[0]
    if out.integer and data.is_given and not call.ref(0).integer:
        return
    s.set(out, data)


def as_large(s: State, call: Call) -> None:
    """A view, if nothing is added or left out: padding by nothing, other strides for the same elements."""
    ref, out = call.ref(0), call.outputs[0]
    if ref.elements == out.elements:
        s.set(out, s.data(ref))
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
        s.set(call.outputs[0], Data((whole,), scaled=any(data.scaled for data in known)))
        return
    joined = [_repeated(s, ref, data) for ref, data in zip(refs, datas, strict=True)]
    s.set(call.outputs[0], Data(tuple(part for parts in joined for part in parts)))


def _whole(parts: Sequence[Source]) -> Source | None:
    """The tensor that has been cut into just these slices."""
    elements = sum(part.elements for part in parts)
    above = [whole for whole in parts[0].ancestors if whole.elements == elements]
    return above[0] if above and len(parts) == len(set(parts)) and covers(above[0], parts) else None


def _repeated(s: State, ref: Ref, data: Data | None) -> tuple[Source, ...]:
    if data is None:
        return s.prepared(ref).parts
    return s.operand(data) * (ref.elements // data.elements or 1)


def _listed(call: Call) -> list[Ref]:
    value = call.args[0]
    return [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Ref)]
