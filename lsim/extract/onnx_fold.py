"""One node after the other: what is constant is computed (onnx.reference), of the rest onnx infers the shapes.

Shapes follow from shapes, and from the values of small constants. What onnx itself does not define has rules of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from lsim.errors import TraceError
from lsim.extract import onnx_control as control
from lsim.extract import onnx_sequences as sequences
from lsim.extract.onnx_contrib import SHAPES
from lsim.extract.onnx_graph import FLOATS, FOLDED, LAYOUTS, PARTS, TRANSPARENT, Graph, Node, well_formed

SMALL = 64  # elements of the largest constant that shapes follow from
_KEPT = frozenset({"Expand", "Add", "Where"})  # of a parameter: a repetition; a mask in a bias
DOMAINS = {"": "", "ai.onnx": "", "com.microsoft": "com.microsoft."}


def walk(graph: Graph, proto: Any, at: int, same: dict[str, str], imports: Sequence[Any]) -> None:
    """Folds a node, or adds it with the shapes of what it writes."""
    node = _node(proto, at, same)
    _check_inputs(graph, proto, node)
    if node.op in sequences.OPS:
        for one in sequences.unrolled(graph, node):
            _add(graph, one, same, imports)
        return
    if (body := control.branch(graph, node)) is not None:
        _run(graph, node, body, same, imports)
        return
    if _is_known(graph, node) and _fold(graph, node, proto, imports):
        return
    if node.op == "CastLike" and _cast(graph, node):
        return
    if node.op == "Constant":
        raise TraceError("its value is not in the file", place=node.place())
    _infer(graph, node, proto, imports)
    _keep(graph, node, same)


def _run(graph: Graph, node: Node, body: Any, same: dict[str, str], imports: Sequence[Any]) -> None:
    """Adds the nodes of a branch."""
    add_weights(graph, body.initializer)
    for at, proto in enumerate(body.node):
        walk(graph, proto, at, same, imports)
    for name, made in zip(node.outputs, body.output, strict=True):
        same[name] = same.get(made.name, made.name)
        graph.shapes[name], graph.types[name] = graph.shapes[made.name], graph.types[made.name]


def add_weights(graph: Graph, initializers: Sequence[Any]) -> None:
    for weight in initializers:
        graph.weights[weight.name] = weight
        graph.shapes[weight.name], graph.types[weight.name] = tuple(weight.dims), weight.data_type


def _keep(graph: Graph, node: Node, same: dict[str, str]) -> None:
    if node.op in TRANSPARENT:
        same[node.outputs[0]] = node.inputs[0]
    else:
        graph.nodes.append(node)


def _add(graph: Graph, node: Node, same: dict[str, str], imports: Sequence[Any]) -> None:
    """Adds a node that stands for one of the file."""
    from onnx import helper

    if node.outputs[0] not in graph.shapes:
        proto = helper.make_node(node.op, node.inputs, node.outputs, node.name, **node.attributes)
        _infer(graph, node, proto, imports)
    _keep(graph, node, same)


def _node(proto: Any, at: int, same: Mapping[str, str]) -> Node:
    from onnx import helper

    outputs = tuple(proto.output)
    name = proto.name or next(filter(None, outputs), f"{proto.op_type}.{at}")
    op = f"{DOMAINS.get(proto.domain, f'{proto.domain}.')}{proto.op_type}"
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    inputs = (*proto.input, *control.captured(proto))
    return Node(name, op, tuple(same.get(name, name) for name in inputs), outputs, attributes)


def _check_inputs(graph: Graph, proto: Any, node: Node) -> None:
    for name in filter(None, proto.input):
        if name in graph.sequences and node.op not in sequences.OPS:
            raise TraceError(f"reads {name!r}, a sequence of values: take one of them", place=node.place())
        if name in graph.shapes or name in graph.sequences:
            continue
        maker = next((one for one in graph.nodes if name in one.outputs), None)
        if maker is None:
            problem = (
                f"reads {name!r}, which no node before it makes: nodes stand in the order in which they run"
            )
            raise TraceError(problem, place=node.place())
        problem = f"the shape of {name!r} does not follow from its inputs: write it into the model (graph.value_info)"
        raise TraceError(problem, place=maker.place())
    for name in node.outputs:
        if name in graph.shapes or name in graph.sequences:
            raise TraceError(f"makes {name!r}, which is there already", place=node.place())


def _is_known(graph: Graph, node: Node) -> bool:
    """Whether a node's result does not depend on the inputs of the model: only their shapes, if on anything."""
    if node.op in ("Shape", "Size"):
        return True
    if any(name and name not in graph.constants and name not in graph.weights for name in node.inputs):
        return False
    is_weight = any(graph.may_be_learned(name) for name in node.inputs if name)
    if is_weight and node.op in TRANSPARENT | LAYOUTS | PARTS | _KEPT:
        return False  # the name of a parameter is worth more than its layout
    return all(graph.value(name) is not None for name in node.inputs if name)


def _fold(graph: Graph, node: Node, proto: Any, imports: Sequence[Any]) -> bool:
    """Computes a node; false if onnx's reference cannot, or the result is too large."""
    import numpy

    learned = node.op == "Constant" or any(map(graph.may_be_learned, filter(None, node.inputs)))
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
            with numpy.errstate(all="ignore"):
                made = ReferenceEvaluator(model).run(None, given)
        except Exception:  # whatever it does not implement: the node stays
            return False
    if any(not isinstance(value, numpy.ndarray | numpy.generic) or value.size > FOLDED for value in made):
        return False
    for name, value in zip(filter(None, node.outputs), made, strict=True):
        _add_constant(graph, name, value)
        graph.learned |= {name} if learned and node.op not in ("Shape", "Size") else set()
    return True


def _cast(graph: Graph, node: Node) -> bool:
    """A constant as the type of another value; false if it is none."""
    from onnx import helper

    value = graph.value(node.inputs[0])
    if value is None or graph.may_be_learned(node.inputs[0]):
        return False
    _add_constant(
        graph, node.outputs[0], value.astype(helper.tensor_dtype_to_np_dtype(graph.types[node.inputs[1]]))
    )
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

    rule = SHAPES.get(node.op)
    if rule is not None:
        with well_formed(node):
            made = rule(graph, node)
        graph.shapes.update(made)
        graph.types.update(dict.fromkeys(made, TensorProto.FLOAT))
        return
    if node.op in control.OPS or not defs.has(
        proto.op_type, "" if proto.domain == "ai.onnx" else proto.domain
    ):
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
