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
    """mm(x, y), bmm(x, y), mv(x, y), dot(x, y); and with something added, addmm(bias, x, y), baddbmm, addmv."""
    first = 1 if call.base in ("addmm", "baddbmm", "addmv") else 0
    one, other, out = call.ref(first), call.ref(first + 1), call.outputs[0]
    if all(data is None or data.is_given for data in (s.get(one), s.get(other))):
        s.set(out, s.prepared(out))
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
    """`one` has rows x depth, `other` depth x columns, both perhaps of several heads, or of one row or column.

    Of two weights the second is the layer, and the first what passes through it: learned queries.
    """
    x, y = s.data(one), s.data(other)
    heads = one.shape[0] if len(one.shape) == 3 else 1
    rows, depth = one.shape[-2] if len(one.shape) > 1 else 1, one.shape[-1]
    columns = other.shape[-1] if len(other.shape) > 1 else 1
    if y.is_weight:
        return _linear(s, call, (y, other), (x, one), (heads, columns, depth, rows))
    if x.is_weight:
        return _linear(s, call, (x, one), (y, other), (heads, rows, depth, columns))
    copies = other.elements // y.elements
    sizes = (heads // copies, rows * copies, depth, columns)
    operands = [_repeated(s, call, x, one), s.operand(y)]
    op = s.graph.emit(Kind.GEMM, operands, sizes, call.place.module, "product")
    op.product = True
    before = x.op
    if before is not None and before.kind is Kind.SOFTMAX:
        op.causal, op.window, op.label = before.causal, before.window, "sv"
    return op


def _linear(
    s: State, call: Call, layer: tuple[Data, Ref], moving: tuple[Data, Ref], sizes: tuple[int, int, int, int]
) -> Op:
    """A weight times what moves; one weight for several heads makes them columns of one head."""
    (weight, ref), (heads, rows, depth, columns) = layer, sizes
    copies = ref.elements // weight.elements
    if heads % copies:
        raise TraceError(f"{call.name}: a weight that is expanded", place=call.place.module)
    operands = [s.operand(weight), _repeated(s, call, *moving)]
    sizes = (heads // copies, rows, depth, copies * columns)
    return s.graph.emit(Kind.GEMM, operands, sizes, call.place.module, "linear")


def _repeated(s: State, call: Call, data: Data, ref: Ref) -> tuple[Source, ...]:
    """The operand of a recorded tensor; what was expanded to it is read as often, side by side."""
    operand = s.operand(data)
    elements = sum(part.elements for part in operand)
    if ref.elements % elements:
        problem = f"{call.name}: reads {ref.elements} elements of what has {elements}"
        raise TraceError(problem, place=call.place.module)
    return operand * (ref.elements // elements)


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
    return (x.parts[0].slice(("share", count, at), elements, columns),)


def _of_experts(weight: Source, begin: int, used: int, elements: int, count: int) -> Source:
    """The weights of some experts, as a tensor of its own: those of the others are not read."""
    if used == count:
        return weight
    key = ("experts", begin, used)
    if key not in weight.slices:
        name = f"{weight.name}.{begin}-{begin + used - 1}"
        weight.slices[key] = Source(name, used * elements, weight.role)
    return weight.slices[key]
