"""From a recording to a trace: each call is given to its rule, and what the rules have made is written down."""

import re
from collections.abc import Iterator, Sequence

from attrs import define, field

from lsim.errors import TraceError
from lsim.extract.graph import Data, Op, Source
from lsim.extract.opaque import unknown
from lsim.extract.recording import Recording
from lsim.extract.rules import RULES
from lsim.extract.slices import covers, disjoint
from lsim.extract.state import State
from lsim.extract.views import reshaped, view
from lsim.trace.band import DENSE
from lsim.trace.check import build
from lsim.trace.document import Document, Statement
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace
from lsim.trace.zoo.experts import BALANCED, Experts

_CONVENTIONS = (
    "Masks, positions and scalings by constants are part of the operators around them; views and permutations are free.",
    f"Attention is causal where its module says so and its mask is a triangle; {DENSE}.",
    "What depends on ids and constants alone, positions and masks, is made outside the machine.",
)
_UNNAMED = re.compile(r"[^A-Za-z0-9_.:/+-]")  # what no name of a trace may have
_OWN_NAME = ("linear", "convolution", "norm", "gather")  # operators that are all that their module does


def trace_of(
    recording: Recording,
    name: str,
    description: str = "",
    routing: str = BALANCED,
    allow_unknown: bool = False,
) -> Trace:
    """The trace of what was recorded. Raises TraceError at the first operator that has no rule, unless it is to be kept."""
    state = State(routing, allow_unknown, recording.last_reads)
    for ref, (tensor, role) in recording.stored.items():
        index = ref.integer and role is Role.INPUT
        state.set(ref, Data((Source(tensor, ref.elements, role, shape=ref.shape, index=index),)))
    weights = [data.parts[0] for data in state.known.values() if data.is_weight]
    _replay(recording, state)
    _keep(recording, state)
    notes = [*_CONVENTIONS, *_notes(state, weights)]
    statements = tuple(_Writer(state.graph.ops, state.wanted).statements())
    source = f"{recording.model}, recorded with {recording.made_by}"
    return build(Document(name, description, (source,), tuple(notes), statements))


def _replay(recording: Recording, state: State) -> None:
    for at, call in enumerate(recording.calls):
        state.at, state.module = at, call.place.module
        state.number(call)
        known = [ref for ref in call.refs if state.get(ref)]
        if not known:
            for out in call.outputs:
                state.set(out, None)
            continue
        state.last = call.outputs[0].shape[-1] if call.outputs and call.outputs[0].shape else 1
        rule = RULES.get(call.base, unknown)
        if rule not in (reshaped, view):
            state.check_write(call)
        try:
            rule(state, call)
        except TraceError:
            if not state.allow_unknown:
                raise
            unknown(state, call)


def _keep(recording: Recording, state: State) -> None:
    """What the module returns is written; what the cache holds has its role."""
    for ref in recording.kept:
        data = state.get(ref)
        for part in data.parts if data else ():
            _mark(part)
    for ref in recording.results:
        data = state.get(ref)
        for part in state.operand(data) if data is not None and not data.is_given else ():
            if part.above:
                part.readers += 1
                state.wanted.append(part)


def _mark(part: Source) -> None:
    """An entry of the cache; where it holds a part that nobody reads, all of what that was taken from."""
    if part.above and not part.readers:
        for one in part.above:
            _mark(one)
    else:
        part.kept = part.op is not None


def _notes(state: State, weights: Sequence[Source]) -> Iterator[str]:
    if any(op.label == "expert" for op in state.graph.ops):
        yield from Experts(1, 1, state.routing).policies
    if state.masks:
        which = "Masks that no module calls causal, or that are not known to be"
        yield f"{which}: {state.masks} softmaxes and their products are taken as dense."
    unread = [weight for weight in weights if not _is_used(weight)]
    if unread:
        shown = ", ".join(weight.name for weight in unread[:6]) + (", …" if len(unread) > 6 else "")
        yield f"Parameters that no operator reads: {len(unread)} ({shown})."
    for name in dict.fromkeys(state.opaque):
        yield f"Unknown, and kept as data movement of its operands: {name}, {state.opaque.count(name)} times."


@define
class _Writer:
    """Writes statements; slices that no operator writes itself are gathered before they are first read."""

    ops: list[Op]
    wanted: list[Source]
    names: dict[str, int] = field(factory=dict)
    written: dict[Source, str] = field(factory=dict)

    def statements(self) -> Iterator[Statement]:
        for op in self.ops:
            op.outputs = [leaf for out in op.outputs for leaf in _leaves(out)]
        for op in self.ops:
            yield from self._operator(op)
        for part in self.wanted:
            yield from self._needed(part)

    def _operator(self, op: Op) -> Iterator[Statement]:
        for source in (part for operand in op.operands for part in operand):
            yield from self._needed(source)
        yield self._statement(op)

    def _needed(self, source: Source) -> Iterator[Statement]:
        """What has to be said before a source can be read."""
        if source in self.written:
            return
        if not source.above or _is_stored(source):
            self.written[source] = self._unique(source.name)
            yield Statement((Tensor(self.written[source], source.shape or (source.elements,), source.role),))
            return
        rows = source.elements // source.columns
        module = source.op.module if source.op else source.name
        label = source.label or "select"
        op = Op(Kind.EMBEDDING, [source.above], (1, rows, 0, source.columns), label, module, [source])
        yield from self._operator(op)

    def _statement(self, op: Op) -> Statement:
        name = self._unique(
            op.module if op.label in _OWN_NAME else f"{op.module}.{(op.label or op.kind).split()[0]}"
        )
        heads, rows, depth, columns = op.sizes
        for at, out in enumerate(op.outputs):
            self.written[out] = f"{name}.out" if len(op.outputs) == 1 else f"{name}.out{at}"
        operator = Operator(
            name=name,
            kind=op.kind,
            operands=tuple(tuple(self.written[part] for part in operand) for operand in op.operands),
            outputs=tuple(self.written[out] for out in op.outputs),
            heads=heads,
            rows=rows,
            depth=depth,
            columns=columns,
            causal=op.causal,
            label=op.label,
            window=op.window,
        )
        return Statement(tuple(self._tensor(op, out) for out in op.outputs), operator)

    def _tensor(self, op: Op, out: Source) -> Tensor:
        heads, rows, _, columns = op.sizes
        whole = (heads, rows, columns) if heads > 1 else (rows, columns)
        shape = whole if len(op.outputs) == 1 else (out.elements,)
        return Tensor(self.written[out], shape, Role.KV if out.kept else Role.ACTIVATION)

    def _unique(self, name: str) -> str:
        name = _UNNAMED.sub("_", name)
        self.names[name] = self.names.get(name, 0) + 1
        return name if self.names[name] == 1 else f"{name}.{self.names[name]}"


def _leaves(source: Source) -> list[Source]:
    """What an operator writes: its slices, if those that are used make up all of it and nobody wants it whole."""
    used = [part for part in source.slices.values() if _is_used(part)]
    if source.readers or source.kept or not covers(source, used):
        return [source]
    return [leaf for part in used for leaf in _leaves(part)]


def _is_stored(source: Source) -> bool:
    """Whether a slice is of a stored tensor that is only read in slices: then it is a tensor by itself."""
    whole = source.parent
    if whole is None or source.op is not None or whole.readers or whole.above:
        return False
    return disjoint([place for place, part in whole.slices.items() if part.readers])


def _is_used(source: Source) -> bool:
    return source.readers > 0 or source.kept or any(map(_is_used, source.slices.values()))
