"""Chakra execution traces that lsim did not write: what PyTorch's operations in them say of the model.

Chakra's converter keeps PyTorch's operations (`aten::…`) with the shapes of their tensors. Those below are understood; an operation
called by one that is understood (its parent, in `ctrl_deps`) is part of it. Views are names of the same data. A tensor that no node
wrote is a parameter where a GEMM or a norm takes its parameters, else an input. Collectives and memory nodes belong to other machines.

Sources: github.com/mlcommons/chakra, its PyTorch converter; the operations' arguments: pytorch.org/docs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd, prod
from typing import Any

from attrs import define, field

from lsim.errors import TraceError
from lsim.extract.assemble import Recorder, assemble
from lsim.extract.chakra_refs import Ref, refs_of, whole_number
from lsim.extract.chakra_schema import COMP_NODE, METADATA_NODE, node_type
from lsim.trace.ir import UNKNOWN, Kind, Role, Trace

VIEWS = (
    "alias", "as_strided", "chunk", "clone", "contiguous", "detach", "dropout", "expand", "flatten",
    "narrow", "permute", "reshape", "_reshape_alias", "select", "slice", "split", "squeeze", "t", "to",
    "_to_copy", "transpose", "unflatten", "_unsafe_view", "unsqueeze", "view",
)  # fmt: skip
ACTIVATIONS = frozenset(["gelu", "relu", "relu_", "sigmoid", "silu", "silu_", "tanh"])
SUMS = {"add": Kind.RESIDUAL, "add_": Kind.RESIDUAL, "mul": Kind.MULTIPLY, "mul_": Kind.MULTIPLY}
SOFTMAXES = ("softmax", "_softmax")
NORMS = ("layer_norm", "native_layer_norm", "rms_norm")

_CONVENTIONS = (
    "Read from a Chakra execution trace: what no node of it writes is a parameter where a GEMM or a norm takes its parameters, "
    "else an input.",
    "No operator is marked causal and no tensor is KV cache: an execution trace says neither.",
)


def read_foreign(nodes: Sequence[Any], name: str, allow_unknown: bool) -> tuple[Trace, list[str]]:
    """The trace of the operations that are understood, and what was assumed. Raises TraceError that names a node."""
    reader = _Reader(allow_unknown)
    for node in nodes:
        reader.read(node)
    if not reader.out.operators:
        raise TraceError(
            "has no operation of PyTorch (aten::…) with shapes: only nodes that took a time, or communicate"
        )
    notes = list(_CONVENTIONS)
    if reader.unknown:
        notes.append(f"Kept as opaque data movement, not understood: {', '.join(sorted(reader.unknown))}.")
    out = reader.out
    return assemble(name, out.operators, out.tensors, "from a Chakra execution trace", notes), notes


@define
class _Reader:
    """The operators so far; `values` by tensor id and `storages` by data id are the tensors that hold what a Ref names; `roots` are what
    views are of; `done` are the nodes that are understood, or part of one that is."""

    allow_unknown: bool
    out: Recorder = field(factory=Recorder)
    unknown: set[str] = field(factory=set)
    values: dict[int, tuple[str, ...]] = field(factory=dict)
    storages: dict[int, tuple[str, ...]] = field(factory=dict)
    roots: dict[int, Ref] = field(factory=dict)
    done: set[int] = field(factory=set)

    def read(self, node: Any) -> None:
        place = f"node {node.id} ({node.name})"
        if node.type == METADATA_NODE:
            return
        if self.done.intersection(node.ctrl_deps):
            self.done.add(node.id)  # and so are those that it calls
            return
        if node.type != COMP_NODE:
            problem = f"a {node_type(node.type)} has no place on one accelerator: lsim replays computation"
            raise TraceError(problem, place=place)
        inputs, outputs = refs_of(node.inputs, place), [refs for refs in refs_of(node.outputs, place) if refs]
        library, _, operation = node.name.partition("::")
        if not outputs or not any(inputs):
            return  # a scope, a copy of sizes, a kernel without shapes: its operation has a node of its own
        try:
            self._operation(node, library, operation, inputs, outputs[0])
        except (IndexError, ValueError) as error:
            raise TraceError(f"has not the arguments of its operation: {error}", place=place) from None

    def _operation(
        self, node: Any, library: str, name: str, inputs: list[list[Ref]], outputs: list[Ref]
    ) -> None:
        rule = _RULES.get(name) if library == "aten" else None
        if rule is None and not self.allow_unknown:
            problem = "this operation is not understood; --allow-unknown keeps it as opaque data movement"
            raise TraceError(problem, place=f"node {node.id} ({node.name})")
        self.unknown.update([node.name] if rule is None else [])
        self.done.add(node.id)
        if rule is _Reader.softmax:
            _check_dimension(node, inputs[0][0])
        made = (
            rule(self, node.name, inputs, outputs)
            if rule
            else self.opaque(node.name, inputs, outputs, UNKNOWN)
        )
        for ref in outputs if made else ():
            self.values[ref.tensor] = made
            if rule is not _Reader.view:
                self.storages[ref.storage] = made

    # -- operands ------------------------------------------------------------------------------------------------------
    def operand(self, refs: Sequence[Ref], role: Role = Role.INPUT) -> tuple[str, ...]:
        """The tensors that hold what an argument names."""
        return tuple(name for ref in refs for name in self._held(ref, role))

    def _held(self, ref: Ref, role: Role) -> tuple[str, ...]:
        held = self._known(ref)
        if held is None:
            root = self.roots.get(ref.tensor, ref)
            held = (self.out.tensor(f"{role.value}.{root.tensor}", root.shape, role),)
            self.values[root.tensor] = self.storages[root.storage] = held
        if self.out.elements(held) > ref.elements:
            held = self._part(held, ref)
        elif self.out.elements(held) < ref.elements:
            held = (self.out.opaque(f"view.{ref.tensor}", held, f"view.{ref.tensor}.out", ref.shape, "view"),)
        self.values[ref.tensor] = held
        return held

    def _part(self, held: tuple[str, ...], ref: Ref) -> tuple[str, ...]:
        """A part of a tensor: a gather, which reads no more than it takes."""
        columns = gcd(self.out.elements(held), *ref.shape[-1:])
        sizes = (1, ref.elements // columns, 0, columns)
        name = f"view.{ref.tensor}"
        return self.out.add(name, Kind.EMBEDDING, [held], sizes, {f"{name}.out": ref.shape}, label="select")

    def _known(self, ref: Ref) -> tuple[str, ...] | None:
        root = self.roots.get(ref.tensor, ref)
        return self.values.get(ref.tensor) or self.values.get(root.tensor) or self.storages.get(ref.storage)

    def is_new(self, refs: Sequence[Ref]) -> bool:
        """Whether nothing is known of what an argument names, or it is a parameter."""
        held = [self._known(ref) for ref in refs]
        return all(
            names is None or all(self.out.tensors[n].role is Role.WEIGHT for n in names) for names in held
        )

    # -- rules ---------------------------------------------------------------------------------------------------------
    def view(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        """What is viewed; nothing yet if it is not known: the operation that reads the view says what it is."""
        source = inputs[0][0]
        held = self._known(source)
        if held is None or self.out.elements(held) != outputs[0].elements:
            for view in outputs:
                self.roots[view.tensor] = self.roots.get(source.tensor, source)
            return ()
        return held

    def opaque(
        self, name: str, inputs: list[list[Ref]], outputs: list[Ref], before: str = ""
    ) -> tuple[str, ...]:
        held = tuple(n for refs in inputs for n in self.operand(refs))
        return (self.out.opaque(name, held, f"{name}.out", outputs[0].shape, f"{before}{name}"),)

    def linear(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        x, weight, *bias = (refs for refs in inputs if refs)
        return self._linear(name, x, weight, bias[:1], outputs[0], inner=x[0].shape[-1])

    def addmm(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        bias, a, b = (refs for refs in inputs[:3] if refs)
        return self._linear(name, a, b, [bias], outputs[0], inner=a[0].shape[-1])

    def matmul(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        a, b = (refs for refs in inputs if refs)
        inner = a[0].shape[-1]
        if self.is_new(b) and len(b[0].shape) == 2:
            return self._linear(name, a, b, [], outputs[0], inner)
        heads = prod(outputs[0].shape[:-2])
        sizes = (heads, outputs[0].shape[-2], inner, outputs[0].shape[-1])
        return self._gemm(name, [self.operand(a), self.operand(b)], sizes, outputs[0])

    def _linear(
        self, name: str, x: list[Ref], weight: list[Ref], bias: list[list[Ref]], out: Ref, inner: int
    ) -> tuple[str, ...]:
        features = out.shape[-1]
        role = Role.WEIGHT if self.is_new(weight) else Role.INPUT
        operands = [self.operand(weight, role), self.operand(x)]
        operands += [
            self.operand(refs, Role.WEIGHT) for refs in bias if sum(ref.elements for ref in refs) == features
        ]
        return self._gemm(name, operands, (1, features, inner, out.elements // features), out)

    def _gemm(
        self, name: str, operands: list[tuple[str, ...]], sizes: tuple[int, int, int, int], out: Ref
    ) -> tuple[str, ...]:
        return self.out.add(name, Kind.GEMM, operands, sizes, {f"{name}.out": out.shape}, label=name)

    def attention(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        """Queries that share a key-value head are stacked along the rows."""
        q, k, v = (refs for refs in inputs[:3])
        *batch, rows, size = q[0].shape
        *shared, keys, _ = k[0].shape
        heads = prod(shared)
        queries = rows * prod(batch) // heads
        scores = self.out.add(
            f"{name}.qk", Kind.GEMM, [self.operand(q), self.operand(k)], (heads, queries, size, keys), {f"{name}.qk.out": (heads, queries, keys)}
        )  # fmt: skip
        weights = self.out.add(
            f"{name}.softmax", Kind.SOFTMAX, [scores], (heads, queries, 0, keys), {f"{name}.softmax.out": (heads, queries, keys)}
        )  # fmt: skip
        sizes = (heads, queries, keys, v[0].shape[-1])
        return self._gemm(f"{name}.sv", [weights, self.operand(v)], sizes, outputs[0])

    def softmax(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        *heads, columns = inputs[0][0].shape
        rows = heads.pop() if heads else 1
        sizes = (prod(heads), rows, 0, columns)
        return self.out.add(
            name, Kind.SOFTMAX, [self.operand(inputs[0])], sizes, {f"{name}.out": outputs[0].shape}
        )

    def norm(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        x, *parameters = (refs for refs in inputs if refs)
        columns = x[0].shape[-1]
        gains = [
            self.operand(p, Role.WEIGHT) for p in parameters if sum(ref.elements for ref in p) == columns
        ]
        sizes = (1, x[0].elements // columns, 0, columns)
        return self.out.add(
            name, Kind.NORM, [self.operand(x), *gains[:2]], sizes, {f"{name}.out": x[0].shape}
        )

    def combine(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        operands = [self.operand(refs) for refs in inputs if refs]
        operation = name.rpartition("::")[2]
        kind = SUMS.get(operation, Kind.ACTIVATION)
        return (self.out.combine(name, kind, operands, f"{name}.out", outputs[0].shape, operation),)

    def embedding(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        table, ids = (refs for refs in inputs[:2])
        columns = outputs[0].shape[-1]
        operands = [self.operand(ids), self.operand(table, Role.WEIGHT)]
        sizes = (1, outputs[0].elements // columns, 0, columns)
        return self.out.add(name, Kind.EMBEDDING, operands, sizes, {f"{name}.out": outputs[0].shape})

    def concatenation(self, name: str, inputs: list[list[Ref]], outputs: list[Ref]) -> tuple[str, ...]:
        return self.operand([ref for refs in inputs for ref in refs])


def _check_dimension(node: Any, x: Ref) -> None:
    """Refuses a softmax over other elements than those of a row."""
    dimension = whole_number(node.inputs, 1)
    if dimension is not None and dimension not in (-1, len(x.shape) - 1):
        problem = (
            f"a softmax over dimension {dimension} of {len(x.shape)}: over rows, the last, is understood"
        )
        raise TraceError(problem, place=f"node {node.id} ({node.name})")


_Rule = Callable[[_Reader, str, list[list[Ref]], list[Ref]], tuple[str, ...]]

_RULES: dict[str, _Rule] = {
    "linear": _Reader.linear,
    "addmm": _Reader.addmm,
    **dict.fromkeys(("mm", "bmm", "matmul"), _Reader.matmul),
    **dict.fromkeys(SOFTMAXES, _Reader.softmax),
    **dict.fromkeys(NORMS, _Reader.norm),
    **dict.fromkeys((*SUMS, *ACTIVATIONS), _Reader.combine),
    **dict.fromkeys(VIEWS, _Reader.view),
    "embedding": _Reader.embedding,
    "cat": _Reader.concatenation,
    "scaled_dot_product_attention": _Reader.attention,
}
