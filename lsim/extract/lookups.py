"""Look-ups: rows of tables, the largest of each row, and the arithmetic of indices."""

from lsim.extract.graph import Data
from lsim.extract.opaque import unknown
from lsim.extract.recording import Call
from lsim.extract.state import State
from lsim.trace.ir import Kind


def gather(s: State, call: Call) -> None:
    """Rows of a table: embedding(table, ids), index(x, [None, ids]), index_select(x, dim, ids), gather(x, dim, ids)."""
    table, out = s.get(call.ref(0)), call.outputs[0]
    chosen = [s.get(ref) for ref in list(call.refs)[1:]]
    if (table is None or table.is_given) and all(data is None or data.is_given for data in chosen):
        if table or any(chosen):
            s.set(out, s.prepared(out))
        return
    table = s.data(call.ref(0))
    if not any(chosen) and table.is_weight and out.elements == table.elements:
        s.set(out, table.moved("rows", s.value(out)))  # all rows: positions of a whole sequence
        return
    indices = tuple(part for data in chosen if data for part in s.operand(data))
    columns = out.shape[-1] if out.shape and not _takes_single(call) else 1
    operands = [indices, s.operand(table)] if indices else [s.operand(table)]
    sizes = (1, out.elements // columns, 0, columns)
    op = s.graph.emit(Kind.EMBEDDING, operands, sizes, call.place.module, "gather")
    op.indexed = bool(indices)
    if indices and all(part.label == "top-k" for part in indices):
        s.chosen = indices[0].shape[-1]
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
    """The largest of each row, and where they are: one gather of both. What a router has chosen may be sorted."""
    data = s.data(call.ref(0))
    ref, out = call.ref(0), call.outputs[0]
    if call.base == "sort" and _is_choice(data):
        made = data
    elif call.base == "sort" or data.is_given or data.elements != ref.elements:
        unknown(s, call)
        return
    else:
        source = s.operand(data)[0]
        place = ("topk", call.args[1:], data.order)
        made = Data((source.slice(place, out.elements, 1, "top-k", out.shape),))
    for one in call.outputs:
        s.set(one, made)


def index_arithmetic(s: State, call: Call) -> None:
    """Indices made of indices: they still depend on what the first were chosen from."""
    known = [data for data in map(s.get, call.refs) if data]
    if not all(data.is_given or _is_choice(data) for data in known):
        unknown(s, call)
        return
    made = next((data for data in known if not data.is_given), known[0])
    for out in call.outputs:
        same = not made.is_given or made.elements == out.elements
        s.set(out, made if same else s.prepared(out))


def _is_choice(data: Data) -> bool:
    """Whether it is what a router has chosen."""
    return data.is_plain and all(part.label == "top-k" for part in data.parts)


def constant(s: State, call: Call) -> None:
    """A new tensor that has no more of its argument than the shape."""
    for out in call.outputs:
        s.set(out, None)
