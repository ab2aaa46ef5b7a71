"""An ONNX model as a graph of fixed shapes: constants folded away, every value with its shape, no weight loaded that is not asked for.

Nodes are walked in order: one whose inputs are all known is evaluated (onnx.reference), of any other onnx infers the shapes of
its outputs from the shapes, and known values, of its inputs. Operators that onnx itself does not define have rules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from lsim.errors import TraceError
from lsim.extract.extras import need

if TYPE_CHECKING:
    from numpy import ndarray

OLDEST = 9  # opset; older ones broadcast by an attribute
FOLDED = 1 << 22  # elements of the largest constant that is computed with: a causal mask of 2048 tokens
DOMAINS = {"": "", "ai.onnx": "", "com.microsoft": "com.microsoft."}
SMALL = 64  # elements of the largest constant that shapes follow from
# Nodes whose output is their input to us: widths are a policy of the run, and inference drops nothing.
TRANSPARENT = frozenset({"Identity", "Cast", "CastLike", "Dropout", "QuantizeLinear", "DequantizeLinear"})
LAYOUTS = frozenset(
    {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}
)  # the same elements otherwise arranged
PARTS = frozenset({"Slice", "Split", "Gather"})  # some of the elements
FLOATS = frozenset({1, 10, 11, 16})  # element types of onnx.proto: float, float16, double, bfloat16

Shape = tuple[int, ...]


@frozen(eq=False)
class Node:
    """One node: its operator with the domain before it, `com.microsoft.Attention`; an input that is not given is ''."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def place(self) -> str:
        return f"node {self.name} ({self.op})"

    def input(self, at: int) -> str:
        """An input, '' if it is not given."""
        return self.inputs[at] if at < len(self.inputs) else ""


@define
class Graph:
    """Nodes in order, none of them constant. `weights` are initializers by name; of all values `shapes` has the shape."""

    nodes: list[Node] = field(factory=list)
    shapes: dict[str, Shape] = field(factory=dict)
    types: dict[str, int] = field(factory=dict)
    inputs: dict[str, Shape] = field(factory=dict)
    outputs: list[str] = field(factory=list)
    weights: dict[str, Any] = field(factory=dict)
    constants: dict[str, ndarray[Any, Any]] = field(factory=dict)
    opset: int = 0

    def value(self, name: str) -> ndarray[Any, Any] | None:
        """What a constant or an initializer holds; None if that is not in the file, or no constant."""
        if name in self.constants or name not in self.weights:
            return self.constants.get(name)
        weight = self.weights[name]
        if weight.data_location == weight.EXTERNAL or prod(weight.dims) > FOLDED:
            return None
        from onnx import numpy_helper

        self.constants[name] = numpy_helper.to_array(weight)
        return self.constants[name]

    def is_stored(self, name: str) -> bool:
        """Whether a value is there before the run: an initializer or a constant."""
        return name in self.weights or name in self.constants


def load(path: Path, shapes: Mapping[str, Shape]) -> Graph:
    """The graph of a model file, inputs having these shapes. Raises TraceError that names the input or node."""
    model = _read(path)
    graph = Graph(opset=_opset(model))
    for weight in model.graph.initializer:
        graph.weights[weight.name] = weight
        graph.shapes[weight.name], graph.types[weight.name] = tuple(weight.dims), weight.data_type
    _fix_inputs(model, graph, shapes)
    declared = {
        value.name: value.type.tensor_type for value in (*model.graph.value_info, *model.graph.output)
    }
    imports = list(model.opset_import)
    same: dict[str, str] = {}  # a transparent node's output → its input
    for at, proto in enumerate(model.graph.node):
        _walk(graph, proto, at, same, imports)
        _declare(graph, declared, proto.output)
    graph.outputs = [same.get(output.name, output.name) for output in model.graph.output]
    return graph


