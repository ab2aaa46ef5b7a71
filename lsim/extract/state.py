"""What every tensor of a recording is so far, and the ways to add to the graph that several rules share."""

from collections.abc import Iterable, Mapping, Sequence
from math import gcd

from attrs import define, evolve, field

from lsim.errors import TraceError
from lsim.extract.graph import Data, Graph, Op, Row, Source
from lsim.extract.recording import Call, Ref
from lsim.trace.ir import Kind, Role

# Their results differ from call to call.
_DISTRIBUTIONS = ("normal", "uniform", "bernoulli", "exponential", "multinomial")
RANDOM = ("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", *_DISTRIBUTIONS)
COMPLEX = (
    "view_as_complex"  # a step that nobody can read: complex numbers are known in rotary embeddings alone
)
ACTIVATIONS = {"gelu", "silu", "relu", "tanh", "sigmoid"}


@define
class State:
    """What is known at a call.

    `routing`, `allow_unknown`: what the user wants. `graph`: the operators so far.
    `last_reads`: number of a tensor → the last call that reads it. `at`: the present call.
    `known`: number of a tensor → what it is; constants are not in it. `holding`: an operator → tensors made of what it wrote.
    `sharing`: a storage → the tensors that are views of it.
    `functions`: what has been written down of functions and pools, by what they are of, for whoever reads it next.
    `made`: what is prepared outside the machine, by value; `values` and `numbers` say which values are equal.
    `opaque`: unknown operators that were kept. `wanted`: slices that the model returns.
    `masks`: masked softmaxes that no module calls causal. `chosen`: experts that a router gave each token that was last sent to some.
    `module`, `last`: the module of the present call, and the last dimension of its result.
    """

    routing: str
    allow_unknown: bool
    last_reads: Mapping[int, int]
    graph: Graph = field(factory=Graph)
    known: dict[int, Data] = field(factory=dict)
    holding: dict[Op, set[int]] = field(factory=dict)
    sharing: dict[int, set[int]] = field(factory=dict)
    functions: dict[tuple[object, ...], Source] = field(factory=dict)
    made: dict[int, Data] = field(factory=dict)
    values: dict[int, int] = field(factory=dict)
    numbers: dict[object, int] = field(factory=dict)
    opaque: list[str] = field(factory=list)
    wanted: list[Source] = field(factory=list)
    masks: int = 0
    at: int = 0
    chosen: int = 1
    module: str = ""
    last: int = 1

    # -- tensors
    def get(self, value: object) -> Data | None:
        """What a tensor is; None if it is a constant, or no tensor."""
        return self.known.get(value.number) if isinstance(value, Ref) else None

    def data(self, ref: Ref) -> Data:
        """What a tensor is; one that a host prepares, if it is a constant."""
        return self.known[ref.number] if ref.number in self.known else self.prepared(ref)

    def set(self, ref: Ref, data: Data | None) -> None:
        if data is None:
            self.known.pop(ref.number, None)
        else:
            self.known[ref.number] = data
            for op in (op for part in data.parts for op in part.ops):
                self.holding.setdefault(op, set()).add(ref.number)

    def is_amendable(self, op: Op, call: Call) -> bool:
        """Whether nobody has read what an operator wrote, and nobody will but by what this call makes of it."""
        made = {out.number for out in call.outputs}
        return op.is_fresh and not self._are_read(self.holding[op] - made)

    def check_write(self, call: Call) -> None:
        """A call in place is as if it had made a new tensor, unless another view of what it changes is read later."""
        others = {n for out in call.outputs for n in self.sharing[out.storage] if n != out.number}
        if call.in_place and self._are_read(others):
            problem = f"{call.name}: writes into a tensor of which another view is read later, which is not followed"
            raise TraceError(problem, place=call.place.module)

    def _are_read(self, numbers: Iterable[int]) -> bool:
        return any(self.last_reads.get(number, -1) > self.at for number in numbers)

    def prepared(self, ref: Ref) -> Data:
        """A tensor that depends on ids or on nothing: it is made outside the machine, once."""
        value = self.values.setdefault(ref.number, -ref.number - 1)
        if value not in self.made:
            source = Source(f"prepared.{len(self.made)}", ref.elements, Role.INPUT, shape=ref.shape or (1,))
            source.index = True
            self.made[value] = Data((source,))
        return self.made[value]

    def number(self, call: Call) -> None:
        """Equal calls of equal arguments have equal values: what each layer computes anew is prepared once."""
        once = self.at if call.base in RANDOM else None
        key = (call.name, once, _numbered(call.args, self.values))
        value = self.numbers.setdefault(key, len(self.numbers))
        for ref in (*call.refs, *call.outputs):
            self.sharing.setdefault(ref.storage, set()).add(ref.number)
        for at, out in enumerate(call.outputs):
            for view in self.sharing[out.storage] if call.in_place else ():
                of = (value, self.values.get(view, -view - 1))
                self.values[view] = self.numbers.setdefault(of, len(self.numbers))
            self.values[out.number] = self.numbers.setdefault((value, at), len(self.numbers))

    def value(self, out: Ref) -> int:
        """The number of the value of what the present call makes."""
        return self.values[out.number]

    def operand(self, data: Data) -> tuple[Source, ...]:
        """The sources of data; what has been done to its elements becomes operators now."""
        if data.row is not None:
            return self.operand(Data(self._mean(data, data.row), data.row.after))
        if not data.fn:
            return data.parts
        key = (data.parts, data.fn)
        if key not in self.functions:
            self.functions[key] = self._function(data)
        return (self.functions[key],)

    def plain(self, data: Data) -> Data:
        """The data, with what has been done to its elements written down."""
        return data if data.is_plain else Data(self.operand(data), masked=data.masked)

    def _function(self, data: Data) -> Source:
        """What writes functions of elements: one operator, but a row's mean is taken away by itself."""
        parts, fn = data.parts, data.fn
        if any(step.name == COMPLEX for step in fn):
            raise TraceError("complex numbers are known in rotary embeddings alone", place=self.module)
        at = max((at for at, step in enumerate(fn) if step.row), default=-1)
        if 0 <= at < len(fn) - 1:
            return self.operand(Data(self.operand(Data(parts, fn[: at + 1])), fn[at + 1 :]))[0]
        sizes = self.shape(data, data.elements)
        if row := fn[at].row:
            whole = Data(parts, fn[:at])
            return self.emit(Kind.RESIDUAL, [self.operand(whole), self._mean(whole, row)], sizes).outputs[0]
        names = [step.name for step in fn]
        named = [name for name in names if name in ACTIVATIONS]
        label = "gelu" if {"pow", "tanh"} <= set(names) else (named or names)[-1]
        return self.emit(Kind.ACTIVATION, [parts], sizes, label).outputs[0]

    def _mean(self, data: Data, row: Row) -> tuple[Source, ...]:
        if row.how not in ("sum", "mean"):
            raise TraceError("a statistic of rows other than their mean is used as data", place=self.module)
        whole = Data(data.parts, data.fn)
        return self.pool(whole, row.count, whole.elements // row.count, row.value).parts

    # -- operators
    def emit(
        self, kind: Kind, operands: Sequence[tuple[Source, ...]], sizes: tuple[int, int, int], label: str = ""
    ) -> Op:
        heads, rows, columns = sizes
        return self.graph.emit(kind, operands, (heads, rows, 0, columns), self.module, label)

    def shape(self, data: Data, elements: int) -> tuple[int, int, int]:
        """Heads, rows and columns of an element-wise operator: those of what it reads, if that has one producer."""
        op = data.parts[0].op
        if len(data.parts) == 1 and op is not None:
            heads, rows, _, columns = op.sizes
            if op.product and elements == op.elements and self.last in (1, columns):
                return heads, rows, columns
            by_rows = op.kind in (Kind.NORM, Kind.EMBEDDING, Kind.SOFTMAX)
            tokens = rows if by_rows else columns
            whole = not (by_rows and data.parts[0].above)
            if whole and heads == 1 and not op.product and elements % tokens == 0:
                return 1, elements // tokens, tokens
        rows = gcd(self.last, elements)  # what is read may be smaller than the result
        return 1, rows, elements // rows

    def elementwise(self, kind: Kind, call: Call, datas: Sequence[Data]) -> Data:
        """A sum or a product; smaller operands repeat."""
        out = call.outputs[0]
        datas = [self.plain(data) for data in datas]
        full = next((d for d in datas if d.elements == out.elements), None)
        if full is None:
            raise TraceError(f"{call.name}: no operand is as large as the result", place=call.place.module)
        op = self.emit(kind, [data.parts for data in datas], self.shape(full, out.elements))
        op.product = (
            kind is Kind.RESIDUAL and full.op is not None and full.op.product and op.sizes == _flat(full.op)
        )
        return Data(tuple(op.outputs), masked=any(data.masked for data in datas))

    def broadcast(self, data: Data, ref: Ref, out: Ref) -> Data:
        """Data as a constant with more elements spreads it out."""
        if ref.elements == out.elements:
            return data
        return self.plain(data).moved("expand", ref.shape, out.shape)

    def norm(self, call: Call, data: Data, rows: int, columns: int) -> Data:
        operand = self.operand(data) * (rows * columns // data.elements or 1)  # expanded: read as often
        op = self.emit(Kind.NORM, [operand], (1, rows, columns), "norm")
        return Data(tuple(op.outputs))

    def softmax(self, call: Call, data: Data, ref: Ref) -> Data:
        """Of an attention's scores: as causal as the module says it is, if there was a mask."""
        columns = ref.shape[-1]
        sizes = (1, ref.elements // columns, columns)
        scores = data.op
        if scores is not None and scores.product and scores.elements == ref.elements:
            sizes = (scores.sizes[0], scores.sizes[1], scores.sizes[3])
        op = self.emit(Kind.SOFTMAX, [self.operand(data)], sizes, "softmax")
        below = scores if scores is None or scores.kind is Kind.GEMM else _scores(scores)
        if below is not None and below.product:
            below.label = "qk"
        queries = ref.shape[-2] if len(ref.shape) > 1 else 1
        causal = data.masked and call.place.causal and queries == columns
        self.masks += data.masked and not causal and queries > 1
        if causal:
            window = call.place.window if call.place.window < columns else 0
            for one in (op, below):
                if one is not None:
                    one.causal, one.window = True, window
        return Data(tuple(op.outputs))

    def pool(self, data: Data, count: int, elements: int, value: int) -> Data:
        """The mean of `count` elements for each of the result, the value: a product with a constant vector."""
        key = ("pool", value)
        if key not in self.functions:
            vector = Source(f"pool.{count}", count, Role.INPUT)
            operands = [self.operand(data), (vector,)]
            op = self.graph.emit(Kind.GEMM, operands, (1, elements, count, 1), self.module, "pool")
            self.functions[key] = op.outputs[0]
        return Data((self.functions[key],))

    def slice(self, call: Call, data: Data, out: Ref, place: tuple[object, ...]) -> Data:
        """A part of one tensor; of several side by side, or of a function of them, one that is written down first."""
        data = self.plain(data)
        columns, whole = out.shape[-1] if out.shape else 1, data.elements
        if len(data.parts) > 1 and any(part.op is None or part.op.label != "expert" for part in data.parts):
            name = f"{call.place.module}.select"
            return Data((Source(name, out.elements, Role.ACTIVATION, above=data.parts, columns=columns),))
        place = (*place, data.order)
        parts = [p.slice(place, p.elements * out.elements // whole, columns) for p in data.parts]
        return evolve(data, parts=tuple(parts), order=())


def _numbered(value: object, values: Mapping[int, int]) -> object:
    """Arguments with the value of each tensor in its place."""
    if isinstance(value, Ref):
        return ("tensor", values.get(value.number, -value.number - 1))
    if isinstance(value, tuple):
        return tuple(_numbered(one, values) for one in value)
    return value if isinstance(value, int | float | bool) else str(value)


def _flat(op: Op) -> tuple[int, int, int, int]:
    heads, rows, _, columns = op.sizes
    return heads, rows, 0, columns


def _scores(op: Op) -> Op | None:
    """The product below a sum of scores and a bias."""
    return next((o[0].op for o in op.operands if o[0].op is not None and o[0].op.kind is Kind.GEMM), None)
