"""Functions of elements and of rows: activations, masks, sums, softmax and norms."""

from math import prod

from attrs import evolve

from lsim.extract.graph import Data, Row, Step
from lsim.extract.opaque import unknown
from lsim.extract.recording import Call, Ref
from lsim.extract.state import State
from lsim.trace.ir import Kind

# A function of each element alone.
UNARY = (
    "gelu silu relu tanh sigmoid pow exp exp2 expm1 log log1p erf sqrt rsqrt reciprocal sin cos mish softplus elu leaky_relu "
    "hardtanh hardswish hardsigmoid clamp clamp_min clamp_max abs square relu6 selu celu log_sigmoid"
)
_MOST_SUMMED = 8  # operands of one sum


def unary(s: State, call: Call) -> None:
    """A function of each element, written down when somebody reads the result."""
    data, out = s.data(call.ref(0)), call.outputs[0]
    step = Step(call.base, s.value(out))
    if data.is_given:
        s.set(out, s.prepared(out))
    elif any(s.get(ref) for ref in list(call.refs)[1:]):
        unknown(s, call)
    elif data.row is not None:
        s.set(out, evolve(data, row=evolve(data.row, after=(*data.row.after, step))))
    else:
        s.set(out, evolve(data, fn=(*data.fn, step)))


def replaced(s: State, call: Call) -> None:
    """Elements replaced where a mask says so: masked_fill(x, mask, …), where(mask, x, y)."""
    at = 0 if call.base == "masked_fill" else 1
    mask, out = call.ref(1 - at), call.outputs[0]
    values = [v for v in call.args[at :: 2 - at] if isinstance(v, Ref)]
    live = [ref for ref in values if (data := s.get(ref)) and not data.is_given]
    given = s.get(mask)
    if (given is not None and not given.is_given) or len(live) > 1:
        unknown(s, call)
    elif live:
        s.set(out, evolve(s.broadcast(s.data(live[0]), live[0], out), masked=True))
    else:
        s.set(out, s.prepared(out))


def reduced(s: State, call: Call) -> None:
    """A sum, mean or largest: a row's statistic, a sum of a few, or pooling."""
    whole, out, value = call.ref(0), call.outputs[0], s.value(call.outputs[0])
    data = s.data(whole)
    count = whole.elements // max(out.elements, 1)
    if data.is_given or out.integer:
        for one in call.outputs:
            s.set(one, s.prepared(one))
    elif count == 1 and call.base in ("sum", "mean", "amax"):
        s.set(out, data)
    elif (data := data if data.row is None else s.plain(data)).elements != whole.elements:
        unknown(s, call)
    elif _over_rows(whole, call.arg(2 if call.base == "linalg_vector_norm" else 1)):
        for one, how in zip(
            call.outputs, call.base.split("_") if len(call.outputs) > 1 else [call.base], strict=True
        ):
            s.set(one, evolve(data, row=Row(how, count, s.value(one))))
    elif call.base not in ("sum", "mean"):
        unknown(s, call)
    elif call.base == "sum" and count <= _MOST_SUMMED and len(parts := s.operand(data)) == 1:
        cut = [parts[0].slice((call.base, value, i), out.elements, out.shape[-1]) for i in range(count)]
        s.set(out, s.elementwise(Kind.RESIDUAL, call, [Data((one,)) for one in cut]))
    else:
        s.set(out, s.pool(data, count, out.elements, value))


def _over_rows(whole: Ref, dims: object) -> bool:
    dims = dims if isinstance(dims, tuple) else (dims,)
    return dims in ((-1,), (len(whole.shape) - 1,))


def softmax(s: State, call: Call) -> None:
    """Over the last dimension."""
    ref = call.ref(0)
    data = s.data(ref)
    if data.is_given:
        s.set(call.outputs[0], s.prepared(call.outputs[0]))
        return
    if call.arg(1) not in (-1, len(ref.shape) - 1):
        unknown(s, call)
        return
    s.set(call.outputs[0], s.softmax(call, data, ref))


def norm(s: State, call: Call) -> None:
    """native_layer_norm(x, shape, gain, bias, eps): of the last dimensions."""
    ref, shape = call.ref(0), call.args[1]
    assert isinstance(shape, tuple)
    columns = prod(shape)
    out = s.norm(call, s.data(ref), ref.elements // columns, columns)
    for value in (call.arg(2), call.arg(3)):
        if isinstance(value, Ref) and (learned := s.get(value)) and out.op:
            s.graph.amend(out.op, s.operand(learned))
    s.set(call.outputs[0], out)
