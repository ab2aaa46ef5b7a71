"""The messages of an MLCommons Chakra execution trace, and the stream that they are in.

Names and numbers of the fields are those of `et_def.proto` of Chakra 1.0.0 (github.com/mlcommons/chakra,
schema/protobuf; the interface of a format, restated here because the package that has it needs 500 MB). A file is a
stream of messages, each after its length as a varint: one GlobalMetadata, then a Node for each operation.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

from lsim.errors import TraceError
from lsim.extract.extras import need

PACKAGE = "ChakraProtoMsg"
GZIP = b"\x1f\x8b"

# Field types and labels are numbered in descriptor.proto of Protocol Buffers.
_NUMBERS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed64": 6, "fixed32": 7, "bool": 8, "string": 9,
    "bytes": 12, "uint32": 13, "sfixed32": 15, "sfixed64": 16, "sint32": 17, "sint64": 18,
}  # fmt: skip
_MESSAGE, _ENUM = 11, 14
_OPTIONAL, _REPEATED = 1, 3

# The values of an attribute in the order of their fields, from 3: of each type a value, then a list.
_VALUES = ("double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
           "sfixed64", "bool", "string", "bytes")  # fmt: skip
_NODE_TYPES = ("INVALID_NODE", "METADATA_NODE", "MEM_LOAD_NODE", "MEM_STORE_NODE", "COMP_NODE", "COMM_SEND_NODE", "COMM_RECV_NODE",
               "COMM_COLL_NODE")  # fmt: skip
_COLLECTIVES = ("ALL_REDUCE", "REDUCE", "ALL_GATHER", "GATHER", "SCATTER", "BROADCAST", "ALL_TO_ALL", "REDUCE_SCATTER",
                "REDUCE_SCATTER_BLOCK", "BARRIER")  # fmt: skip

# Messages whose fields are numbered from 1, in order; `*` is a repeated field.
_PLAIN = {
    "GlobalMetadata": ("version string", "attr *AttributeProto"),
    "Node": (
        "id uint64", "name string", "type NodeType", "ctrl_deps *uint64", "data_deps *uint64", "start_time_micros uint64",
        "duration_micros uint64", "inputs IOInfo", "outputs IOInfo", "attr *AttributeProto",
    ),
    "IOInfo": ("values string", "shapes string", "types string"),
    "Tensor": ("tensor_id uint64", "storage_id uint64", "offset uint64", "num_elem uint64", "elem_bytes uint64", "device string"),
}  # fmt: skip
COMP_NODE = _NODE_TYPES.index("COMP_NODE")
METADATA_NODE = _NODE_TYPES.index("METADATA_NODE")


def node_type(number: int) -> str:
    """The name of a type of node."""
    return _NODE_TYPES[number] if number < len(_NODE_TYPES) else str(number)


class Messages:
    """The classes of the messages, made by the protobuf package."""

    def __init__(self) -> None:
        need("google.protobuf.proto", "chakra")
        from google.protobuf import descriptor_pool, message_factory

        pool = descriptor_pool.DescriptorPool()
        pool.Add(file_descriptor())
        made = {name: pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in (*_PLAIN, "AttributeProto")}
        self.of: dict[str, Any] = {
            name: message_factory.GetMessageClass(descriptor) for name, descriptor in made.items()
        }

    def attribute(self, name: str, value: object) -> Any:
        """An attribute of the type of its value: a bool, int, string, or a list of ints or strings."""
        made = self.of["AttributeProto"](name=name)
        if isinstance(value, list | tuple):
            kind = "string_list" if all(isinstance(item, str) for item in value) else "int64_list"
            getattr(made, kind).SetInParent()
            getattr(made, kind).values.extend(value)
        else:
            kind = "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else "string"
            setattr(made, f"{kind}_val", value)
        return made


def attributes(message: Any) -> dict[str, Any]:
    """The attributes of a node, or of the metadata, as values of Python."""
    values: dict[str, Any] = {}
    for attribute in message.attr:
        which = attribute.WhichOneof("value") or ""
        value: Any = getattr(attribute, which) if which else None
        values[attribute.name] = list(value.values) if which.endswith("_list") else value
    return values


def file_descriptor() -> Any:
    """The FileDescriptorProto of the schema."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto(name="et_def.proto", package=PACKAGE, syntax="proto3")
    _add_attribute(file.message_type.add(name="AttributeProto"))
    for value in _VALUES:
        _add(file.message_type.add(name=_list_of(value)), 1, "values", value, repeated=True)
    for name, fields in _PLAIN.items():
        message = file.message_type.add(name=name)
        for number, declared in enumerate(fields, start=1):
            field, kind = declared.split(" ")
            _add(message, number, field, kind.removeprefix("*"), repeated=kind.startswith("*"))
    for enum, members in (("NodeType", _NODE_TYPES), ("CollectiveCommType", _COLLECTIVES)):
        values = file.enum_type.add(name=enum).value
        for number, member in enumerate(members):
            values.add(name=member, number=number)
    return file


def _add_attribute(message: Any) -> None:
    _add(message, 1, "name", "string")
    _add(message, 2, "doc_string", "string")
    message.oneof_decl.add(name="value")
    for at, value in enumerate(_VALUES):
        _add(message, 3 + 2 * at, f"{value}_val", value).oneof_index = 0
        _add(message, 4 + 2 * at, f"{value}_list", _list_of(value)).oneof_index = 0


def _list_of(value: str) -> str:
    return f"{value.capitalize()}List"


def _add(message: Any, number: int, name: str, kind: str, repeated: bool = False) -> Any:
    field = message.field.add(name=name, number=number, label=_REPEATED if repeated else _OPTIONAL)
    field.type = _NUMBERS.get(kind, _ENUM if kind == "NodeType" else _MESSAGE)
    if kind not in _NUMBERS:
        field.type_name = f".{PACKAGE}.{kind}"
    return field


def encode(metadata: Any, nodes: Iterable[Any]) -> bytes:
    """The bytes of a file."""
    from google.protobuf.proto import serialize_length_prefixed

    stream = BytesIO()
    for message in (metadata, *nodes):
        serialize_length_prefixed(message, stream)
    return stream.getvalue()


def decode(content: bytes, messages: Messages) -> tuple[Any, Sequence[Any]]:
    """The metadata and the nodes of a file, which may be gzipped; raises TraceError for anything else."""
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise TraceError(f"is gzipped and cannot be unpacked: {error}") from None
    if not content:
        raise TraceError("is empty: a Chakra trace begins with a GlobalMetadata message")
    stream = BytesIO(content)
    metadata = _next(stream, messages.of["GlobalMetadata"], "the metadata")
    return metadata, list(_nodes(stream, messages))


def _nodes(stream: BytesIO, messages: Messages) -> Iterator[Any]:
    count = 0
    while (node := _next(stream, messages.of["Node"], f"message {count + 1} after the metadata")) is not None:
        count += 1
        yield node


def _next(stream: BytesIO, message: Any, what: str) -> Any:
    from google.protobuf.message import DecodeError
    from google.protobuf.proto import parse_length_prefixed

    at = stream.tell()
    try:
        return parse_length_prefixed(message, stream)
    except (DecodeError, ValueError) as error:
        raise TraceError(f"is no Chakra trace, or is cut off: {what}, byte {at}: {error}") from None
