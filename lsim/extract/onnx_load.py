"""From a model file to a graph of fixed shapes: inputs are given theirs, the rest follows node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsim.errors import TraceError
from lsim.extract.extras import need
from lsim.extract.onnx_fold import add_weights, walk
from lsim.extract.onnx_graph import Graph, Shape

OLDEST = 9  # opset; older ones broadcast by an attribute


def load(path: Path, shapes: Mapping[str, Shape]) -> Graph:
    """The graph of a model file, inputs having these shapes. Raises TraceError that names the input or node."""
    model = _read(path)
    graph = Graph(opset=_opset(model), folder=path.parent)
    add_weights(graph, model.graph.initializer)
    _fix_inputs(model, graph, shapes)
    declared = {
        value.name: value.type.tensor_type for value in (*model.graph.value_info, *model.graph.output)
    }
    imports = list(model.opset_import)
    same: dict[str, str] = {}  # a transparent node's output → its input
    for at, proto in enumerate(model.graph.node):
        walk(graph, proto, at, same, imports)
        _declare(graph, declared, proto.output)
    for output in model.graph.output:
        if (
            output.name not in graph.shapes
            and output.name not in graph.sequences
            and not _is_made(graph, output.name)
        ):
            raise TraceError("no node makes it", place=f"output {output.name}")
    graph.outputs = [same.get(output.name, output.name) for output in model.graph.output]
    return graph


def _is_made(graph: Graph, name: str) -> bool:
    return any(name in node.outputs for node in graph.nodes)


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
    if not model.graph.output:
        raise TraceError("has no outputs, so nothing need be computed")
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
    bound = _bound(inputs, shapes)
    for name, value in inputs.items():
        if not value.type.HasField("tensor_type"):
            raise TraceError("is no tensor: sequences and maps cannot be given", place=f"input {name}")
        declared = value.type.tensor_type
        graph.inputs[name] = graph.shapes[name] = _fixed(name, declared, shapes.get(name), bound)
        graph.types[name] = declared.elem_type


def _bound(inputs: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[str, int]:
    """What the sizes that the model has names for are in the inputs whose shapes are given."""
    bound: dict[str, int] = {}
    for name, shape in shapes.items():
        dims = inputs[name].type.tensor_type.shape.dim
        for dim, size in zip(dims, shape, strict=False):
            if dim.dim_param and bound.setdefault(dim.dim_param, size) != size:
                problem = f"{dim.dim_param} is {bound[dim.dim_param]} in another input, and {size} here"
                raise TraceError(problem, place=f"input {name}")
    return bound


def _fixed(name: str, declared: Any, given: Shape | None, bound: Mapping[str, int]) -> Shape:
    """The shape of an input: as declared, and as given, here or in another input, where it is not."""
    dims = [d.dim_value if d.dim_value > 0 else None for d in declared.shape.dim]
    shown = "x".join(
        str(size or d.dim_param or "?") for size, d in zip(dims, declared.shape.dim, strict=True)
    )
    if given is None:
        sizes = [size or bound.get(d.dim_param) for size, d in zip(dims, declared.shape.dim, strict=True)]
        fixed = [size for size in sizes if size]
        if len(fixed) < len(dims) or not declared.HasField("shape"):
            example = ",".join(str(size or 1) for size in sizes)
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
