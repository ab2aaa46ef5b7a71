"""PyTorch's operations in Chakra execution traces that are understood: what operator each of them is.

A rule answers the tensors that hold what the operation made. Arguments: pytorch.org/docs.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from attrs import frozen

from lsim.errors import TraceError
from lsim.extract.chakra_refs import Ref, whole_number
from lsim.extract.chakra_values import Values
from lsim.trace.ir import Kind, Role

VIEWS = (
    "alias", "as_strided", "chunk", "clone", "contiguous", "detach", "dropout", "expand", "flatten",
    "narrow", "permute", "reshape", "_reshape_alias", "select", "slice", "split", "squeeze", "t", "to",
    "_to_copy", "transpose", "unflatten", "_unsafe_view", "unsqueeze", "view",
)  # fmt: skip
ACTIVATIONS = frozenset(["gelu", "relu", "relu_", "sigmoid", "silu", "silu_", "tanh"])
SUMS = {"add": Kind.RESIDUAL, "add_": Kind.RESIDUAL, "mul": Kind.MULTIPLY, "mul_": Kind.MULTIPLY}
SOFTMAXES = ("softmax", "_softmax")
NORMS = ("layer_norm", "native_layer_norm", "rms_norm")


@frozen
class Call:
    """An operation: its node, and what its arguments and results name."""

    node: Any
    inputs: list[list[Ref]]
    outputs: list[Ref]

    @property
    def name(self) -> str:
        return str(self.node.name)

    @property
    def place(self) -> str:
        return f"node {self.node.id} ({self.node.name})"


Rule = Callable[[Values, Call], tuple[str, ...]]


def view(values: Values, call: Call) -> tuple[str, ...]:
    """What is viewed; nothing yet if it is not known: the operation that reads the view says what it is."""
    source = call.inputs[0][0]
    held = values.known(source)
    if held is None or values.out.elements(held) != call.outputs[0].elements:
        for ref in call.outputs:
            values.roots[ref.tensor] = values.roots.get(source.tensor, source)
        return ()
    return held


def opaque(values: Values, call: Call, before: str) -> tuple[str, ...]:
    """Data movement of an operation that is not understood."""
    held = tuple(n for refs in call.inputs for n in values.operand(refs))
    return (
        values.out.opaque(call.name, held, f"{call.name}.out", call.outputs[0].shape, f"{before}{call.name}"),
    )


def linear(values: Values, call: Call) -> tuple[str, ...]:
    x, weight, *bias = (refs for refs in call.inputs if refs)
    return _linear(values, call.name, x, weight, bias[:1], call.outputs[0], inner=x[0].shape[-1])


def addmm(values: Values, call: Call) -> tuple[str, ...]:
    bias, a, b = (refs for refs in call.inputs[:3] if refs)
    return _linear(values, call.name, a, b, [bias], call.outputs[0], inner=a[0].shape[-1])


def matmul(values: Values, call: Call) -> tuple[str, ...]:
    a, b = (refs for refs in call.inputs if refs)
    inner = a[0].shape[-1]
    if values.is_new(b) and len(b[0].shape) == 2:
        return _linear(values, call.name, a, b, [], call.outputs[0], inner)
    heads = prod(call.outputs[0].shape[:-2])
    sizes = (heads, call.outputs[0].shape[-2], inner, call.outputs[0].shape[-1])
    return _gemm(values, call.name, [values.operand(a), values.operand(b)], sizes, call.outputs[0])


def _linear(
    values: Values, name: str, x: list[Ref], weight: list[Ref], bias: list[list[Ref]], out: Ref, inner: int
) -> tuple[str, ...]:
    features = out.shape[-1]
    role = Role.WEIGHT if values.is_new(weight) else Role.INPUT
    operands = [values.operand(weight, role), values.operand(x)]
    operands += [
        values.operand(refs, Role.WEIGHT) for refs in bias if sum(ref.elements for ref in refs) == features
    ]
    return _gemm(values, name, operands, (1, features, inner, out.elements // features), out)


def _gemm(
    values: Values, name: str, operands: list[tuple[str, ...]], sizes: tuple[int, int, int, int], out: Ref
) -> tuple[str, ...]:
    return values.out.add(name, Kind.GEMM, operands, sizes, {f"{name}.out": out.shape}, label=name)


def attention(values: Values, call: Call) -> tuple[str, ...]:
    """Queries that share a key-value head are stacked along the rows."""
    q, k, v = (refs for refs in call.inputs[:3])
    *batch, rows, size = q[0].shape
    *shared, keys, _ = k[0].shape
    heads = prod(shared)
    queries = rows * prod(batch) // heads
    scores = values.out.add(
        f"{call.name}.qk", Kind.GEMM, [values.operand(q), values.operand(k)], (heads, queries, size, keys), {f"{call.name}.qk.out": (heads, queries, keys)}
    )  # fmt: skip
    weights = values.out.add(
        f"{call.name}.softmax", Kind.SOFTMAX, [scores], (heads, queries, 0, keys), {f"{call.name}.softmax.out": (heads, queries, keys)}
    )  # fmt: skip
    sizes = (heads, queries, keys, v[0].shape[-1])
    return _gemm(values, f"{call.name}.sv", [weights, values.operand(v)], sizes, call.outputs[0])


def softmax(values: Values, call: Call) -> tuple[str, ...]:
    _check_dimension(call)
    *heads, columns = call.inputs[0][0].shape
    rows = heads.pop() if heads else 1
    sizes = (prod(heads), rows, 0, columns)
    return values.out.add(
        call.name,
        Kind.SOFTMAX,
        [values.operand(call.inputs[0])],
        sizes,
        {f"{call.name}.out": call.outputs[0].shape},
    )


def norm(values: Values, call: Call) -> tuple[str, ...]:
    x, *parameters = (refs for refs in call.inputs if refs)
    columns = x[0].shape[-1]
    gains = [values.operand(p, Role.WEIGHT) for p in parameters if sum(ref.elements for ref in p) == columns]
    sizes = (1, x[0].elements // columns, 0, columns)
    return values.out.add(
        call.name, Kind.NORM, [values.operand(x), *gains[:2]], sizes, {f"{call.name}.out": x[0].shape}
    )


def combine(values: Values, call: Call) -> tuple[str, ...]:
    operands = [values.operand(refs) for refs in call.inputs if refs]
    operation = call.name.rpartition("::")[2]
    kind = SUMS.get(operation, Kind.ACTIVATION)
    return (
        values.out.combine(call.name, kind, operands, f"{call.name}.out", call.outputs[0].shape, operation),
    )


def embedding(values: Values, call: Call) -> tuple[str, ...]:
    table, ids = (refs for refs in call.inputs[:2])
    columns = call.outputs[0].shape[-1]
    operands = [values.operand(ids), values.operand(table, Role.WEIGHT)]
    sizes = (1, call.outputs[0].elements // columns, 0, columns)
    return values.out.add(
        call.name, Kind.EMBEDDING, operands, sizes, {f"{call.name}.out": call.outputs[0].shape}
    )


def concatenation(values: Values, call: Call) -> tuple[str, ...]:
    return values.operand([ref for refs in call.inputs for ref in refs])


def _check_dimension(call: Call) -> None:
    """Refuses a softmax over other elements than those of a row."""
    dimension, x = whole_number(call.node.inputs, 1), call.inputs[0][0]
    if dimension is not None and dimension not in (-1, len(x.shape) - 1):
        problem = (
            f"a softmax over dimension {dimension} of {len(x.shape)}: over rows, the last, is understood"
        )
        raise TraceError(problem, place=call.place)


RULES: dict[str, Rule] = {
    "linear": linear,
    "addmm": addmm,
    **dict.fromkeys(("mm", "bmm", "matmul"), matmul),
    **dict.fromkeys(SOFTMAXES, softmax),
    **dict.fromkeys(NORMS, norm),
    **dict.fromkeys((*SUMS, *ACTIVATIONS), combine),
    **dict.fromkeys(VIEWS, view),
    "embedding": embedding,
    "cat": concatenation,
    "scaled_dot_product_attention": attention,
}
