"""The operator graph that a recording is turned into, while it grows.

A recorded tensor is *data*: one source or several side by side, seen through views that move no element, and
possibly through functions of each element that are not yet written down (`fn`), since only the next call tells
whether they are an activation, a norm or a rotary embedding.
"""

from collections.abc import Hashable, Iterator, Sequence

from attrs import define, evolve, field, frozen

from lsim.trace.ir import Kind, Role


@define(eq=False)
class Source:
    """A tensor of the trace: stored, made by an operator, or a slice of either, or of several (`above`).

    `columns`: elements of a row, if a slice has to be gathered. `readers`: how many operators read it so far.
    `kept`: it is an entry of the KV cache when the run ends. `index`: integers that the model is given, or what a host
    makes of those and of constants: positions, masks.
    """

    name: str
    elements: int
    role: Role
    op: "Op | None" = None
    above: "tuple[Source, ...]" = ()
    columns: int = 1
    shape: tuple[int, ...] = ()
    label: str = ""
    readers: int = 0
    kept: bool = False
    index: bool = False
    slices: dict[Hashable, "Source"] = field(factory=dict)

    @property
    def parent(self) -> "Source | None":
        """The one tensor that it is a slice of."""
        return self.above[0] if len(self.above) == 1 else None

    @property
    def ancestors(self) -> "Iterator[Source]":
        """What it is a slice of, what that is a slice of, and so on."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent

    @property
    def ops(self) -> "Iterator[Op]":
        """The operators that wrote it, or what it was taken from."""
        if self.op is not None:
            yield self.op
        else:
            for above in self.above:
                yield from above.ops

    def slice(
        self, place: Hashable, elements: int, columns: int, label: str = "", shape: tuple[int, ...] = ()
    ) -> "Source":
        """A part of this tensor; the same place is the same part."""
        if place not in self.slices:
            at = f"{self.name}.{len(self.slices)}"
            made = Source(at, elements, self.role, self.op, (self,), columns, shape, label)
            self.slices[place] = made
        return self.slices[place]


@define(eq=False)
class Op:
    """An operator of the trace to be. `product`: a GEMM of two activations, as in attention, or a sum that is added to one.
    `indexed`: the first operand of a look-up has the indices. `rotates`: a sum that may be half of a rotary embedding.
    """

    kind: Kind
    operands: list[tuple[Source, ...]]
    sizes: tuple[int, int, int, int]  # heads, rows, depth, columns
    label: str
    module: str
    outputs: list[Source] = field(factory=list)
    causal: bool = False
    window: int = 0
    product: bool = False
    indexed: bool = False
    rotates: bool = False

    @property
    def elements(self) -> int:
        heads, rows, _, columns = self.sizes
        return heads * rows * columns

    @property
    def is_fresh(self) -> bool:
        """Whether nobody has read what it writes, so that it can still be amended."""
        return all(not out.readers and not out.slices for out in self.outputs)


@frozen
class Row:
    """What became of each row of `count` elements: their sum, mean, …, and functions of that. `value`: see `Step`."""

    how: str
    count: int
    value: int
    after: "tuple[Step, ...]" = ()


@frozen
class Step:
    """A function of each element; where `row` is given, the element less that of its row.

    `value`: the number of what it made, which is equal for equal calls of equal arguments.
    """

    name: str
    value: int
    row: Row | None = None


@frozen(eq=False)
class Data:
    """A recorded tensor: its sources, and what has been done to each element on the way.

    `fn`: functions applied. `order`: views that moved elements, in turn: where these are equal, and the shapes, so are the
    elements. `scaled`: multiplied by a constant tensor. `masked`: a constant tensor was added, or elements were replaced
    where one says so. `row`: that each row became one element.
    """

    parts: tuple[Source, ...]
    fn: tuple[Step, ...] = ()
    order: tuple[Hashable, ...] = ()
    scaled: bool = False
    masked: bool = False
    row: Row | None = None

    @property
    def elements(self) -> int:
        """Elements of the sources, or their rows: fewer than the recorded tensor has if that is an expansion."""
        return sum(part.elements for part in self.parts) // (self.row.count if self.row else 1)

    @property
    def is_plain(self) -> bool:
        return not self.fn and self.row is None

    @property
    def is_weight(self) -> bool:
        return all(part.role is Role.WEIGHT for part in self.parts)

    @property
    def is_given(self) -> bool:
        """Whether it descends from ids and constants alone."""
        return all(part.index for part in self.parts)

    @property
    def op(self) -> Op | None:
        """The operator that wrote all of it, if one did."""
        whole = len(self.parts) == 1 and not self.parts[0].above
        return self.parts[0].op if whole else None

    @property
    def is_of_rows(self) -> bool:
        """Whether its elements depend on others of their row."""
        return self.row is not None or any(step.row for step in self.fn)

    def moved(self, *how: Hashable) -> "Data":
        """The same elements in another order, or some of them several times."""
        return evolve(self, order=(*self.order, how))


@define
class Graph:
    """Operators in the order in which they were recorded."""

    ops: list[Op] = field(factory=list)

    def emit(
        self,
        kind: Kind,
        operands: Sequence[tuple[Source, ...]],
        sizes: tuple[int, int, int, int],
        module: str,
        label: str = "",
    ) -> Op:
        """A new operator with one output."""
        op = Op(kind, list(operands), sizes, label, module)
        op.outputs = [Source("", op.elements, Role.ACTIVATION, op)]
        for part in (part for operand in operands for part in operand):
            part.readers += 1
        self.ops.append(op)
        return op

    def remove(self, op: Op) -> None:
        """Take back an operator that nobody has read."""
        self.ops.remove(op)
        for part in (part for operand in op.operands for part in operand):
            part.readers -= 1

    def amend(self, op: Op, operand: tuple[Source, ...]) -> None:
        """Give a fresh operator one operand more."""
        op.operands.append(operand)
        for part in operand:
            part.readers += 1
