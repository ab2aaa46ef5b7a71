"""A trace as it is written: statements in order, with repeated layers folded into one `Repeat`, and steps into a `Phase`.

Inside a repeat with index `i`, `{i}` in a name stands for the number of the iteration, from 0. A *carried*
name stands for its first value in iteration 0, and for its second, of the previous iteration, in the others:
what enters a layer is the embedding, then what the layer before wrote.

The document of a generation has phases in the place of items: prefill, then the decode steps, which are the same but
for sizes that grow by as much from each step to the next.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from lsim.errors import TraceError
from lsim.trace.ir import Operator, Tensor

MAX_STATEMENTS = 1_000_000
SIZES = ("heads", "rows", "depth", "columns", "window")  # of an operator: what may differ between steps


@frozen
class Statement:
    """The declaration of a tensor, or an operator with the tensors it writes, from `line` of a file."""

    tensors: tuple[Tensor, ...]
    operator: Operator | None = None
    line: int | None = field(default=None, eq=False)

    @property
    def defines(self) -> Iterator[str]:
        """Every name that this statement gives to something."""
        if self.operator is not None:
            yield self.operator.name
        yield from (tensor.name for tensor in self.tensors)

    @property
    def reads(self) -> tuple[str, ...]:
        return () if self.operator is None else self.operator.reads


@frozen
class Repeat:
    """`count` iterations of a body, e.g. the layers of a Transformer."""

    count: int
    index: str
    carry: Mapping[str, tuple[str, str]]
    body: tuple[Statement, ...]
    line: int | None = field(default=None, eq=False)


Item = Statement | Repeat


@frozen
class Phase:
    """`count` steps of a generation, each of which gives `tokens` new tokens (one a sequence).

    `requests`: of a continuous batch, who is in each of these steps, and how many new tokens it gets in each: one, or none while
    its prompt is read in chunks; they sum to `tokens`. Empty where sequences have no names.
    `first`, `second`: the items of its first two steps, the same but for their sizes; those of the others are on the line
    through both. A phase of one step has no second.
    """

    name: str
    count: int
    tokens: int
    first: tuple[Item, ...]
    second: tuple[Item, ...] = ()
    requests: Mapping[str, int] = field(factory=dict)
    line: int | None = field(default=None, eq=False)

    def items(self, step: int) -> tuple[Item, ...]:
        """The items of a step, from 0."""
        if not self.second or not step:
            return self.first
        return tuple(_line(one, two, step) for one, two in zip(self.first, self.second, strict=True))


@frozen
class Document:
    """The content of a trace file: the items of a trace, or the phases of a generation."""

    name: str
    description: str
    sources: tuple[str, ...]
    conventions: tuple[str, ...]
    items: tuple[Item, ...]
    phases: tuple[Phase, ...] = ()

    def statements(self) -> Iterator[Statement]:
        """All statements in order, repeats expanded."""
        if self.phases:
            steps = sum(phase.count for phase in self.phases)
            raise TraceError(
                f"is a generation of {steps:,} steps, and one trace is asked for; "
                "`lsim trace step` writes that of a step"
            )
        expanded = 0
        for item in self.items:
            expanded += 1 if isinstance(item, Statement) else item.count * len(item.body)
            if expanded > MAX_STATEMENTS:
                raise TraceError(f"expands to more than {MAX_STATEMENTS:,} statements", line=item.line)
            yield from (item,) if isinstance(item, Statement) else _iterations(item)

    def at(self, phase: Phase, step: int) -> "Document":
        """The document of one step of a phase, from 0."""
        return evolve(self, items=phase.items(step), phases=())


def _line(one: Item, two: Item, step: int) -> Item:
    """The item `step` steps after `one`, where `two` is that after one step."""
    if isinstance(one, Repeat):
        assert isinstance(two, Repeat)
        pairs = zip(one.body, two.body, strict=True)
        return evolve(one, body=tuple(_statement(*pair, step) for pair in pairs))
    assert isinstance(two, Statement)
    return _statement(one, two, step)


def _statement(one: Statement, two: Statement, step: int) -> Statement:
    if one == two:
        return one
    pairs = zip(one.tensors, two.tensors, strict=True)
    tensors = tuple(grown_tensor(*pair, step) for pair in pairs)
    if one.operator is None or two.operator is None:
        return evolve(one, tensors=tensors)
    return evolve(one, tensors=tensors, operator=grown_operator(one.operator, two.operator, step))


def grown_tensor(one: Tensor, two: Tensor, step: int) -> Tensor:
    """A tensor `step` steps after `one`, where `two` is that after one step."""
    return evolve(one, shape=tuple(_grown(a, b, step) for a, b in zip(one.shape, two.shape, strict=True)))


def grown_operator(one: Operator, two: Operator, step: int) -> Operator:
    """An operator `step` steps after `one`, where `two` is that after one step."""
    sizes: dict[str, Any] = {name: _grown(getattr(one, name), getattr(two, name), step) for name in SIZES}
    return evolve(one, **sizes)


def _grown(one: int, two: int, step: int) -> int:
    return one + (two - one) * step


def _iterations(repeat: Repeat) -> Iterator[Statement]:
    _check_names(repeat)
    mark = f"{{{repeat.index}}}"
    names = {name for statement in repeat.body for name in (*statement.defines, *statement.reads)}
    for index in range(repeat.count):
        here = {name: name.replace(mark, str(index)) for name in names}
        carried = {
            name: first if index == 0 else then.replace(mark, str(index - 1))
            for name, (first, then) in repeat.carry.items()
        }
        read = {**here, **carried}
        for statement in repeat.body:
            yield _renamed(statement, here, read)


def _check_names(repeat: Repeat) -> None:
    """Refuse names that would mean the same thing in every iteration, and carried names that nobody reads."""
    read = {name for statement in repeat.body for name in statement.reads}
    for unread in [name for name in repeat.carry if name not in read]:
        raise TraceError("no operator of the body reads this carried name", line=repeat.line, place=unread)
    for statement in repeat.body:
        for name in statement.defines:
            if f"{{{repeat.index}}}" not in name:
                problem = f"would be defined again in each iteration: put {{{repeat.index}}} in the name"
                raise TraceError(problem, line=statement.line, place=name)


def _renamed(statement: Statement, here: Mapping[str, str], read: Mapping[str, str]) -> Statement:
    tensors = tuple(Tensor(here[t.name], t.shape, t.role) for t in statement.tensors)
    old = statement.operator
    if old is None:
        return Statement(tensors, None, statement.line)
    operands = tuple(tuple(read[name] for name in operand) for operand in old.operands)
    outputs = tuple(here[name] for name in old.outputs)
    new = evolve(old, name=here[old.name], operands=operands, outputs=outputs)
    return Statement(tensors, new, statement.line)
