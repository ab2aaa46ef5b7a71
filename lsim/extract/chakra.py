"""Traces as MLCommons Chakra execution traces, and back, nothing lost.

Each operator is a COMP_NODE: what it reads and writes stands in `inputs` and `outputs` as PyTorch's execution traces have it (lists in
the text form of Python; a tensor is [tensor id, storage id, offset, elements, bytes an element, device]), whom it waits for in
`data_deps`. `num_ops` (two a MAC, or one an element) and `tensor_size` (elements read and written) are those that roofline models of
Chakra's users read. What Chakra has no place for is in attributes `lsim.…`: all fields of an operator, and the names and
roles of its tensors.

Chakra counts whole bytes: an element is given as one byte. The width of operands is a policy of the run.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from attrs import fields

from lsim.errors import TraceError
from lsim.extract.chakra_schema import COMP_NODE, METADATA_NODE, Messages, attributes, decode, encode
from lsim.trace.band import Band
from lsim.trace.document import Document, Statement
from lsim.trace.files import loads
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace
from lsim.trace.parse import VERSION
from lsim.trace.text import text_of

MARK = "lsim.trace"
SCHEMA = "1.0.2-chakra.1.0.0"  # as Chakra's own converters write it

# What an operator is, beside its name, which Chakra has, and its tensors.
_FIELDS = tuple(f.name for f in fields(Operator) if f.name not in ("name", "operands", "outputs"))


# -- writing -------------------------------------------------------------------------------------------------------
def to_chakra(trace: Trace) -> bytes:
    """The execution trace: the same bytes for the same trace."""
    messages = Messages()
    about = {
        "schema": SCHEMA,
        MARK: VERSION,
        "lsim.name": trace.name,
        "lsim.description": trace.description,
        "lsim.sources": trace.sources,
        "lsim.conventions": trace.conventions,
    }
    metadata = messages.of["GlobalMetadata"](version="1.0.0")
    metadata.attr.extend(messages.attribute(name, value) for name, value in about.items())
    seen = dict.fromkeys(t for operator in trace.operators for t in (*operator.reads, *operator.outputs))
    tensors = {name: at for at, name in enumerate(seen)}
    nodes = {operator.name: at for at, operator in enumerate(trace.operators)}
    return encode(
        metadata, (_node(messages, trace, operator, tensors, nodes) for operator in trace.operators)
    )


def _node(
    messages: Messages, trace: Trace, operator: Operator, tensors: Mapping[str, int], nodes: Mapping[str, int]
) -> Any:
    node = messages.of["Node"](id=nodes[operator.name], name=operator.name, type=COMP_NODE)
    made = (trace.producer(name) for name in operator.reads)
    node.data_deps.extend(sorted({nodes[source.name] for source in made if source is not None}))
    ports = ((node.inputs, operator.operands), (node.outputs, [(name,) for name in operator.outputs]))
    for info, operands in ports:
        named = [[trace.tensors[name] for name in operand] for operand in operands]
        info.values, info.shapes, info.types = (str(part) for part in _io(named, tensors))
    node.attr.extend(messages.attribute(name, value) for name, value in _attributes(trace, operator).items())
    moved = sum(trace.tensors[name].elements for name in (*operator.reads, *operator.outputs))
    node.attr.add(name="tensor_size", uint64_val=moved)
    return node


def _io(
    operands: Sequence[Sequence[Tensor]], ids: Mapping[str, int]
) -> tuple[list[Any], list[Any], list[str]]:
    """Values, shapes and types: an operand of several tensors is a list of them."""
    values = [[[ids[t.name], ids[t.name], 0, t.elements, 1, ""] for t in operand] for operand in operands]
    shapes = [[list(t.shape) for t in operand] for operand in operands]
    types = [["Tensor(c10::QUInt8)"] * len(operand) for operand in operands]
    return (
        [part[0] if len(part) == 1 else part for part in values],
        [part[0] if len(part) == 1 else part for part in shapes],
        [part[0] if len(part) == 1 else f"GenericList[{','.join(part)}]" for part in types],
    )


def _attributes(trace: Trace, operator: Operator) -> dict[str, object]:
    return {
        "is_cpu_op": False,
        "num_ops": 2 * operator.macs or operator.elements,
        **{f"lsim.{field}": getattr(operator, field) for field in _FIELDS},
        "lsim.band": list(operator.band or ()),
        "lsim.operands": [len(operand) for operand in operator.operands],
        "lsim.inputs": operator.reads,
        "lsim.input_roles": [trace.tensors[name].role.value for name in operator.reads],
        "lsim.outputs": operator.outputs,
        "lsim.output_roles": [trace.tensors[name].role.value for name in operator.outputs],
    }


# -- reading -------------------------------------------------------------------------------------------------------
def from_chakra(content: bytes, name: str, allow_unknown: bool = False) -> tuple[Trace, list[str]]:
    """The trace of an execution trace, and what was assumed of one that lsim did not write.

    `allow_unknown`: of such a one, an operation that is not understood is kept as opaque data movement, not refused.
    """
    metadata, nodes = decode(content, Messages())
    about = attributes(metadata)
    if MARK not in about:
        from lsim.extract.chakra_foreign import read_foreign

        return read_foreign(nodes, name, allow_unknown)
    if about[MARK] != VERSION:
        raise TraceError(f"format {about[MARK]} is not known: this lsim reads format {VERSION}", place=MARK)
    statements = [one for node in nodes if node.type != METADATA_NODE for one in _statements(node)]
    name, description = about.get("lsim.name", ""), about.get("lsim.description", "")
    sources, conventions = (tuple(about.get(f"lsim.{word}", ())) for word in ("sources", "conventions"))
    try:
        return loads(text_of(Document(name, description, sources, conventions, tuple(_once(statements))))), []
    except TraceError as error:
        error.line = None  # of the text made here, which nobody has seen
        raise error from None


def _statements(node: Any) -> Iterator[Statement]:
    """What a node says: the tensors that it reads, those made by others too, and itself."""
    said = attributes(node)
    try:
        names, counts = said["lsim.inputs"], said["lsim.operands"]
        inputs = _tensors(names, said["lsim.input_roles"], _flat(node.inputs.shapes))
        outputs = _tensors(said["lsim.outputs"], said["lsim.output_roles"], _flat(node.outputs.shapes))
        if sum(counts) != len(names):
            raise ValueError("its operands and its inputs differ")
        its = {field: said[f"lsim.{field}"] for field in _FIELDS}
        kind, band = Kind(its.pop("kind")), its.pop("band")
        its["band"] = Band(*band) if band else None
    except (KeyError, ValueError, TypeError) as error:
        problem = f"the attributes that lsim wrote are missing or broken: {error}"
        raise TraceError(problem, place=f"node {node.id} ({node.name})") from None
    yield from (Statement((tensor,)) for tensor in inputs if tensor.role is not Role.ACTIVATION)
    operands = tuple(tuple(names[begin:end]) for begin, end in pairwise(accumulate(counts, initial=0)))
    written = tuple(tensor.name for tensor in outputs)
    yield Statement(tuple(outputs), Operator(node.name, kind, operands, written, **its))


def _tensors(names: Sequence[str], roles: Sequence[str], shapes: Sequence[Any]) -> list[Tensor]:
    return [
        Tensor(name, tuple(shape), Role(role)) for name, role, shape in zip(names, roles, shapes, strict=True)
    ]


def _flat(text: str) -> list[Any]:
    """The shapes of a text, those of an operand of several tensors one by one."""
    shapes = json.loads(text)
    return [one for shape in shapes for one in (shape if shape and isinstance(shape[0], list) else [shape])]


def _once(statements: Sequence[Statement]) -> Iterator[Statement]:
    """The statements, but for tensors that an operator writes, and those said before."""
    known = {name for one in statements if one.operator for name in one.operator.outputs}
    for one in statements:
        names = {tensor.name for tensor in one.tensors}
        if one.operator or not names <= known:
            yield one
            known |= names
