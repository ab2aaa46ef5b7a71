"""From a document, or a trace, to the text of its file: the same text for the same content."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsim.trace.document import Document, Item, Repeat, Statement
from lsim.trace.ir import Operator, Role, Tensor, Trace
from lsim.trace.parse import VERSION

STEP = "t"  # the number of a step, in the sizes of a generation


def dumps(trace: Trace) -> str:
    """The canonical text of a trace: nothing folded, a stored tensor declared just before its first use."""
    return text_of(unfolded(trace))


def text_of(document: Document) -> str:
    """The text of a document as it is folded; the lines of a repeat's body are indented."""
    return "".join(f"{line}\n" for line in _lines(document))


def unfolded(trace: Trace) -> Document:
    """The document of a trace: nothing folded, a stored tensor declared just before its first use."""
    statements: list[Statement] = []
    known: set[str] = set()
    for operator in trace.operators:
        stored = [
            name for name in dict.fromkeys(operator.reads) if name not in known and not trace.producer(name)
        ]
        statements += [Statement((trace.tensors[name],)) for name in stored]
        statements.append(Statement(tuple(trace.tensors[name] for name in operator.outputs), operator))
        known.update(stored)
    return Document(trace.name, trace.description, trace.sources, trace.conventions, tuple(statements))


def _lines(document: Document) -> Iterator[str]:
    yield _json({"lsim_trace": VERSION, "name": document.name, "description": document.description})
    yield from (_json({"source": source}) for source in document.sources)
    yield from (_json({"convention": convention}) for convention in document.conventions)
    yield from _items(document.items, document.items)
    for phase in document.phases:
        named = {"requests": phase.requests} if phase.requests else {}
        yield _json(
            {"steps": phase.count, "index": STEP, "phase": phase.name, "tokens": phase.tokens, **named}
        )
        yield from (f"  {line}" for line in _items(phase.first, phase.second or phase.first))
        yield _json({"end": STEP})


def _items(first: Sequence[Item], second: Sequence[Item]) -> Iterator[str]:
    """The lines of items as they are in one step and in the next."""
    for one, two in zip(first, second, strict=True):
        if isinstance(one, Repeat) and isinstance(two, Repeat):
            yield _json({"repeat": one.count, "index": one.index, "carry": one.carry})
            yield from (f"  {line}" for line in _items(one.body, two.body))
            yield _json({"end": one.index})
        elif isinstance(one, Statement) and isinstance(two, Statement):
            yield _json(_growing(_fields(one), _fields(two)))


def _growing(one: Any, two: Any) -> Any:
    """A value that stands for both: a size that differs is an affine function of the step."""
    if isinstance(one, Mapping):
        return {key: _growing(value, two[key]) for key, value in one.items()}
    if isinstance(one, list | tuple):
        return [_growing(*pair) for pair in zip(one, two, strict=True)]
    if one == two:
        return one
    growth = two - one
    return f"{one}+{STEP}" if growth == 1 else f"{one}+{growth}*{STEP}"


def _fields(statement: Statement) -> Mapping[str, object]:
    if statement.operator is None:
        (tensor,) = statement.tensors
        return {"tensor": tensor.name, "role": tensor.role, "shape": tensor.shape}
    return _operator_fields(statement.operator, statement.tensors)


def _operator_fields(operator: Operator, outputs: tuple[Tensor, ...]) -> Mapping[str, object]:
    """The fields in the order of the format, those at their defaults left out."""
    fields = {
        "op": operator.name,
        "kind": operator.kind,
        "label": operator.label or None,
        "heads": operator.heads if operator.heads > 1 else None,
        "rows": operator.rows,
        "depth": operator.depth or None,
        "columns": operator.columns,
        "causal": operator.causal or None,
        "window": operator.window or None,
        "band": operator.band,
        "operands": [operand[0] if len(operand) == 1 else operand for operand in operator.operands],
        "outputs": {tensor.name: tensor.shape for tensor in outputs},
        "kv": [tensor.name for tensor in outputs if tensor.role is Role.KV] or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False)
