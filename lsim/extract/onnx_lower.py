"""From values of an ONNX graph to tensors of a trace: names of data, whose layout a trace does not tell.

Reshapes and transpositions are names of the same data; a concatenation is the tensors that it joins; an expansion is what it
repeats. A part that together with others makes up all that an operator wrote is an output of that operator; any other part is
gathered, which reads only it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from attrs import define, evolve, field

from lsim.extract.assemble import Recorder
from lsim.extract.onnx_given import prepared
from lsim.extract.onnx_graph import FLOATS, LAYOUTS, Graph, Node, Shape
from lsim.trace.ir import Kind, Operator, Role

Operand = tuple[str, ...]

POOL = "pool"  # label of a product with a vector of equal numbers, which is a mean
MOVED = ("slice", "split", "gather", "top-k")  # labels of what gathers some elements of another tensor
_BY_ROWS = (Kind.NORM, Kind.EMBEDDING, Kind.SOFTMAX)  # kinds whose rows are tokens


@define
class Lowering:
    """A trace being made of a graph: `held` are the tensors of each value, which are fewer elements where it repeats them."""

    graph: Graph
    out: Recorder = field(factory=Recorder)
    held: dict[str, Operand] = field(factory=dict)
    readers: dict[str, list[Node]] = field(init=False)
    makers: dict[str, Node] = field(init=False)
    given: dict[str, str] = field(
        init=False
    )  # what is prepared outside the machine → the same, prepared before
    linear: dict[str, int] = field(
        factory=dict
    )  # what a linear layer without bias wrote → its place among the operators

    def __attrs_post_init__(self) -> None:
        self.makers = {name: node for node in self.graph.nodes for name in node.outputs if name}
        self.given = prepared(self.graph)
        self.readers = {}
        for node in self.graph.nodes:
            for name in filter(None, node.inputs):
                self.readers.setdefault(name, []).append(node)

    # -- values --------------------------------------------------------------------------------------------------------
    def shape(self, name: str) -> Shape:
        return self.graph.shapes[name]

    def size(self, name: str) -> int:
        return prod(self.graph.shapes[name])

    def operand(self, name: str) -> Operand:
        """The tensors that hold a value, each element once."""
        name = self.given.get(name, name)
        if name not in self.held:
            role = Role.WEIGHT if self.graph.is_stored(name) else Role.INPUT
            self.held[name] = (self.out.tensor(name, self.shape(name), role),)
        return self.held[name]

    def full(self, name: str) -> Operand:
        """The tensors of a value with all its elements: a repeated one is copied out."""
        held = self.operand(name)
        if self.out.elements(held) != self.size(name):
            copy = f"{name}.broadcast"
            held = (self.out.opaque(copy, held, f"{copy}.out", self.shape(name), "broadcast"),)
            self.held[name] = held
        return held

    def each(self, name: str) -> Operand:
        """The same; a repeated parameter is named as often as it is there."""
        held = self.operand(name)
        return (
            held * (self.size(name) // self.out.elements(held)) if self.is_weight(name) else self.full(name)
        )

    def is_weight(self, name: str) -> bool:
        return self.out.is_weight(self.operand(name))

    def made(self, operand: Operand) -> Operator | None:
        """The operator that wrote just these tensors."""
        maker = self.out.writer(operand[0]) if operand else None
        return maker if maker is not None and maker.outputs == operand else None

    def is_number(self, name: str) -> bool:
        """Whether a value is one number that is known before the run."""
        return self.graph.is_stored(name) and self.size(name) == 1

    def is_constant(self, name: str) -> bool:
        """Whether a value is known before the run and was not learned."""
        return self.is_number(name) or self.graph.is_plain(name)

    def is_float(self, name: str) -> bool:
        return self.graph.types.get(name, 1) in FLOATS

    # -- operators -----------------------------------------------------------------------------------------------------
    def put(self, name: str, held: Operand) -> None:
        self.held[name] = held

    def plane(self, operand: Operand, shape: Shape) -> tuple[int, int, int, int]:
        """Sizes of an element-wise operator: those of what it reads if one operator wrote that; else features and tokens of an
        array whose last axis is features."""
        maker, elements = self.made(operand), prod(shape)
        if maker is not None and self.is_scores(maker):
            if elements == maker.elements and shape[-1:] in ((1,), (maker.columns,)):
                return maker.heads, maker.rows, 0, maker.columns
        elif maker := self._only_writer(operand):
            tokens = maker.rows if maker.kind in _BY_ROWS else maker.columns
            features, rest = divmod(elements, tokens)
            cut = len(maker.outputs) > 1 and features % prod(shape[-1:])  # along tokens, not features
            if maker.heads == 1 and not rest and not cut:
                return 1, features, 0, tokens
        return 1, *self.out.plane(shape)

    def _only_writer(self, operand: Operand) -> Operator | None:
        """The operator that wrote an operand, or some features of it."""
        maker = self.out.writer(operand[0]) if len(operand) == 1 else None
        if maker is None or maker.kind is Kind.OPAQUE or (maker.kind in _BY_ROWS and len(maker.outputs) > 1):
            return None
        return None if maker.label in MOVED else maker

    def is_scores(self, operator: Operator) -> bool:
        """Whether an operator is a product of activations, or adds a bias to one."""
        if operator.is_gemm:
            return operator.label != POOL and not self.out.is_weight(operator.operands[0])
        below = self.made(operator.operands[0]) if operator.kind is Kind.RESIDUAL else None
        sizes = (operator.heads, operator.rows, operator.columns)
        return (
            below is not None and (below.heads, below.rows, below.columns) == sizes and self.is_scores(below)
        )

    def combine(
        self, name: str, kind: Kind, operands: Sequence[Operand], out: str, shape: Shape, label: str
    ) -> Operand:
        """An element-wise operator of several operands, of which smaller ones repeat."""
        full = next((operand for operand in operands if self.out.elements(operand) == prod(shape)), ())
        return (self.out.combine(name, kind, operands, out, shape, label, self.plane(full, shape)),)

    def vector(
        self,
        node: Node,
        kind: Kind,
        operands: Iterable[Operand],
        sizes: tuple[int, int, int, int],
        label: str = "",
    ) -> None:
        """An operator that writes the first output of a node."""
        out = node.outputs[0]
        self.held[out] = self.out.add(node.name, kind, operands, sizes, {out: self.shape(out)}, label=label)

    def opaque(self, node: Node, label: str = "") -> None:
        """A node as data movement: all that it reads, all that it writes."""
        read = tuple(
            tensor
            for name in node.inputs
            if name and not self._is_small(name)
            for tensor in self.operand(name)
        )
        if not read:  # nothing of size: it is there from the start, as far as the machine can tell
            return
        outputs = [
            name for name in node.outputs if name and (name in self.readers or name in self.graph.outputs)
        ]
        shapes = {name: self.shape(name) for name in outputs}
        sizes = (1, 1, 0, sum(map(prod, shapes.values())))
        made = self.out.add(node.name, Kind.OPAQUE, [read], sizes, shapes, label=label or node.op)
        self.held.update({name: (tensor,) for name, tensor in zip(outputs, made, strict=True)})

    def _is_small(self, name: str) -> bool:
        """A size, an axis, a number: no data."""
        return self.graph.is_stored(name) and (not self.is_float(name) or self.size(name) <= 1)

    def gemm(
        self, node: Node, name: str, operands: Sequence[Operand], sizes: tuple[int, int, int, int], out: str
    ) -> Operand:
        shape = self.graph.shapes.get(out, (sizes[0], sizes[1], sizes[3]))
        label = node.op.rpartition(".")[2]
        held = self.out.add(name, Kind.GEMM, operands, sizes, {out: shape}, label=label)
        if len(operands) == 2 and self.out.is_weight(operands[0]):
            self.linear[held[0]] = len(self.out.operators) - 1
        return held

    def add_bias(self, node: Node, product: str, bias: str) -> bool:
        """Makes a sum the bias of the linear layer just before, if it is one."""
        made = self.held.get(product, ())
        at = self.linear.get(made[0]) if len(made) == 1 else None
        if at is None or self.readers.get(product, []) != [node] or product in self.graph.outputs:
            return False
        operator = self.out.operators[at]
        if (
            not self.is_weight(bias)
            or self.size(bias) != operator.heads * operator.rows
            or self.is_used(made[0])
        ):
            return False
        self.bias_of(made[0], self.operand(bias))
        self.held[node.outputs[0]] = made
        return True

    def bias_of(self, product: str, bias: Operand) -> None:
        """Gives the linear layer that wrote a tensor its bias."""
        at = self.linear.pop(product)
        operator = self.out.operators[at]
        self.out.operators[at] = evolve(operator, operands=(*operator.operands, bias))

    def is_used(self, tensor: str) -> bool:
        return any(tensor in operator.reads for operator in self.out.operators)

    # -- parts ---------------------------------------------------------------------------------------------------------
    def part(self, node: Node, name: str, source: str) -> None:
        """A value that is some of the elements of another: an output of the operator that wrote all of that, or gathered."""
        held = self.operand(source)
        if self.size(name) == self.out.elements(held):
            self.held[name] = held
            return
        columns = self.shape(name)[-1] if self.shape(name) else 1
        columns = columns if self.out.elements(held) % columns == 0 else 1
        sizes = (1, self.size(name) // columns, 0, columns)
        label = node.op.lower()
        self.held[name] = self.out.add(
            f"{node.name}", Kind.EMBEDDING, [held], sizes, {name: self.shape(name)}, label=label
        )

    def divide(self, source: str, parts: Sequence[str]) -> bool:
        """Makes the operator that wrote a value write these parts of it instead, which are all of it; false if others read it."""
        made = self.operand(source)
        at = (
            next((at for at, o in enumerate(self.out.operators) if o.outputs[:1] == made[:1]), None)
            if len(made) == 1
            else None
        )
        if at is None or not self._is_read_through(source) or self.is_used(made[0]):
            return False
        operator = self.out.operators[at]
        if operator.outputs != made or self.out.elements(made) != self.size(source):
            return False
        names = tuple(self.out.tensor(part, self.shape(part)) for part in parts)
        self.out.operators[at] = evolve(operator, outputs=names)
        self.out.at.update(dict.fromkeys(names, at))
        del self.out.tensors[made[0]]
        self.held.update({part: (tensor,) for part, tensor in zip(parts, names, strict=True)})
        return True

    def _is_read_through(self, name: str) -> bool:
        """Whether what an operator wrote is read as this value only, by way of layouts and biases."""
        while (maker := self.makers[name]).op in LAYOUTS | {"Identity"} or self.held.get(
            name
        ) == self.held.get(maker.inputs[0]):
            name = maker.inputs[0]
            if len(self.readers[name]) > 1 or name in self.graph.outputs or name not in self.makers:
                return False
        return True
