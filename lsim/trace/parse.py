"""From the text of a trace file to a document. The format is described in FORMAT.md."""

from collections.abc import Callable

from attrs import define, evolve, field

from lsim.errors import TraceError
from lsim.trace.document import Document, Repeat, Statement
from lsim.trace.ir import Kind, Operator, Role, Tensor
from lsim.trace.record import Record, read_record

VERSION = 1


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
    """What has been read so far; `kinds` has the reader of each kind of line."""

    name: str
    description: str
    sources: list[str] = field(factory=list)
    conventions: list[str] = field(factory=list)
    items: list[Statement | Repeat] = field(factory=list)
    open: Repeat | None = None
    body: list[Statement] = field(factory=list)
    kinds: dict[str, Callable[[Record], None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.kinds = {
            "source": lambda record: self.sources.append(record.text("source")),
            "convention": lambda record: self.conventions.append(record.text("convention")),
            "tensor": lambda record: self.add(_tensor(record)),
            "op": lambda record: self.add(_operator(record)),
            "repeat": self.begin,
            "end": self.end,
        }

    def add(self, statement: Statement) -> None:
        if self.open is None:
            self.items.append(statement)
        else:
            self.body.append(statement)

    def begin(self, record: Record) -> None:
        if self.open is not None:
            record.refuse(f"a repeat inside the repeat of line {self.open.line}")
        count, index, carry = record.size("repeat"), record.text("index"), record.pairs("carry")
        if not index.isidentifier():
            record.refuse(f"'index' must be a word such as 'i', not {index!r}")
        defined = {name for item in self.items if isinstance(item, Statement) for name in item.defines}
        for name in carry:
            if name in defined:
                record.refuse(f"the carried name {name!r} hides what is already defined by that name")
        self.open = Repeat(count, index, carry, (), record.line)

    def end(self, record: Record) -> None:
        index = record.text("end")
        if self.open is None:
            record.refuse("ends a repeat that was not begun")
        if index != self.open.index:
            record.refuse(f"ends the repeat of {self.open.index!r}, begun on line {self.open.line}")
        if not self.body:
            record.refuse(f"the repeat of line {self.open.line} has no body")
        self.items.append(evolve(self.open, body=tuple(self.body)))
        self.open, self.body = None, []

    def document(self) -> Document:
        if self.open is not None:
            problem = f'is never ended: write {{"end": "{self.open.index}"}} after its last line'
            raise TraceError(problem, line=self.open.line, place="repeat")
        prose = (tuple(self.sources), tuple(self.conventions))
        return Document(self.name, self.description, *prose, tuple(self.items))


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
    )
    roles = {tensor: Role.KV if tensor in cached else Role.ACTIVATION for tensor in shapes}
    tensors = tuple(Tensor(tensor, shape, roles[tensor]) for tensor, shape in shapes.items())
    return Statement(tensors, operator, record.line)
