"""Rotary position embeddings: x scaled by a table, and x with its halves changed, or its halves, or as complex numbers."""

from collections.abc import Hashable, Sequence

from attrs import evolve

from lsim.extract.graph import Data, Op, Source, Step
from lsim.extract.opaque import unknown
from lsim.extract.recording import Call
from lsim.extract.slices import covers
from lsim.extract.state import COMPLEX, State
from lsim.trace.ir import Kind


def rotary(s: State, parts: tuple[Source, ...]) -> Data:
    data = Data(parts)
    return Data(tuple(s.emit(Kind.ROTARY, [parts], s.shape(data, data.elements), "rotary").outputs))


def is_turned(one: tuple[Hashable, ...], other: tuple[Hashable, ...]) -> bool:
    """Whether one order is the other with its slices in another."""
    return other[:-1] == one and isinstance(other[-1], tuple) and other[-1][0] == "cat"


def of_parts(s: State, call: Call, datas: Sequence[Data]) -> Data | None:
    """a·c − b·d beside b·c + a·d, where a and b are the halves of a tensor, or its even and its odd elements."""
    ops = [data.op for data in datas if data.is_plain and data.op is not None and data.op.rotates]
    if len(ops) != 2 or len(datas) != 2 or not all(s.is_amendable(op, call) for op in ops):
        return None
    one, other = ({part for operand in op.operands for part in operand} for op in ops)
    whole = next(iter(one)).parent
    if one != other or whole is None or not covers(whole, one):
        return None
    for op in ops:
        s.graph.remove(op)
    return rotary(s, (whole,))


def mark(op: Op, one: Data, other: Data) -> None:
    """Note of a sum that it may be half of a rotary embedding: both operands are slices, scaled by tables."""
    parts = (*one.parts, *other.parts)
    sliced = len(set(parts)) == 2 and parts[0].parent is not None and parts[0].parent is parts[-1].parent
    op.rotates = sliced and one.scaled and other.scaled and one.is_plain and other.is_plain


def as_complex(s: State, call: Call) -> None:
    """Pairs as complex numbers: a step of its own, until they are real again."""
    data, out = s.data(call.ref(0)), call.outputs[0]
    if data.is_given or data.row is not None:
        unknown(s, call)
    else:
        s.set(out, evolve(data, fn=(*data.fn, Step(COMPLEX, s.value(out))), scaled=False))


def as_real(s: State, call: Call) -> None:
    """Complex numbers as pairs: turned, if a table has multiplied them meanwhile."""
    data, out = s.data(call.ref(0)), call.outputs[0]
    if not data.fn or data.fn[-1].name != COMPLEX:
        unknown(s, call)
        return
    real = evolve(data, fn=data.fn[:-1], scaled=False)
    s.set(out, rotary(s, s.operand(real)) if data.scaled else real)
