"""An ONNX model as a trace: `lsim trace from-onnx`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from lsim.errors import TraceError
from lsim.extract.assemble import assemble
from lsim.extract.onnx_control import OPS as CONTROL
from lsim.extract.onnx_finish import finish
from lsim.extract.onnx_graph import Graph, Node, Shape, well_formed
from lsim.extract.onnx_load import load
from lsim.extract.onnx_lower import POOL, Lowering
from lsim.extract.onnx_patterns import recognise
from lsim.extract.onnx_rules import RULES
from lsim.trace.ir import UNKNOWN, Kind, Operator, Trace

_CONVENTIONS = (
    "Changes of layout and of width are free; sums and products with constants are part of their neighbours. Widths are a policy of the run.",
    "Arithmetic on whole numbers (positions, masks, sizes) is left out; what comes of it is an input.",
)
_SHOWN = 4  # names of nodes that a note spells out


def from_onnx(
    path: Path, shapes: Mapping[str, Shape], allow_unknown: bool = False
) -> tuple[Trace, list[str]]:
    """The trace of a model whose inputs have these shapes, and what was assumed.

    `allow_unknown`: an operator that is not known is kept as opaque data movement, not refused. Raises TraceError.
    """
    graph = load(path, shapes)
    masked = recognise(graph)
    low = Lowering(graph)
    unknown = [node for node in graph.nodes if not _lower(low, node, allow_unknown)]
    operators = finish(low)
    notes = [*_CONVENTIONS, *_notes(operators, masked, unknown)]
    description = f"ONNX model of opset {graph.opset}, {_inputs(graph)}"
    return assemble(path.stem, operators, low.out.tensors, description, notes), notes


def _lower(low: Lowering, node: Node, allow_unknown: bool) -> bool:
    """Puts a node in the trace; whether its operator is known."""
    if low.given.keys() >= set(filter(None, node.outputs)):
        return True
    if _counts(low, node):
        low.put(node.outputs[0], next(low.held[name] for name in node.inputs if name in low.held))
        return True
    rule = RULES.get(node.op)
    if rule is None and not allow_unknown:
        why = f" ({CONTROL[node.op]})" if node.op in CONTROL else ""
        problem = f"this operator is not known{why}; --allow-unknown keeps it as opaque data movement"
        raise TraceError(problem, place=node.place())
    _check_shapes(low, node)
    try:
        with well_formed(node):
            rule(low, node) if rule else low.opaque(node, f"{UNKNOWN}{node.op}")
    except TraceError as error:
        raise error.at(place=node.place()) from None
    return rule is not None


def _counts(low: Lowering, node: Node) -> bool:
    """Whether a node is arithmetic on indices that the model has computed: they still depend on what they come from."""
    whole = not any(low.is_float(name) for name in (*node.inputs, *node.outputs) if name)
    return whole and any(name in low.held for name in node.inputs)


def _check_shapes(low: Lowering, node: Node) -> None:
    needed = [name for name in node.outputs if name and (name in low.readers or name in low.graph.outputs)]
    for name in (*filter(None, node.inputs), *needed):
        if name not in low.graph.shapes:
            problem = f"the shape of {name!r} does not follow from the inputs: write it into the model (graph.value_info)"
            raise TraceError(problem, place=node.place())
        if 0 in low.graph.shapes[name] and low.is_float(name) and not low.graph.is_stored(name):
            raise TraceError(
                f"{name!r} has no elements, of shape {low.graph.shapes[name]}", place=node.place()
            )


def _notes(operators: list[Operator], masked: list[str], unknown: list[Node]) -> Iterator[str]:
    opaque = Counter(operator.label for operator in operators if operator.kind is Kind.OPAQUE)
    unfolded = sum(operator.label == "im2col" for operator in operators)
    if unfolded:
        yield f"Convolutions are GEMMs by im2col: {unfolded} unfolded images are written and read."
    pools = sum(operator.label == POOL for operator in operators)
    if pools:
        yield f"Means and sums over axes are products with a vector of equal numbers: {pools}."
    known = {label: count for label, count in opaque.items() if not label.startswith(UNKNOWN)}
    if known:
        counts = ", ".join(f"{count} {label}" for label, count in sorted(known.items()))
        yield f"Opaque data movement, its arithmetic not counted: {counts}."
    if masked:
        yield f"Masks that are not causal, or not in the file, are left out, the scores dense: {_some(masked)}."
    if unknown:
        shown = [f"{node.name} ({node.op})" for node in unknown]
        yield f"UNKNOWN operators kept as opaque data movement: {_some(shown)}."


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _inputs(graph: Graph) -> str:
    return ", ".join(
        f"{name} {'x'.join(map(str, shape)) or 'a number'}" for name, shape in graph.inputs.items()
    )