def _declare(graph: Graph, declared: Mapping[str, Any], outputs: Sequence[str]) -> None:
    """What the file says of the shapes of outputs that do not follow from the inputs."""
    for name in outputs:
        tensor = declared.get(name)
        if name not in graph.shapes and tensor is not None and tensor.HasField("shape"):
            dims = [dim.dim_value for dim in tensor.shape.dim]
            if all(dims):
                graph.shapes[name], graph.types[name] = tuple(dims), tensor.elem_type


# -- the file ------------------------------------------------------------------------------------------------------
def _read(path: Path) -> Any:
    onnx = need("onnx", "onnx")
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror}") from None
    except (DecodeError, ValueError, RuntimeError) as error:
        raise TraceError(f"is no ONNX model, or is cut off: {error}") from None
    if not model.graph.node:
        raise TraceError("is no ONNX model, or an empty one: it has no nodes")
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    return model


def _opset(model: Any) -> int:
    from onnx import defs

    versions = {entry.domain: entry.version for entry in model.opset_import}
    version, newest = versions.get("", versions.get("ai.onnx", 0)), defs.onnx_opset_version()
    if not OLDEST <= version <= newest:
        problem = (
            f"is of opset {version}: {OLDEST} to {newest} can be read (onnx.version_converter changes it)"
        )
        raise TraceError(problem)
    return int(version)


def _fix_inputs(model: Any, graph: Graph, shapes: Mapping[str, Shape]) -> None:
    inputs = {value.name: value for value in model.graph.input if value.name not in graph.weights}
    for name in shapes:
        if name not in inputs:
            raise TraceError(f"the model has no input {name!r}", place="--shape", known=inputs, given=name)
    for name, value in inputs.items():
        graph.inputs[name] = graph.shapes[name] = _fixed(name, value.type.tensor_type, shapes.get(name))
        graph.types[name] = value.type.tensor_type.elem_type


def _fixed(name: str, declared: Any, given: Shape | None) -> Shape:
    """The shape of an input: as declared, and as given where it is not."""
    dims = [d.dim_value if d.dim_value > 0 else None for d in declared.shape.dim]
    shown = "x".join(
        str(size or d.dim_param or "?") for size, d in zip(dims, declared.shape.dim, strict=True)
    )
    if given is None:
        fixed = [size for size in dims if size]
        if len(fixed) < len(dims) or not declared.HasField("shape"):
            example = ",".join(str(size or 1) for size in dims)
            problem = f"has the dynamic shape {shown}: say which one, such as --shape {name}={example}"
            raise TraceError(problem, place=f"input {name}")
        return tuple(fixed)
    agrees = not declared.HasField("shape") or (
        len(given) == len(dims)
        and all(size in (None, wanted) for size, wanted in zip(dims, given, strict=True))
    )
    if not agrees:
        problem = f"has the shape {shown}, which {'x'.join(map(str, given))} is not"
        raise TraceError(problem, place=f"input {name}")
    return given


# -- one node ------------------------------------------------------------------------------------------------------
def _walk(graph: Graph, proto: Any, at: int, same: dict[str, str], imports: Sequence[Any]) -> None:
    """Folds a node, or adds it with the shapes of what it writes."""
    node = _node(proto, at, same)
    _check_inputs(graph, proto, node)
    if _is_known(graph, node) and _fold(graph, node, proto, imports):
        return
    if node.op == "Constant":
        raise TraceError("its value is not in the file", place=node.place())
    _infer(graph, node, proto, imports)
    if node.op in TRANSPARENT:
        same[node.outputs[0]] = node.inputs[0]
    else:
        graph.nodes.append(node)


def _node(proto: Any, at: int, same: Mapping[str, str]) -> Node:
    from onnx import helper

    outputs = tuple(proto.output)
    name = proto.name or next(filter(None, outputs), f"{proto.op_type}.{at}")
    op = f"{DOMAINS.get(proto.domain, f'{proto.domain}.')}{proto.op_type}"
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    return Node(name, op, tuple(same.get(name, name) for name in proto.input), outputs, attributes)


def _check_inputs(graph: Graph, proto: Any, node: Node) -> None:
    for name in filter(None, proto.input):
        if name not in graph.shapes:
            maker = next((one for one in graph.nodes if name in one.outputs), node)
            problem = f"the shape of {name!r} does not follow from its inputs: write it into the model (graph.value_info)"
            raise TraceError(problem, place=maker.place())


