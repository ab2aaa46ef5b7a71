"""Products of matrices: linear layers, the two of attention, convolutions, and those of a mixture of experts."""

from math import prod

from attrs import evolve

from lsim.errors import TraceError
from lsim.extract.graph import Data, Op, Source
from lsim.extract.recording import Call, Ref
from lsim.extract.state import State
from lsim.trace.ir import Kind
from lsim.trace.zoo.experts import Experts


def multiplied_matrices(s: State, call: Call) -> None:
    """mm(x, y), bmm(x, y), addmm(bias, x, y), baddbmm(input, x, y)."""
    first = 1 if call.base in ("addmm", "baddbmm") else 0
    one, other, out = call.ref(first), call.ref(first + 1), call.outputs[0]
    if s.get(one) is None and s.get(other) is None:
        return
    data = Data(tuple(_product(s, call, one, other).outputs))
    s.set(out, _with_bias(s, call, data) if first and call.arg(3) != 0 else data)


def _with_bias(s: State, call: Call, data: Data) -> Data:
    """The product with what is added to it: a bias, a mask that is a constant, or data."""
    bias = s.get(call.ref(0))
    if bias is None or bias.is_given:
        return evolve(data, masked=call.ref(0).elements > 1)
    if not bias.is_weight:
        return s.elementwise(Kind.RESIDUAL, call, [data, bias])
    if data.op is not None:
        s.graph.amend(data.op, s.operand(bias))
    return data


def _product(s: State, call: Call, one: Ref, other: Ref) -> Op:
    """`one` has rows x depth, `other` depth x columns, both perhaps of several heads."""
    x, y = s.data(one), s.data(other)
    heads = one.shape[0] if len(one.shape) == 3 else 1
    rows, depth, columns = one.shape[-2], one.shape[-1], other.shape[-1]
    x_copies, y_copies = one.elements // x.elements, other.elements // y.elements
    if y.is_weight and not x.is_weight:
        return _linear(s, call, (y, x), (heads, columns, depth, rows), y_copies)
    if x.is_weight:
        return _linear(s, call, (x, y), (heads, rows, depth, columns), x_copies)
    if x_copies > 1:
        raise TraceError(f"{call.name}: the first matrix is expanded", place=call.place.module)
    sizes = (heads // y_copies, rows * y_copies, depth, columns)
    op = s.graph.emit(Kind.GEMM, [s.operand(x), s.operand(y)], sizes, call.place.module, "product")
    op.product = True
    before = x.op
    if before is not None and before.kind is Kind.SOFTMAX:
        op.causal, op.window, op.label = before.causal, before.window, "sv"
    return op


def _linear(
    s: State, call: Call, datas: tuple[Data, Data], sizes: tuple[int, int, int, int], copies: int
) -> Op:
    """A weight times activations; one weight for all heads makes them columns of one head."""
    (weight, x), (heads, rows, depth, columns) = datas, sizes
    if copies == heads:
        sizes = (1, rows, depth, heads * columns)
    elif copies > 1:
        raise TraceError(f"{call.name}: a weight shared by some heads only", place=call.place.module)
    return s.graph.emit(Kind.GEMM, [s.operand(weight), s.operand(x)], sizes, call.place.module, "linear")


def convolved(s: State, call: Call) -> None:
    """A convolution is a GEMM over the elements under its kernel; where kernels overlap, these are gathered first."""
    ref, kernel, out = call.ref(0), call.ref(1), call.outputs[0]
    groups, transposed = call.arg(8, 1), call.arg(6, False)
    if groups != 1 or transposed:
        raise TraceError(f"{call.name}: only convolutions of one group are known", place=call.place.module)
    rows, depth = kernel.shape[0], prod(kernel.shape[1:])
    columns = out.elements // rows
    x = s.data(ref)
    if x.elements != depth * columns:
        channels = ref.shape[1]
        taps = (1, depth * columns // channels, channels)
        x = Data(tuple(s.emit(Kind.EMBEDDING, [s.operand(x)], taps, "im2col").outputs))
    operands = [s.operand(s.data(kernel)), s.operand(x)]
    if (bias := s.get(call.arg(2))) is not None:
        operands.append(s.operand(bias))
    op = s.graph.emit(Kind.GEMM, operands, (1, rows, depth, columns), call.place.module, "convolution")
    s.set(out, Data(tuple(op.outputs)))


def grouped(s: State, call: Call) -> None:
    """_grouped_mm(rows, weights of each expert, offsets): who gets how many rows is the policy's to say."""
    ref, weights, out = call.ref(0), call.ref(1), call.outputs[0]
    x, weight = s.data(ref), s.data(weights)
    rows, depth = ref.shape
    count, _, features = weights.shape
    experts = Experts(count, s.chosen, s.routing)
    shares = experts.shares(rows // s.chosen)
    made: list[Source] = []
    begin = 0
    for at, (used, each) in enumerate(shares):
        of = _part(x, at, used * each * depth, depth, len(shares))
        matrix = _of_experts(weight.parts[0], begin, used, depth * features, count)
        op = s.graph.emit(
            Kind.GEMM, [(matrix,), of], (used, features, depth, each), call.place.module, "expert"
        )
        made += op.outputs
        begin += used
    s.set(out, Data(tuple(made)))


def _part(x: Data, at: int, elements: int, columns: int, count: int) -> tuple[Source, ...]:
    """The rows of one share."""
    if count == 1:
        return x.parts
    if len(x.parts) == count:
        return (x.parts[at],)
    return (x.parts[0].slice(("share", at), elements, columns),)


def _of_experts(weight: Source, begin: int, used: int, elements: int, count: int) -> Source:
    """The weights of some experts, as a tensor of its own: those of the others are not read."""
    if used == count:
        return weight
    key = ("experts", begin, used)
    if key not in weight.slices:
        name = f"{weight.name}.{begin}-{begin + used - 1}"
        weight.slices[key] = Source(name, used * elements, weight.role)
    return weight.slices[key]
