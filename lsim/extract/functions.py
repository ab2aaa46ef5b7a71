"""Functions of elements and of rows: activations, masks, sums, softmax and norms."""

from math import prod

from attrs import evolve

from lsim.extract.graph import Data
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
    data = s.data(call.ref(0))
    out = call.outputs[0]
    if data.is_given:
        s.set(out, s.prepared(out))
    else:
        s.set(out, evolve(data, summed=False) if data.reduced > 1 else data.with_fn(call.base))


def replaced(s: State, call: Call) -> None:
    """Elements replaced where a mask says so: masked_fill(x, mask, …), where(mask, x, y)."""
    at = 0 if call.base == "masked_fill" else 1
    datas = [s.get(v) for v in call.args[at:] if isinstance(v, Ref)]
    known = [data for data in datas if data is not None]
    if len(known) != 1 or s.get(call.ref(0 if at else 1)):
        unknown(s, call)
        return
    s.set(call.outputs[0], evolve(known[0], masked=True))


def reduced(s: State, call: Call) -> None:
    """A sum, mean or largest: a row's statistic, a sum of a few, or pooling."""
    whole, out = call.ref(0), call.outputs[0]
    data = s.data(whole)
    count = whole.elements // max(out.elements, 1)
    if data.is_given or out.integer:
        s.set(out, s.prepared(out))
    elif _over_rows(whole, call.arg(1)):
        s.set(out, Data(data.parts, data.fn, reduced=count, summed=call.base in ("sum", "mean")))
    elif call.base not in ("sum", "mean") or whole.elements != data.elements:
        unknown(s, call)
    elif call.base == "sum" and 1 < count <= _MOST_SUMMED and len(parts := s.operand(data)) == 1:
        cut = [parts[0].slice((call.base, i), out.elements, out.shape[-1]) for i in range(count)]
        s.set(out, s.elementwise(Kind.RESIDUAL, call, [Data((one,)) for one in cut]))
    else:
        s.set(out, s.pool(data, count, out.elements))
    for other in call.outputs[1:]:
        s.set(other, s.get(out))


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
    s.softmax(call, data, ref)


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
