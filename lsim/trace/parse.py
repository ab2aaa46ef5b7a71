"""From the text of a trace file to a document. The format is described in FORMAT.md."""

from collections.abc import Callable, Sequence

from attrs import define, evolve, field

from lsim.errors import TraceError
from lsim.trace.document import Document, Item, Phase, Repeat, Statement
from lsim.trace.ir import Kind, Operator, Role, Tensor
from lsim.trace.record import Record, Steps, read_record
from lsim.units import plural

VERSION = 1
MAX_STEPS = 1_000_000


def parse(text: str) -> Document:
    """The document in a text; errors know their line, not their file."""
    lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise TraceError("is empty: a trace begins with a header line")
    header = read_record(lines[0][1], lines[0][0], ["lsim_trace"])
    reader = _Reader(*_header(header))
    for at, line in lines[1:]:
        record = read_record(line, at, reader.kinds)
        reader.kinds[record.first](record)
        record.done()
    return reader.document()


def _header(record: Record) -> tuple[str, str]:
    """Name and description."""
    version = record.size("lsim_trace")
    if version != VERSION:
        record.refuse(f"format {version} is not known: this lsim reads format {VERSION}")
    name, description = record.text("name"), record.text("description", "")
    record.done()
    return name, description


@define
class _Reader:
    """What has been read so far; `kinds` has the reader of each kind of line.

    In a phase every line is read twice, as it is in the first and in the second step: `items` are pairs.
    """

    name: str
    description: str
    sources: list[str] = field(factory=list)
    conventions: list[str] = field(factory=list)
    items: list[tuple[Item, Item]] = field(factory=list)
    phases: list[Phase] = field(factory=list)
    phase: Phase | None = None
    index: str = ""
    repeat: Repeat | None = None
    body: list[tuple[Statement, Statement]] = field(factory=list)
    kinds: dict[str, Callable[[Record], None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.kinds = {
            "source": lambda record: self.sources.append(record.text("source")),
            "convention": lambda record: self.conventions.append(record.text("convention")),
            "tensor": lambda record: self.add(record, _tensor),
            "op": lambda record: self.add(record, _operator),
            "repeat": self.begin,
            "steps": self.begin_phase,
            "end": self.end,
        }

    def add(self, record: Record, read: Callable[[Record], Statement]) -> None:
        if self.phases and self.phase is None:
            record.refuse("is in none of the phases of this generation")
        pair = read(self._at(record, 0)), read(self._at(record, 1))
        if self.repeat is None:
            self.items.append(pair)
        else:
            self.body.append(pair)

    def _at(self, record: Record, step: int) -> Record:
        """The record, to be read as it is in a step."""
        if self.phase is not None and self.phase.count > 1:
            record.steps = Steps(self.index, step, self.phase.count - 1)
        return record

    def begin(self, record: Record) -> None:
        if self.repeat is not None:
            record.refuse(f"a repeat inside the repeat of line {self.repeat.line}")
        count, index, carry = record.size("repeat"), self._index(record), record.pairs("carry")
        defined = {name for item, _ in self.items if isinstance(item, Statement) for name in item.defines}
        for name in carry:
            if name in defined:
                record.refuse(f"the carried name {name!r} hides what is already defined by that name")
        self.repeat = Repeat(count, index, carry, (), record.line)

    def begin_phase(self, record: Record) -> None:
        """A phase of a generation; all other lines that say what is computed are in one, then."""
        inside = self.repeat or self.phase
        if inside is not None:
            record.refuse(f"steps inside what begins on line {inside.line}")
        if self.items:
            record.refuse("a trace has steps throughout or nowhere: lines before this are in none")
        count, self.index, name = record.size("steps"), self._index(record), record.text("phase")
        if count + sum(phase.count for phase in self.phases) > MAX_STEPS:
            record.refuse(f"a generation has at most {MAX_STEPS:,} steps")
        if any(phase.name == name for phase in self.phases):
            record.refuse(f"the phase {name!r} is already defined")
        tokens, requests = record.count("tokens", 1), record.counts("requests", {})
        if requests and sum(requests.values()) != tokens:
            got = sum(requests.values())
            record.refuse(
                f"'requests' get {got} new {plural(got, 'token')} a step, and 'tokens' says {tokens}"
            )
        self.phase = Phase(name, count, tokens, (), (), requests, record.line)

    def _index(self, record: Record) -> str:
        index = record.text("index")
        if not index.isidentifier():
            record.refuse(f"'index' must be a word such as 'i', not {index!r}")
        return index

    def end(self, record: Record) -> None:
        index = record.text("end")
        if self.repeat is not None:
            self._check_end(record, "repeat", index, self.repeat.index, self.repeat.line, self.body)
            one, two = zip(*self.body, strict=True)
            self.items.append((evolve(self.repeat, body=one), evolve(self.repeat, body=two)))
            self.repeat, self.body = None, []
        elif self.phase is not None:
            self._check_end(record, "steps", index, self.index, self.phase.line, self.items)
            first, second = zip(*self.items, strict=True)
            self.phases.append(evolve(self.phase, first=first, second=second if self.phase.count > 1 else ()))
            self.phase, self.items = None, []
        else:
            record.refuse("ends a repeat that was not begun")

    def _check_end(
        self, record: Record, what: str, given: str, index: str, line: int | None, body: Sequence[object]
    ) -> None:
        if given != index:
            record.refuse(f"ends the {what} of {index!r}, begun on line {line}")
        if not body:
            record.refuse(f"the {what} of line {line} has no body")

    def document(self) -> Document:
        for what, begun, index in (
            ("repeat", self.repeat, self.repeat.index if self.repeat else ""),
            ("steps", self.phase, self.index),
        ):
            if begun is not None:
                problem = f'is never ended: write {{"end": "{index}"}} after its last line'
                raise TraceError(problem, line=begun.line, place=what)
        prose = (tuple(self.sources), tuple(self.conventions))
        items = tuple(item for item, _ in self.items)
        return Document(self.name, self.description, *prose, items, tuple(self.phases))


def _tensor(record: Record) -> Statement:
    name, role = record.text("tensor"), Role(record.word("role", Role))
    return Statement((Tensor(name, record.shape("shape"), role),), None, record.line)


def _operator(record: Record) -> Statement:
    name, kind = record.text("op"), Kind(record.word("kind", Kind))
    shapes, cached = record.shapes("outputs"), record.names("kv")
    for tensor in cached:
        if tensor not in shapes:
            record.refuse(f"'kv' names {tensor!r}, which is not an output", known=shapes, given=tensor)
    operator = Operator(
        name=name,
        kind=kind,
        operands=record.operands("operands"),
        outputs=tuple(shapes),
        heads=record.size("heads", 1),
        rows=record.size("rows"),
        depth=record.size("depth") if kind is Kind.GEMM else 0,
        columns=record.size("columns"),
        causal=record.flag("causal"),
        label=record.text("label", ""),
        window=record.size("window", 0) if "window" in record.fields else 0,
        band=record.band("band"),
    )
    roles = {tensor: Role.KV if tensor in cached else Role.ACTIVATION for tensor in shapes}
    tensors = tuple(Tensor(tensor, shape, roles[tensor]) for tensor, shape in shapes.items())
    return Statement(tensors, operator, record.line)
