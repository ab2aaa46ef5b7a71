"""Functions that exporters write as several nodes, found and put in one node each: norms, GELU, SiLU, rotary embedding, masked softmax.

A new node has an operator of `lsim.…`, the name and the output of the last node that it stands for, and as inputs what it reads:

    lsim.LayerNorm, lsim.RMSNorm    x[, gain][, bias]
    lsim.Gelu, lsim.Silu            x
    lsim.Rotary                     x
    lsim.Softmax                    scores, before scale and mask; attribute `causal`: what the mask allows
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from lsim.extract.onnx_graph import FLOATS, Graph, Node, Shape

if TYPE_CHECKING:
    from numpy import ndarray

MASKED = -1e3  # what is added to a score that shall not count: -10000, -3.4e38, -inf
_ARITHMETIC = frozenset({"Mul", "Div", "Add", "Pow"})
_INTEGERS = frozenset(
    {2, 3, 4, 5, 6, 7, 9, 12, 13}
)  # element types of onnx.proto that are whole numbers, or bool


@define
class Patterns:
    """A graph whose nodes are being put together."""

    graph: Graph
    made_by: dict[str, Node] = field(factory=dict)
    read_by: dict[str, list[Node]] = field(factory=dict)
    masks: list[str] = field(factory=list)  # softmaxes whose mask is not in the file

    def run(self) -> None:
        """Puts together what can be; what nobody reads any more is left to the caller."""
        self._index()
        for node in list(self.graph.nodes):
            made = self._match(node) if node in self.graph.nodes else None
            if made is not None:
                last = self.made_by[made.outputs[0]]
                self.graph.nodes[self.graph.nodes.index(last)] = made
                self._index()

    def _index(self) -> None:
        self.made_by = {name: node for node in self.graph.nodes for name in node.outputs if name}
        self.read_by = {}
        for node in self.graph.nodes:
            for name in filter(None, dict.fromkeys(node.inputs)):
                self.read_by.setdefault(name, []).append(node)

    def _match(self, node: Node) -> Node | None:
        """A node for this one and others around it; it takes the place of the one whose output it has."""
        match node.op:
            case "Div" | "Mul":
                return self._norm(node) or self._gelu(node) or self._silu(node)
            case "Add":
                return self._rotary(node)
            case "Softmax":
                return self._softmax(node)
            case "Where":
                return self._finite(node)
        return None

    # -- looking around ------------------------------------------------------------------------------------------------
    def _maker(self, name: str, *ops: str) -> Node | None:
        node = self.made_by.get(name)
        return node if node is not None and node.op in ops else None

    def _reader(self, name: str, *ops: str) -> Node | None:
        """The only reader of a value, if it is one of these operators and the value no result of the model."""
        readers = self.read_by.get(name, [])
        alone = len(readers) == 1 and readers[0].op in ops and name not in self.graph.outputs
        return readers[0] if alone else None

    def _is_number(self, name: str) -> bool:
        """Whether a value is one number that is known before the run."""
        return self.graph.is_stored(name) and prod(self.graph.shapes[name]) == 1

    def _with(self, node: Node) -> Iterator[tuple[str, str]]:
        """The two inputs of a node, in both orders."""
        if len(node.inputs) == 2:
            yield node.inputs[0], node.inputs[1]
            yield node.inputs[1], node.inputs[0]

    def _scaled(self, name: str) -> str:
        """What a value is a constant number of times of, or itself."""
        node = self._maker(name, "Mul", "Div")
        for one, other in self._with(node) if node else ():
            if self._is_number(other):
                return one
        return name

    def _replace(self, last: Node, op: str, *inputs: str, **attributes: object) -> Node:
        return evolve(last, op=op, inputs=inputs, attributes=attributes)

    # -- norms: x - mean(x) over the root of its mean square ----------------------------------------------------------------
    def _norm(self, node: Node) -> Node | None:
        for above, below in self._with(node):
            squares = self._root_of_mean_square(node, below)
            if squares is None or (squares != above and self._source(squares) != self._source(above)):
                continue
            x = self._source(above)
            op = "lsim.RMSNorm" if x is None else "lsim.LayerNorm"
            return self._affine(node, op, x or above)
        return None

    def _source(self, name: str) -> str | None:
        """The x of x - mean(x)."""
        minus = self._maker(name, "Sub")
        mean = self._maker(minus.inputs[1], "ReduceMean") if minus else None
        return mean.inputs[0] if minus and mean and mean.inputs[0] == minus.inputs[0] else None

    def _root_of_mean_square(self, node: Node, below: str) -> str | None:
        """The y of sqrt(mean(y²) + ε), if the node divides by that."""
        root = self._maker(below, "Sqrt") if node.op == "Div" else None
        if node.op == "Mul" and (inverse := self._maker(below, "Reciprocal", "Div")):
            root = self._maker(inverse.inputs[-1], "Sqrt")
        plus = self._maker(root.inputs[0], "Add") if root else None
        for one, other in self._with(plus) if plus else ():
            mean = self._maker(one, "ReduceMean")
            square = self._maker(mean.inputs[0], "Pow", "Mul") if mean and self._is_number(other) else None
            if square and (square.inputs[0] == square.inputs[1] or self._is_number(square.inputs[1])):
                return square.inputs[0]
        return None

    def _affine(self, node: Node, op: str, x: str) -> Node:
        """With the gain and the bias that come after, if they do."""
        parameters, last = [], node
        for follows in ("Mul", "Add"):
            after = self._reader(last.outputs[0], follows)
            rows = (
                [b for a, b in self._with(after) if a == last.outputs[0] and self._is_row(b, x)]
                if after
                else []
            )
            if after and rows:
                parameters.append(rows[0])
                last = after
        return self._replace(last, op, x, *parameters)

    def _is_row(self, name: str, x: str) -> bool:
        shape = self.graph.shapes[name]
        return self.graph.is_stored(name) and prod(shape) == self.graph.shapes[x][-1] == (shape or (1,))[-1]

    # -- activations ---------------------------------------------------------------------------------------------------
    def _gelu(self, node: Node) -> Node | None:
        """x · (1 + f) / 2 in any order, where f = erf(x/√2), or a tanh of a polynomial of x."""
        for one, other in self._with(node):
            plus, x = self._maker(self._scaled(one), "Add"), self._scaled(other)
            bell = self._bell(plus) if plus else None
            if bell is None or self._leaves(bell.inputs[0], x) != {x}:
                continue
            halved = x != other or plus is not self._maker(one, "Add")
            half = None if halved else self._reader(node.outputs[0], "Mul", "Div")
            last = half if half and any(self._is_number(name) for name in half.inputs) else node
            return self._replace(last, "lsim.Gelu", x)
        return None

    def _bell(self, plus: Node) -> Node | None:
        """The f of 1 + f."""
        return next((self._maker(a, "Erf", "Tanh") for a, b in self._with(plus) if self._is_number(b)), None)

    def _leaves(self, name: str, x: str, depth: int = 8) -> set[str]:
        """What a value is computed from by arithmetic with constants, back to x."""
        node = self._maker(name, *_ARITHMETIC) if depth and name != x else None
        if node is None:
            return {name}
        inputs = [one for one in node.inputs if not self._is_number(one)]
        return {leaf for one in inputs for leaf in self._leaves(one, x, depth - 1)}

    def _silu(self, node: Node) -> Node | None:
        """x · sigmoid(x)."""
        for x, other in self._with(node):
            gate = self._maker(other, "Sigmoid")
            if gate and gate.inputs[0] == x and node.op == "Mul":
                return self._replace(node, "lsim.Silu", x)
        return None

    # -- rotary embedding ----------------------------------------------------------------------------------------------
    def _rotary(self, node: Node) -> Node | None:
        """x · cos + (-x₂, x₁) · sin."""
        for one, other in self._with(node):
            straight, turned = self._maker(one, "Mul"), self._maker(other, "Mul")
            if straight is None or turned is None:
                continue
            for half in turned.inputs:
                x = self._turned(half)
                if x is not None and x in straight.inputs:
                    return self._replace(node, "lsim.Rotary", x)
        return None

    def _turned(self, name: str) -> str | None:
        """The x of (-x₂, x₁)."""
        both = self._maker(name, "Concat")
        if both is None or len(both.inputs) != 2:
            return None
        minus = self._maker(both.inputs[0], "Neg")
        parts = [
            self._maker(part, "Slice", "Split") for part in (minus.inputs[0] if minus else "", both.inputs[1])
        ]
        sources = {part.inputs[0] if part else "" for part in parts}
        return sources.pop() if minus and len(sources) == 1 and "" not in sources else None

    # -- attention -----------------------------------------------------------------------------------------------------
    def _softmax(self, node: Node) -> Node | None:
        """With scale and mask taken in, back to the product that made the scores."""
        scores, causal = node.inputs[0], False
        while (step := self._maker(scores, "Mul", "Div", "Add", "Where")) is not None:
            if len(self.read_by[scores]) > 1 or scores in self.graph.outputs:
                break
            before, masked = self._unmasked(step, node.name)
            if before is None:
                break
            scores, causal = before, causal or masked
        if scores == node.inputs[0] or self._maker(scores, "MatMul", "com.microsoft.FusedMatMul") is None:
            return None
        if self.graph.shapes[scores] != self.graph.shapes[node.outputs[0]]:
            return None
        return self._replace(node, "lsim.Softmax", scores, causal=causal, **node.attributes)

    def _finite(self, node: Node) -> Node | None:
        """What replaces the result of a row without any key that counts."""
        check = self._maker(node.inputs[0], "IsNaN")
        same = check is not None and check.inputs[0] == node.inputs[2] and self._is_number(node.inputs[1])
        return self._replace(node, "Identity", node.inputs[2]) if same else None

    def _unmasked(self, step: Node, softmax: str) -> tuple[str | None, bool]:
        """The scores before a scale or a mask, and whether that is a causal one; None if the step is something else."""
        if step.op in ("Mul", "Div"):
            return next(
                ((one, False) for one, other in self._with(step) if self._is_number(other)), (None, False)
            )
        if step.op == "Where":
            allowed, one, other = step.inputs
            scores, keep = (one, True) if self._is_number(other) else (other, False)
            return self._by_mask(scores, allowed, softmax, keep)
        pairs = [
            (one, other)
            for one, other in self._with(step)
            if self.graph.shapes[one] == self.graph.shapes[step.outputs[0]]
        ]
        for one, other in pairs:
            before, causal = self._by_mask(one, other, softmax, None)
            if before is not None:
                return before, causal
        return None, False

    def _by_mask(self, scores: str, mask: str, softmax: str, keep: bool | None) -> tuple[str | None, bool]:
        """`keep`: the truth value of what counts; None for a mask that is added."""
        value = self.graph.value(mask)
        if value is None:
            if self.graph.is_stored(mask) or not self._from_integers(mask):
                return None, False  # a bias: it is a parameter, or computed from one
            self.masks.append(softmax)
            return scores, False
        if keep is None and not _is_mask(value):
            return None, False
        masked = value <= MASKED if keep is None else value.astype(bool) != keep
        return scores, _is_causal(masked, self.graph.shapes[scores])

    def _from_integers(self, name: str) -> bool:
        """Whether a value comes from whole numbers or truth values alone, as masks do, and from no parameter."""
        reached, todo = set[str](), [name]
        while todo:
            one = todo.pop()
            if one in reached:
                continue
            reached.add(one)
            maker = self.made_by.get(one)
            if maker is None and not self._is_mask_source(one):
                return False
            todo += [source for source in maker.inputs if source] if maker else []
        return True

    def _is_mask_source(self, name: str) -> bool:
        if (
            name in self.graph.weights
            and prod(self.graph.shapes[name]) > 1
            and self.graph.types[name] in FLOATS
        ):
            return False
        return self.graph.is_stored(name) or self.graph.types.get(name) in _INTEGERS or "mask" in name


def _is_mask(value: ndarray[Any, Any]) -> bool:
    """Whether what is added hides keys, or nothing for all heads alike; a bias of each head may be zero by chance."""
    hides = bool((value <= MASKED).any())
    return bool(((value == 0) | (value <= MASKED)).all()) and (
        hides or value.ndim < 3 or value.shape[-3] == 1
    )


def _is_causal(masked: ndarray[Any, Any], shape: Shape) -> bool:
    """Whether query t may see keys 0 to t, and no other, in all heads alike."""
    import numpy

    queries, keys = shape[-2:]
    whole = numpy.broadcast_to(
        numpy.asarray(masked), numpy.broadcast_shapes(numpy.shape(masked), (queries, keys))
    )
    after = numpy.triu(numpy.ones((queries, keys), bool), 1)
    return queries == keys and bool((whole == after).all())


def recognise(graph: Graph) -> list[str]:
    """Puts together what belongs together; the names of softmaxes whose mask is not in the file."""
    patterns = Patterns(graph)
    patterns.run()
    _prune(graph)
    return list(dict.fromkeys(patterns.masks))


def _prune(graph: Graph) -> None:
    """Drops nodes whose results nobody needs."""
    needed: set[str] = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(filter(None, node.outputs)):
            kept.append(node)
            needed.update(node.inputs)
    graph.nodes = kept[::-1]
