"""What each call of PyTorch means for the graph: one function for each group of operators.

A call none of whose tensors descends from a weight, an input or the cache is arithmetic on masks and positions, and is
dropped. Of the others, views move nothing; what is left becomes operators of the trace.
"""

from collections.abc import Callable, Mapping, Sequence
from math import gcd, prod

from attrs import evolve

from lsim.errors import TraceError
from lsim.extract.arithmetic import multiplied, summed
from lsim.extract.graph import Data, Source
from lsim.extract.products import convolved, grouped, multiplied_matrices
from lsim.extract.recording import Call, Ref
from lsim.extract.state import State
from lsim.trace.ir import Kind

Rule = Callable[[State, Call], None]

# Elements stay where they are, or change place all together.
VIEWS = (
    "view _unsafe_view reshape permute transpose t unsqueeze squeeze expand expand_as clone contiguous _to_copy alias "
    "detach roll flip lift_fresh view_as movedim repeat _reshape_alias flatten unflatten to positive neg abs "
    "swapaxes swapdims dropout native_dropout as_strided_copy repeat_interleave conj real"
)
# A function of each element alone.
UNARY = (
    "gelu silu relu tanh sigmoid pow exp exp2 expm1 log log1p erf sqrt rsqrt reciprocal sin cos mish softplus elu leaky_relu "
    "hardtanh hardswish hardsigmoid clamp clamp_min clamp_max square relu6 selu celu log_sigmoid"
)


def view(s: State, call: Call) -> None:
    """The same elements, in another order or shape, or some of them several times."""
    data, out = s.data(call.ref(0)), call.outputs[0]
    if out.integer and data.is_given and not call.ref(0).integer:
        return
    s.set(out, data)


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
    cut = above and len(parts) == len(set(parts)) and all(above[0] in part.ancestors for part in parts)
    return above[0] if cut else None


def _repeated(s: State, ref: Ref, data: Data | None) -> tuple[Source, ...]:
    if data is None:
        return s.prepared(ref).parts
    return s.operand(data) * (ref.elements // data.elements or 1)


def _listed(call: Call) -> list[Ref]:
    value = call.args[0]
    return [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Ref)]


def unary(s: State, call: Call) -> None:
    """A function of each element, written down when somebody reads the result."""
    data = s.data(call.ref(0))
    out = call.outputs[0]
    if data.is_given:
        s.set(out, s.prepared(out))
    else:
        s.set(out, data if data.reduced > 1 else data.with_fn(call.base))


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
        s.set(out, Data(data.parts, data.fn, reduced=count))
    elif call.base == "sum" and count <= 8 and whole.elements == data.elements:
        parts = [data.parts[0].slice((call.base, i), out.elements, out.shape[-1]) for i in range(count)]
        s.set(out, s.elementwise(Kind.RESIDUAL, call, [Data((one,)) for one in parts]))
    else:
        s.set(out, s.pool(data, count, out.elements))
    for other in call.outputs[1:]:
        s.set(other, s.data(out))


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


def gather(s: State, call: Call) -> None:
    """Rows of a table: embedding(table, ids), index(x, [None, ids]), index_select(x, dim, ids), gather(x, dim, ids)."""
    table, out = s.get(call.ref(0)), call.outputs[0]
    chosen = [s.get(ref) for ref in list(call.refs)[1:]]
    if table is None or table.is_given:
        s.set(out, s.prepared(out)) if table or any(chosen) else None
        return
    if not any(chosen) and table.is_weight and out.elements == table.elements:
        s.set(out, table)  # all rows in order: positions of a whole sequence
        return
    indices = tuple(part for data in chosen if data for part in s.operand(data))
    columns = out.shape[-1] if out.shape and not _takes_single(call) else 1
    operands = [indices, s.operand(table)] if indices else [s.operand(table)]
    sizes = (1, out.elements // columns, 0, columns)
    op = s.graph.emit(Kind.EMBEDDING, operands, sizes, call.place.module, "gather")
    op.indexed = bool(indices)
    s.set(out, Data(tuple(op.outputs)))


def _takes_single(call: Call) -> bool:
    """Whether single elements are taken, and not rows: the last dimension is one of those that are indexed."""
    dimensions = len(call.ref(0).shape)
    if call.base == "embedding":
        return False
    indexed = call.args[1]  # a list of indices, one for each dimension; or one dimension
    if isinstance(indexed, tuple):
        return len(indexed) == dimensions and indexed[-1] is not None
    return indexed in (-1, dimensions - 1)


def chosen(s: State, call: Call) -> None:
    """The largest of each row, and where they are: topk, sort, max; both are gathered together."""
    data = s.data(call.ref(0))
    ref, out = call.ref(0), call.outputs[0]
    if data.is_given or data.elements != ref.elements:
        unknown(s, call)
        return
    if out.elements == ref.elements:
        made = data
    else:
        s.chosen = out.shape[-1]
        source = s.operand(data)[0]
        made = Data((source.slice(("topk", call.args[1:]), out.elements, 1, "top-k"),))
    for one in call.outputs:
        s.set(one, made)


def constant(s: State, call: Call) -> None:
    """A new tensor that has no more of its argument than the shape."""
    for out in call.outputs:
        s.set(out, None)


def as_large(s: State, call: Call) -> None:
    """A view, if nothing is added or left out: padding by nothing, other strides for the same elements."""
    ref, out = call.ref(0), call.outputs[0]
    s.set(out, s.data(ref)) if ref.elements == out.elements else unknown(s, call)


def index_arithmetic(s: State, call: Call) -> None:
    """Indices made of indices: they still depend on what the first were chosen from."""
    known = [data for data in map(s.get, call.refs) if data]
    for out in call.outputs:
        s.set(out, known[0])


def unknown(s: State, call: Call) -> None:
    """An operator without a rule: refused, or kept as data movement."""
    if not s.allow_unknown:
        problem = f"{call.name}: an operator that lsim does not know; --allow-unknown keeps it as data movement"
        raise TraceError(problem, place=call.place.module)
    operands = [s.operand(data) for data in map(s.get, call.refs) if data]
    for out in call.outputs:
        columns = gcd(out.elements, *(part.elements for operand in operands for part in operand))
        sizes = (1, out.elements // columns, columns)
        op = s.emit(Kind.EMBEDDING, operands[:8], sizes, f"unknown {call.name}")
        s.set(out, Data(tuple(op.outputs)))
    s.opaque.append(call.name)


RULES: Mapping[str, Rule] = {
    name: rule
    for rule, names in (
        (view, VIEWS),
        (part, "slice select split split_with_sizes unbind narrow chunk diagonal"),
        (concatenate, "cat stack"),
        (unary, UNARY),
        (replaced, "masked_fill where"),
        (reduced, "sum mean var std amax var_mean"),
        (softmax, "_softmax softmax _safe_softmax"),
        (norm, "native_layer_norm"),
        (gather, "embedding index index_select gather"),
        (chosen, "topk sort"),
        (index_arithmetic, "floor_divide remainder cumsum histc bincount index_put eq ne lt le gt ge"),
        (as_large, "constant_pad_nd as_strided"),
        (constant, "empty_like zeros_like ones_like full_like rand_like new_empty new_zeros new_ones new_full"),
        (summed, "add sub rsub"),
        (multiplied, "mul div"),
        (multiplied_matrices, "mm bmm addmm baddbmm mv addmv dot"),
        (convolved, "convolution"),
        (grouped, "_grouped_mm"),
    )
    for name in names.split()
}
