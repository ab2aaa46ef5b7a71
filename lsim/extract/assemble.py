"""From operators and tensors of any source to a checked trace, and the names that a trace allows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import prod

from attrs import define, field

from lsim.errors import TraceError
from lsim.trace.check import build
from lsim.trace.document import Document, Statement
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:/+-]+")


class Names:
    """Names of a trace for names of elsewhere: other characters become `_`, what is taken gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self.changed = 0  # names that could not stay as they were

    def make(self, wanted: str) -> str:
        """A name that was not made before, as near to the wanted one as can be."""
        plain = _FORBIDDEN.sub("_", wanted) or "_"
        name, count = plain, 1
        while name in self._taken:
            count += 1
            name = f"{plain}.{count}"
        self._taken.add(name)
        self.changed += name != wanted
        return name


@define
class Recorder:
    """Operators and tensors of a graph as it is walked: each with a name of its own, as near as can be to its source's."""

    operators: list[Operator] = field(factory=list)
    tensors: dict[str, Tensor] = field(factory=dict)
    at: dict[str, int] = field(factory=dict)  # a tensor → the place of the operator that writes it
    _operator_names: Names = field(factory=Names, init=False)
    _tensor_names: Names = field(factory=Names, init=False)

    def tensor(self, name: str, shape: Sequence[int], role: Role = Role.ACTIVATION) -> str:
        """The name of a new tensor; a scalar has one element."""
        made = self._tensor_names.make(name)
        self.tensors[made] = Tensor(made, tuple(shape) or (1,), role)
        return made

    def add(
        self,
        name: str,
        kind: Kind,
        operands: Iterable[tuple[str, ...]],
        sizes: tuple[int, int, int, int],
        outputs: Mapping[str, Sequence[int]],
        *,
        label: str = "",
        causal: bool = False,
        window: int = 0,
    ) -> tuple[str, ...]:
        """A new operator of these heads, rows, depth and columns; the names of what it writes, wished by `outputs`."""
        written = tuple(self.tensor(wish, shape) for wish, shape in outputs.items())
        made = self._operator_names.make(name)
        self.at.update(dict.fromkeys(written, len(self.operators)))
        self.operators.append(Operator(made, kind, tuple(operands), written, *sizes, causal, label, window))
        return written

    def writer(self, tensor: str) -> Operator | None:
        """The operator that writes a tensor."""
        return self.operators[self.at[tensor]] if tensor in self.at else None

    def opaque(
        self, name: str, operand: tuple[str, ...], output: str, shape: Sequence[int], label: str
    ) -> str:
        """Data movement: reads the operand, writes the output."""
        sizes = (1, 1, 0, prod(shape))
        return self.add(name, Kind.OPAQUE, [operand], sizes, {output: shape}, label=label)[0]

    def elements(self, operand: Iterable[str]) -> int:
        """Elements of a concatenation."""
        return sum(self.tensors[name].elements for name in operand)

    def combine(
        self,
        name: str,
        kind: Kind,
        operands: Sequence[tuple[str, ...]],
        output: str,
        shape: Sequence[int],
        label: str,
        sizes: tuple[int, int, int, int] | None = None,
    ) -> str:
        """An element-wise operator in which smaller operands repeat. Where none is as large as the result, or one repeats in
        no way, a copy of full size is made first. With one operand it is an activation function."""
        size = prod(shape)
        full = [operand for operand in operands if self.elements(operand) == size]
        small = [operand for operand in operands if self.elements(operand) != size]
        held = [operand for operand in small if full and size % self.elements(operand) == 0]
        for operand in small:
            if operand not in held:
                copy = f"{name}.broadcast"
                full.append((self.opaque(copy, operand, f"{copy}.out", shape, "broadcast"),))
        kind = kind if len(full) + len(held) > 1 else Kind.ACTIVATION
        sizes = sizes or (1, *self.plane(shape))
        return self.add(name, kind, [*full, *held], sizes, {output: shape}, label=label)[0]

    def plane(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Rows, no depth and columns of an element-wise operator: features and tokens of an array whose last axis is features."""
        columns = prod(shape[:-1])
        return prod(shape[-1:]), 0, columns

    def is_weight(self, operand: Iterable[str]) -> bool:
        """Whether all of an operand is parameters."""
        return all(self.tensors[name].role is Role.WEIGHT for name in operand)


def assemble(
    name: str,
    operators: Sequence[Operator],
    tensors: Mapping[str, Tensor],
    description: str = "",
    conventions: Iterable[str] = (),
    sources: Iterable[str] = (),
) -> Trace:
    """The checked trace of these operators; a stored tensor that no operator reads is left out.

    Raises TraceError as `lsim.trace.check.build` does.
    """
    if not operators:
        raise TraceError("has no operator to replay")
    written = {tensor for operator in operators for tensor in operator.outputs}
    statements: list[Statement] = []
    declared: set[str] = set()
    for operator in operators:
        stored = dict.fromkeys(t for t in operator.reads if t in tensors and t not in written | declared)
        statements += [Statement((tensors[tensor],)) for tensor in stored]
        declared.update(stored)
        statements.append(Statement(tuple(tensors[tensor] for tensor in operator.outputs), operator))
    return build(Document(name, description, tuple(sources), tuple(conventions), tuple(statements)))
