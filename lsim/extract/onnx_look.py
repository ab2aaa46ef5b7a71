"""Looking around in an ONNX graph: who made a value, who reads it, what is a number."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from attrs import define, evolve, field

from lsim.extract.onnx_graph import Graph, Node


@define
class Look:
    """A graph, and who makes and who reads each value; `masks` are softmaxes of a mask that is not causal, or not in the file."""

    graph: Graph
    made_by: dict[str, Node] = field(factory=dict)
    read_by: dict[str, list[Node]] = field(factory=dict)
    masks: list[str] = field(factory=list)

    def index(self) -> None:
        """Looks again, after the graph changed."""
        self.made_by = {name: node for node in self.graph.nodes for name in node.outputs if name}
        self.read_by = {}
        for node in self.graph.nodes:
            for name in filter(None, dict.fromkeys(node.inputs)):
                self.read_by.setdefault(name, []).append(node)

    def maker(self, name: str, *ops: str) -> Node | None:
        node = self.made_by.get(name)
        return node if node is not None and node.op in ops else None

    def reader(self, name: str, *ops: str) -> Node | None:
        """The only reader of a value, if it is one of these operators and the value no result of the model."""
        readers = self.read_by.get(name, [])
        alone = len(readers) == 1 and readers[0].op in ops and name not in self.graph.outputs
        return readers[0] if alone else None

    def is_number(self, name: str) -> bool:
        """Whether a value is one number that is known before the run."""
        return self.graph.is_stored(name) and prod(self.graph.shapes[name]) == 1

    def pairs(self, node: Node) -> Iterator[tuple[str, str]]:
        """The two inputs of a node, in both orders."""
        if len(node.inputs) == 2:
            yield node.inputs[0], node.inputs[1]
            yield node.inputs[1], node.inputs[0]

    def scaled(self, name: str) -> str:
        """What a value is a constant number of times of, or itself."""
        node = self.maker(name, "Mul", "Div")
        for one, other in self.pairs(node) if node else ():
            if self.is_number(other):
                return one
        return name

    def replace(self, last: Node, op: str, *inputs: str, **attributes: object) -> Node:
        return evolve(last, op=op, inputs=inputs, attributes=attributes)