def _is_known(graph: Graph, node: Node) -> bool:
    """Whether a node's result does not depend on the inputs of the model: only their shapes, if on anything."""
    if node.op in ("Shape", "Size"):
        return True
    if any(name and name not in graph.constants and name not in graph.weights for name in node.inputs):
        return False
    is_weight = any(
        name in graph.weights and prod(graph.shapes[name]) > 1 and graph.types[name] in FLOATS
        for name in node.inputs
    )
    if is_weight and node.op in TRANSPARENT | LAYOUTS | PARTS:
        return False  # the name of a parameter is worth more than its layout
    return all(graph.value(name) is not None for name in node.inputs if name)


def _fold(graph: Graph, node: Node, proto: Any, imports: Sequence[Any]) -> bool:
    """Computes a node; false if onnx's reference cannot, or the result is too large."""
    import numpy

    if node.op in ("Shape", "Size"):
        shape = graph.shapes[node.inputs[0]]
        begin, end = node.attributes.get("start", 0), node.attributes.get("end", None)
        made: Any = [numpy.array(shape[begin:end] if node.op == "Shape" else prod(shape), numpy.int64)]
    else:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        given = {name: graph.value(same) for name, same in zip(proto.input, node.inputs, strict=True) if name}
        inputs = [helper.make_empty_tensor_value_info(name) for name in given]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs if name]
        model = helper.make_model(helper.make_graph([proto], "one", inputs, outputs), opset_imports=imports)
        try:
            made = ReferenceEvaluator(model).run(None, given)
        except Exception:  # whatever it does not implement: the node stays
            return False
    if any(not isinstance(value, numpy.ndarray | numpy.generic) or value.size > FOLDED for value in made):
        return False
    for name, value in zip(filter(None, node.outputs), made, strict=True):
        _add_constant(graph, name, value)
    return True


def _add_constant(graph: Graph, name: str, value: Any) -> None:
    import numpy
    from onnx import helper

    graph.constants[name] = numpy.asarray(value)
    graph.shapes[name] = graph.constants[name].shape
    graph.types[name] = helper.np_dtype_to_tensor_dtype(graph.constants[name].dtype)


def _infer(graph: Graph, node: Node, proto: Any, imports: Sequence[Any]) -> None:
    """The shapes of what a node writes."""
    from onnx import TensorProto, defs

    rule = CONTRIB.get(node.op)
    if rule is not None:
        made = rule(graph, node)
        graph.shapes.update(made)
        graph.types.update(dict.fromkeys(made, TensorProto.FLOAT))
        return
    if not defs.has(proto.op_type, "" if proto.domain == "ai.onnx" else proto.domain):
        return
    for name, tensor in _inferred(graph, node, proto, imports).items():
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            graph.shapes[name] = tuple(dim.dim_value for dim in tensor.shape.dim)
            graph.types[name] = tensor.elem_type


def _inferred(graph: Graph, node: Node, proto: Any, imports: Sequence[Any]) -> Mapping[str, Any]:
    """The types of what a node writes, by onnx's inference on a model of that node alone."""
    from onnx import helper, numpy_helper
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError, infer_shapes

    names = dict.fromkeys(filter(None, proto.input))
    inputs = [helper.make_tensor_value_info(name, graph.types[name], graph.shapes[name]) for name in names]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.outputs if name]
    values = {
        name: graph.value(same)
        for name, same in zip(proto.input, node.inputs, strict=True)
        if name and prod(graph.shapes[name]) <= SMALL and graph.types[name] not in FLOATS - {1}
    }
    known = [numpy_helper.from_array(value, name) for name, value in values.items() if value is not None]
    model = helper.make_model(
        helper.make_graph([proto], "one", inputs, outputs, known), opset_imports=imports
    )
    try:
        inferred = infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    except (InferenceError, ValidationError) as error:
        said = str(error).strip().splitlines()[-1]
        raise TraceError(f"its shapes do not fit: {said}", place=node.place()) from None
    return {value.name: value.type.tensor_type for value in (*inferred.output, *inferred.value_info)}


