"""Sums and products of elements: what they add to the operator before them, or the operators that they are."""

from attrs import evolve

from lsim.extract.graph import Data, Op, Row, Source, Step
from lsim.extract.opaque import unknown
from lsim.extract.recording import Call, Ref
from lsim.extract.rotary import is_turned, mark, rotary
from lsim.extract.state import State
from lsim.trace.ir import Kind

_SIZES = (
    "sqrt",
    "pow",
    "clamp",
    "clamp_min",
    "rsqrt",
    "reciprocal",
)  # functions that a norm may apply to the size of a row
_INVERSES = ("rsqrt", "reciprocal", "pow")


def summed(s: State, call: Call) -> None:
    """x + y or x − y: a bias, positions beside words, rotary halves, a mask, or a residual."""
    one, other = s.get(call.arg(0)), s.get(call.arg(1))
    if one is None or other is None or one.is_given or other.is_given:
        made = _with_constant(s, call, one, other)
    else:
        made = (
            _of_itself(s, call, one, other)
            or _absorbed(s, call, one, other)
            or _absorbed(s, call, other, one)
            or _added(s, call, one, other)
        )
    s.set(call.outputs[0], made)


def _added(s: State, call: Call, one: Data, other: Data) -> Data:
    made = s.elementwise(Kind.RESIDUAL, call, [one, other])
    if made.op is not None:
        mark(made.op, one, other)
    return made


def multiplied(s: State, call: Call) -> None:
    """x · y or x / y: a scale, a rotary table, a norm and its gain, a function of x itself, or a product."""
    one, other = s.get(call.arg(0)), s.get(call.arg(1))
    live = any(data and not data.is_given for data in (one, other))
    if live and call.base == "div" and call.arg(2) is not None and not call.outputs[0].integer:
        unknown(s, call)  # rounded
        return
    if one is None or other is None or one.is_given or other.is_given:
        made = _with_constant(s, call, one, other, scales=True)
    else:
        made = (
            _by_itself(s, call, one, other)
            or _gained(s, call, one, other)
            or _gained(s, call, other, one)
            or s.elementwise(Kind.MULTIPLY, call, [one, other])
        )
    s.set(call.outputs[0], made)


def _with_constant(
    s: State, call: Call, one: Data | None, other: Data | None, scales: bool = False
) -> Data | None:
    """Of x and a number or a constant tensor: x; of inputs and constants: what a host prepares."""
    out = call.outputs[0]
    live = [data for data in (one, other) if data is not None and not data.is_given]
    if live:
        at = 1 if live[0] is one else 0
        tensor = isinstance(call.arg(at), Ref) and call.ref(at).elements > 1
        data = s.broadcast(live[0], call.ref(1 - at), out)
        return evolve(
            data,
            scaled=data.scaled or (scales and tensor),
            masked=data.masked or (tensor and not scales),
        )
    given = one or other
    if out.integer and call.ref(0).integer and given and given.elements == out.elements:
        return given
    return None if out.integer else s.prepared(out)


def _match(one: Data, other: Data, shape: tuple[int, ...], rows: tuple[int, ...]) -> bool:
    """Whether each element meets itself, or what became of its row."""
    wanted = {shape, (*shape[:-1], 1)} if other.row is not None and one.row is None else {shape}
    return one.parts == other.parts and one.order == other.order and _bare(rows) in map(_bare, wanted)


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the leading dimensions of one."""
    return shape if shape[:1] != (1,) else _bare(shape[1:])


def _of_itself(s: State, call: Call, one: Data, other: Data) -> Data | None:
    """x and a function of x, added: another function of it; less a row's mean or largest; or both halves of rotary."""
    shape, rows = call.ref(0).shape, call.ref(1).shape
    if _match(one, other, shape, rows):
        if other.row is not None and one.row is None:
            takes = call.base == "sub" and other.row.how in ("mean", "amax") and not other.row.after
            step = Step(other.row.how, s.value(call.outputs[0]), other.row)
            return evolve(one, fn=(*one.fn, step)) if takes and one.fn == other.fn else None
        return _joined(s, call, one, other)
    if one.parts == other.parts and one.is_plain and other.is_plain and shape == rows:
        turned = (one.scaled or other.scaled) and is_turned(*sorted((one.order, other.order), key=len))
        return rotary(s, one.parts) if turned else None
    return None


def _joined(s: State, call: Call, one: Data, other: Data) -> Data | None:
    """A function of two functions of x. A sum of x and x is but a scale."""
    if one.fn == other.fn and one.row == other.row:
        squared = Step("pow", s.value(call.outputs[0]))
        if call.base in ("add", "sub", "rsub"):
            return evolve(one, scaled=one.scaled or other.scaled, masked=one.masked or other.masked)
        if one.row is not None:
            return evolve(one, row=evolve(one.row, after=(*one.row.after, squared)))
        return evolve(one, fn=(*one.fn, squared))
    if one.is_of_rows or other.is_of_rows:
        return None
    *steps, last = (*one.fn, *other.fn)
    return evolve(one, fn=(*steps, evolve(last, value=s.value(call.outputs[0]))), scaled=False)


def _by_itself(s: State, call: Call, one: Data, other: Data) -> Data | None:
    """x and a function of x, multiplied: another function of it; by a statistic of its rows: a norm or a softmax."""
    (data, ref), (by, rows) = (one, call.ref(0)), (other, call.ref(1))
    if one.row is not None and other.row is None and call.base == "mul":
        (data, ref), (by, rows) = (other, call.ref(1)), (one, call.ref(0))
    if not _match(data, by, ref.shape, rows.shape):
        return None
    if by.row is None or data.row is not None:
        return _joined(s, call, data, by) if call.base == "mul" or not data.is_of_rows else None
    if _is_softmax(call.base, data, by.row, by.fn):
        scores = data.fn[:-1]
        shifted = bool(scores) and scores[-1].row is not None
        return s.softmax(call, evolve(data, fn=scores[:-1] if shifted else scores), ref)
    if not _is_norm(call.base, data, by.row, by.fn):
        return None
    centred = bool(data.fn) and data.fn[-1].row is not None
    data = evolve(data, fn=data.fn[:-1]) if centred else data
    return s.norm(call, data, data.elements // by.row.count, by.row.count)


def _is_softmax(base: str, data: Data, row: Row, fn: tuple[Step, ...]) -> bool:
    exponential = bool(fn) and fn[-1].name in ("exp", "exp2")
    divided = [step.name for step in row.after] == ([] if base == "div" else ["reciprocal"])
    return exponential and row.how == "sum" and divided and fn == data.fn


def _is_norm(base: str, data: Data, row: Row, fn: tuple[Step, ...]) -> bool:
    """Whether rows are divided by their own size, however that is measured: after their mean has been taken away or not."""
    names = {step.name for step in row.after}
    divided = (base == "div" and not names & {"rsqrt", "reciprocal"}) or bool(names.intersection(_INVERSES))
    centred = data.fn[:-1] if data.fn and data.fn[-1].row is not None else data.fn
    measured = (
        fn[:-1] if fn and fn[-1].name in ("pow", "square", "abs") and fn not in (data.fn, centred) else fn
    )
    return divided and names.issubset(_SIZES) and measured in (data.fn, centred)


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
