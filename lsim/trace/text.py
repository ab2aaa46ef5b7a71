"""From a document, or a trace, to the text of its file: the same text for the same content."""

import json
from collections.abc import Iterator, Mapping

from lsim.trace.document import Document, Repeat, Statement
from lsim.trace.ir import Operator, Role, Tensor, Trace
from lsim.trace.parse import VERSION


def dumps(trace: Trace) -> str:
    """The canonical text of a trace: nothing folded, a stored tensor declared just before its first use."""
    return text_of(_unfolded(trace))


def text_of(document: Document) -> str:
    """The text of a document as it is folded; the lines of a repeat's body are indented."""
    return "".join(f"{line}\n" for line in _lines(document))


def _unfolded(trace: Trace) -> Document:
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
    for item in document.items:
        yield from [_json(_fields(item))] if isinstance(item, Statement) else _repeat(item)


def _repeat(repeat: Repeat) -> Iterator[str]:
    yield _json({"repeat": repeat.count, "index": repeat.index, "carry": repeat.carry})
    yield from (f"  {_json(_fields(statement))}" for statement in repeat.body)
    yield _json({"end": repeat.index})


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
        "operands": [operand[0] if len(operand) == 1 else operand for operand in operator.operands],
        "outputs": {tensor.name: tensor.shape for tensor in outputs},
        "kv": [tensor.name for tensor in outputs if tensor.role is Role.KV] or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False)
