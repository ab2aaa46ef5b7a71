"""Chakra execution traces that lsim did not write: what PyTorch's operations in them say of the model.

Chakra's converter keeps PyTorch's operations (`aten::…`) with the shapes of their tensors. Those of `chakra_rules` are understood; an operation
called by one that is understood (its parent, in `ctrl_deps`) is part of it. Views are names of the same data. A tensor that no node
wrote is a parameter where a GEMM or a norm takes its parameters, else an input. Collectives and memory nodes belong to other machines.

Sources: github.com/mlcommons/chakra, its PyTorch converter; the operations' arguments: pytorch.org/docs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field

from lsim.errors import TraceError
from lsim.extract.assemble import assemble
from lsim.extract.chakra_refs import refs_of
from lsim.extract.chakra_rules import RULES, Call, opaque, view
from lsim.extract.chakra_schema import COMP_NODE, METADATA_NODE, node_type
from lsim.extract.chakra_values import Values
from lsim.trace.ir import UNKNOWN, Trace

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
    if not reader.values.out.operators:
        raise TraceError(
            "has no operation of PyTorch (aten::…) with shapes: only nodes that took a time, or communicate"
        )
    notes = list(_CONVENTIONS)
    if reader.unknown:
        notes.append(f"Kept as opaque data movement, not understood: {', '.join(sorted(reader.unknown))}.")
    out = reader.values.out
    return assemble(name, out.operators, out.tensors, "from a Chakra execution trace", notes), notes


@define
class _Reader:
    """`done`: the nodes that are understood, or part of one that is."""

    allow_unknown: bool
    values: Values = field(factory=Values)
    unknown: set[str] = field(factory=set)
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
        if not outputs or not any(inputs):
            return  # a scope, a copy of sizes, a kernel without shapes: its operation has a node of its own
        try:
            self._operation(Call(node, inputs, outputs[0]))
        except (IndexError, ValueError) as error:
            raise TraceError(f"has not the arguments of its operation: {error}", place=place) from None

    def _operation(self, call: Call) -> None:
        library, _, operation = call.name.partition("::")
        rule = RULES.get(operation) if library == "aten" else None
        if rule is None and not self.allow_unknown:
            problem = "this operation is not understood; --allow-unknown keeps it as opaque data movement"
            raise TraceError(problem, place=call.place)
        self.unknown.update([call.name] if rule is None else [])
        self.done.add(call.node.id)
        made = rule(self.values, call) if rule else opaque(self.values, call, UNKNOWN)
        for ref in call.outputs if made else ():
            self.values.tensors[ref.tensor] = made
            if rule is not view:
                self.values.storages[ref.storage] = made