# -- operators of ONNX Runtime (github.com/microsoft/onnxruntime, docs/ContribOperators.md) ------------------------
def _as_first(graph: Graph, node: Node) -> dict[str, Shape]:
    return {name: graph.shapes[node.inputs[0]] for name in node.outputs if name}


def _skip_norm(graph: Graph, node: Node) -> dict[str, Shape]:
    return {
        name: graph.shapes[node.inputs[0]] for at, name in enumerate(node.outputs) if name and at in (0, 3)
    }


def _embed_norm(graph: Graph, node: Node) -> dict[str, Shape]:
    shape = (*graph.shapes[node.inputs[0]], graph.shapes[node.inputs[2]][-1])
    return {name: shape for at, name in enumerate(node.outputs) if name and at in (0, 2)}


def _attention(graph: Graph, node: Node) -> dict[str, Shape]:
    """Attention of a fused QKV weight: the width of V, a third of the weight's unless said."""
    *first, _ = graph.shapes[node.inputs[0]]
    widths = node.attributes.get("qkv_hidden_sizes")
    return {node.outputs[0]: (*first, widths[2] if widths else graph.shapes[node.inputs[1]][-1] // 3)}


def _multi_head(graph: Graph, node: Node) -> dict[str, Shape]:
    batch, queries, *packed = graph.shapes[node.inputs[0]]
    if len(packed) == 3:
        return {node.outputs[0]: (batch, queries, packed[0] * packed[2])}
    value = graph.shapes.get(node.input(2), ())
    last = value[1] * value[3] if len(value) == 4 else value[-1] if value else packed[-1]
    return {node.outputs[0]: (batch, queries, last)}


def _grouped(graph: Graph, node: Node) -> dict[str, Shape]:
    """Grouped-query attention, and the caches that it extends."""
    batch, tokens, width = graph.shapes[node.inputs[0]]
    heads, groups = node.attributes["num_heads"], node.attributes["kv_num_heads"]
    size = width // (heads if node.input(1) else heads + 2 * groups)
    cached = graph.shapes.get(node.input(3), (0, 0, 0, 0))[2]
    made = {node.outputs[0]: (batch, tokens, heads * size)}
    return made | {name: (batch, groups, cached + tokens, size) for name in node.outputs[1:3] if name}


def _fused_matmul(graph: Graph, node: Node) -> dict[str, Shape]:
    a, b = (graph.shapes[name] for name in node.inputs[:2])
    a, b = (
        (*s[:-2], s[-1], s[-2]) if node.attributes.get(turn) else s
        for s, turn in ((a, "transA"), (b, "transB"))
    )
    return {node.outputs[0]: (*max(a[:-2], b[:-2], key=prod), a[-2], b[-1])}


def _bits(graph: Graph, node: Node) -> dict[str, Shape]:
    return {node.outputs[0]: (*graph.shapes[node.inputs[0]][:-1], node.attributes["N"])}


_MS = "com.microsoft."
CONTRIB: dict[str, Callable[[Graph, Node], dict[str, Shape]]] = {
    **{f"{_MS}{op}": _as_first for op in ("Gelu", "FastGelu", "BiasGelu", "QuickGelu", "RotaryEmbedding")},
    "GroupNormalization": _as_first,  # a function of which onnx infers nothing
    **dict.fromkeys(("SimplifiedLayerNormalization", f"{_MS}SimplifiedLayerNormalization"), _as_first),
    **{f"{_MS}{op}": _skip_norm for op in ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")},
    f"{_MS}EmbedLayerNormalization": _embed_norm,
    f"{_MS}Attention": _attention,
    f"{_MS}MultiHeadAttention": _multi_head,
    f"{_MS}GroupQueryAttention": _grouped,
    f"{_MS}FusedMatMul": _fused_matmul,
    f"{_MS}MatMulNBits": _bits,
}
