"""Sums and products of elements: what they add to the operator before them, or the operators that they are."""

from attrs import evolve

from lsim.extract.graph import Data, Op, Source
from lsim.extract.recording import Call, Ref
from lsim.extract.state import State
from lsim.trace.ir import Kind


def summed(s: State, call: Call) -> None:
    """x + y or x − y: a bias, positions beside words, rotary halves, a mask, or a residual."""
    one, other = s.get(call.arg(0)), s.get(call.arg(1))
    out = call.outputs[0]
    if one is None or other is None or one.is_given or other.is_given:
        s.set(out, _with_constant(s, call, one, other))
    elif one.same(other):
        s.set(out, _of_itself(s, one, other))
    else:
        s.set(
            out,
            _absorbed(s, call, one, other)
            or _absorbed(s, call, other, one)
            or s.elementwise(Kind.RESIDUAL, call, [one, other]),
        )


def multiplied(s: State, call: Call) -> None:
    """x · y or x / y: a scale, a rotary table, a norm and its gain, a function of x itself, or a product."""
    one, other = s.get(call.arg(0)), s.get(call.arg(1))
    out = call.outputs[0]
    if one is None or other is None or one.is_given or other.is_given:
        s.set(out, _with_constant(s, call, one, other, scales=True))
    elif one.same(other):
        if (one.reduced > 1) != (other.reduced > 1):
            data, columns = (one, other.reduced) if other.reduced > 1 else (other, one.reduced)
            s.set(out, s.norm(call, data, data.elements // columns, columns))
        else:
            s.set(out, evolve(one, fn=(*one.fn, *other.fn) or ("pow",)))
    else:
        gained = _gained(s, call, one, other) or _gained(s, call, other, one)
        s.set(out, gained or s.elementwise(Kind.MULTIPLY, call, [one, other]))


def _with_constant(
    s: State, call: Call, one: Data | None, other: Data | None, scales: bool = False
) -> Data | None:
    """Of x and a number or a constant tensor: x; of inputs and constants: what a host prepares."""
    out = call.outputs[0]
    live = [data for data in (one, other) if data is not None and not data.is_given]
    if live:
        at = 1 if live[0] is one else 0
        tensor = isinstance(call.arg(at), Ref) and call.ref(at).elements > 1
        return evolve(
            live[0],
            scaled=live[0].scaled or (scales and tensor),
            masked=live[0].masked or (tensor and not scales),
        )
    given = one or other
    if out.integer and call.ref(0).integer and given and given.elements == out.elements:
        return given
    return None if out.integer else s.prepared(out)


def _of_itself(s: State, one: Data, other: Data) -> Data:
    """Two views of one tensor, added: rotary if a table of constants has scaled them, else a function of it."""
    if one.reduced > 1 or other.reduced > 1:
        return one if one.reduced == 1 else other  # x minus its mean: part of a norm
    if (one.scaled or other.scaled) and not one.fn and not other.fn:
        op = s.emit(Kind.ROTARY, [one.parts], s.shape(one, one.elements), "rotary")
        return Data(tuple(op.outputs))
    return evolve(one, fn=(*one.fn, *other.fn), scaled=False)


def _absorbed(s: State, call: Call, data: Data, more: Data) -> Data | None:
    """The operator before, if it can take what is added as its bias or as one table more."""
    op = data.op
    if op is None or not data.is_plain or not more.is_plain or not s.is_amendable(op, call):
        return None
    if more.is_weight and (_takes_bias(op, more) or _takes_whole(op, more)):
        s.graph.amend(op, s.operand(more))
        return data
    return data if _takes_tables(s, call, op, more) else None


def _takes_bias(op: Op, more: Data) -> bool:
    heads, rows, _, columns = op.sizes
    if op.kind is Kind.GEMM:
        return (
            len(op.operands) == 2 and not op.product and heads == 1 and more.elements == rows != op.elements
        )
    return op.kind is Kind.NORM and len(op.operands) == 2 and more.elements == columns


def _takes_whole(op: Op, more: Data) -> bool:
    """Whether a look-up takes all rows of one more table, in order: positions of a sequence as long as there are any."""
    columns = op.sizes[3]
    rows, rest = divmod(more.elements, columns)
    return _is_lookup(op) and rows > 1 and not rest and op.elements % more.elements == 0


def _takes_tables(s: State, call: Call, op: Op, more: Data) -> bool:
    """Whether both are look-ups of weights, of one size or repeated; if so they become one."""
    other = more.op
    if other is None or not s.is_amendable(other, call) or not (_is_lookup(op) and _is_lookup(other)):
        return False
    if other.sizes[3] != op.sizes[3] or op.elements % other.elements:
        return False
    indices = [one.operands[0] for one in (op, other) if one.indexed]
    tables = [table for one in (op, other) for table in _tables(one)]
    joined = tuple(part for operand in indices for part in operand)
    op.operands, op.indexed = [*([joined] if joined else []), *tables], bool(joined)
    s.graph.ops.remove(other)
    return True


def _is_lookup(op: Op) -> bool:
    return op.kind is Kind.EMBEDDING and all(Data(table).is_weight for table in _tables(op))


def _tables(op: Op) -> list[tuple[Source, ...]]:
    return op.operands[1:] if op.indexed else op.operands


def _gained(s: State, call: Call, data: Data, gain: Data) -> Data | None:
    """The norm before, with its gain."""
    op = data.op
    if op is None or op.kind is not Kind.NORM or len(op.operands) != 1 or not data.is_plain:
        return None
    fits = gain.is_weight and gain.is_plain and gain.elements == op.sizes[3]
    if call.base == "div" or not fits or not s.is_amendable(op, call):
        return None
    s.graph.amend(op, s.operand(gain))
    return data
