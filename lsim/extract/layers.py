"""Layers for which PyTorch has one call, and a trace several operators, or one of another name."""

from math import prod

from attrs import evolve

from lsim.extract.graph import Data, Step
from lsim.extract.opaque import unknown
from lsim.extract.products import multiplied_matrices
from lsim.extract.recording import Call, Ref
from lsim.extract.state import State
from lsim.trace.ir import Kind


def linear(s: State, call: Call) -> None:
    """linear(x, weight, bias), which is a whole call in inference mode: a product of two matrices."""
    x, weight, bias = call.ref(0), call.ref(1), call.arg(2)
    rows = evolve(x, shape=(x.elements // x.shape[-1], x.shape[-1]))
    turned = evolve(weight, shape=weight.shape[::-1])
    name, first = ("aten.mm.default", ()) if bias is None else ("aten.addmm.default", (bias,))
    multiplied_matrices(s, evolve(call, name=name, args=(*first, rows, turned)))


def batch_norm(s: State, call: Call) -> None:
    """native_batch_norm(x, gain, bias, mean, var, training, …): constants of each channel; of one image, a norm."""
    ref, data = call.ref(0), s.data(call.ref(0))
    if not call.arg(5):
        _affine(s, call, data, at=1)
    elif ref.shape[0] == 1:
        _affine(s, call, s.norm(call, data, ref.shape[1], ref.elements // ref.shape[1]), at=1)
    else:
        unknown(s, call)


def group_norm(s: State, call: Call) -> None:
    """native_group_norm(x, gain, bias, batch, channels, pixels, groups, eps): a norm, and each channel's gain and bias."""
    ref, groups = call.ref(0), call.arg(6)
    assert isinstance(groups, int)
    rows = ref.shape[0] * groups
    _affine(s, call, s.norm(call, s.data(ref), rows, ref.elements // rows), at=1)


def _affine(s: State, call: Call, data: Data, at: int) -> None:
    for kind, value in ((Kind.MULTIPLY, call.arg(at)), (Kind.RESIDUAL, call.arg(at + 1))):
        learned = s.get(value)
        if learned is not None and not learned.is_given:
            data = s.elementwise(kind, call, [data, learned])
    s.set(call.outputs[0], data)


def gated(s: State, call: Call) -> None:
    """glu(x, dim): one half, times a sigmoid of the other."""
    ref, out = call.ref(0), call.outputs[0]
    data = s.data(ref)
    place = ("split", (ref.shape, call.arg(1)), ref.shape)
    one, gate = (s.slice(call, data, out, (*place, at)) for at in range(2))
    gate = evolve(gate, fn=(Step("sigmoid", s.value(out)),))
    s.set(out, s.elementwise(Kind.MULTIPLY, call, [one, gate]))


def sloped(s: State, call: Call) -> None:
    """_prelu_kernel(x, slope): elements, some of them times a learned slope."""
    s.set(call.outputs[0], s.elementwise(Kind.MULTIPLY, call, [s.data(call.ref(0)), s.data(call.ref(1))]))


def averaged(s: State, call: Call) -> None:
    """avg_pool2d(x, kernel, …): a mean for each place of the kernel; where these overlap, they are gathered first."""
    ref, out, kernel = call.ref(0), call.outputs[0], call.arg(1)
    assert isinstance(kernel, tuple)
    count = prod(kernel) if len(kernel) > 1 else kernel[0] ** 2
    data = s.plain(s.data(ref))
    if data.elements != ref.elements:
        unknown(s, call)
        return
    if ref.elements != count * out.elements:
        channels = ref.shape[-3]
        taps = (1, count * out.elements // channels, channels)
        data = Data(tuple(s.emit(Kind.EMBEDDING, [data.parts], taps, "im2col").outputs))
    s.set(out, s.pool(data, count, out.elements, s.value(out)))


def copied(s: State, call: Call) -> None:
    """copy_(x, y): x is y from now on."""
    out, given = call.outputs[0], call.arg(1)
    data = s.get(given)
    s.set(out, s.broadcast(data, given, out) if data is not None and isinstance(given, Ref) else None)
