"""Writes a document statement by statement; each method returns what the next one reads.

An operand is the name of a tensor, or a tuple of names that are concatenated. A shape is (features, tokens).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

from attrs import define, field, frozen

from lsim.trace.document import Document, Repeat, Statement
from lsim.trace.ir import Kind, Operator, Role, Tensor

Operand = str | tuple[str, ...]


@frozen
class Attention:
    """Sizes of an attention: `group` query heads share each of `heads` key-value heads of `size` elements.

    `window`: keys that a query sees, itself included; 0 if all. `bias`: a tensor that is added to the scores.
    """

    heads: int
    size: int
    queries: int
    keys: int
    group: int = 1
    causal: bool = False
    window: int = 0
    bias: str = ""


@frozen
class _Mask:
    causal: bool
    window: int


@define
class Builder:
    """A document being written. `biases`: whether linear layers and norms have one; `norms`: their label."""

    name: str
    description: str
    sources: tuple[str, ...]
    conventions: tuple[str, ...]
    biases: bool = True
    norms: str = "layernorm"
    items: list[Statement | Repeat] = field(factory=list)
    body: list[Statement] | None = None

    def document(self) -> Document:
        return Document(self.name, self.description, self.sources, self.conventions, tuple(self.items))

    @contextmanager
    def repeat(self, count: int, **carry: tuple[str, str]) -> Iterator[None]:
        """Fold what is added meanwhile into `count` iterations of index `i`."""
        body: list[Statement] = []
        self.body = body
        yield
        self.body = None
        self.items.append(Repeat(count, "i", carry, tuple(body)))

    def tensor(self, name: str, role: Role, *shape: int) -> str:
        """Declare a tensor that no operator writes."""
        self._add(Statement((Tensor(name, shape, role),)))
        return name

    def linear(
        self,
        name: str,
        x: Operand,
        weight: tuple[int, int],
        tokens: int,
        *,
        kv: bool = False,
        bias: bool | None = None,
    ) -> str:
        """A linear layer; `weight` is (out, in) features. `kv` sends the result to the KV cache."""
        out = f"{name}.out"
        self.split(name, x, weight, tokens, {out: weight[0]}, kv=(out,) if kv else (), bias=bias)
        return out

    def split(
        self,
        name: str,
        x: Operand,
        weight: tuple[int, int],
        tokens: int,
        parts: Mapping[str, int],
        *,
        kv: tuple[str, ...] = (),
        bias: bool | None = None,
    ) -> None:
        """A linear layer whose out features are split among `parts`; those in `kv` go to the KV cache."""
        shapes = {part: (features, tokens) for part, features in parts.items()}
        self.split_by(name, x, weight, tokens, shapes, kv=kv, bias=bias)

    def split_by(
        self,
        name: str,
        x: Operand,
        weight: tuple[int, int],
        tokens: int,
        parts: Mapping[str, tuple[int, int]],
        *,
        kv: tuple[str, ...] = (),
        bias: bool | None = None,
    ) -> None:
        """A linear layer whose result is split among `parts`, each of so many features and tokens."""
        rows, depth = weight
        operands = [self.tensor(f"{name}.weight", Role.WEIGHT, rows, depth), x, *self._bias(name, rows, bias)]
        self.gemm(name, operands, (1, rows, depth, tokens), parts, kv=kv)

    def linear_by(
        self,
        name: str,
        x: Operand,
        weight: tuple[int, int],
        parts: Mapping[str, int],
        *,
        kv: bool = False,
        bias: bool | None = None,
    ) -> None:
        """A linear layer whose tokens are split among `parts`: so many each."""
        shapes = {part: (weight[0], tokens) for part, tokens in parts.items()}
        cached = tuple(parts) if kv else ()
        self.split_by(name, x, weight, sum(parts.values()), shapes, kv=cached, bias=bias)

    def tied(
        self, name: str, x: Operand, table: str, weight: tuple[int, int], tokens: int, *, bias: bool = False
    ) -> None:
        """A linear layer whose weight is a table that is declared already."""
        rows, depth = weight
        operands = [table, x, *self._bias(name, rows, bias)]
        self.gemm(name, operands, (1, rows, depth, tokens), {f"{name}.out": (rows, tokens)})

    def batched(
        self, name: str, x: Operand, sizes: tuple[int, int, int, int], parts: Mapping[str, tuple[int, ...]]
    ) -> None:
        """So many linear layers of one shape, without bias, each with inputs of its own: the heads of one GEMM.

        `sizes` are layers, out features, in features and the tokens of each; `parts` are what it writes.
        """
        heads, rows, depth, _ = sizes
        weight = self.tensor(f"{name}.weight", Role.WEIGHT, heads, rows, depth)
        self.gemm(name, [weight, x], sizes, parts)

    def attention(self, name: str, q: Operand, k: Operand, v: Operand, a: Attention) -> str:
        """Q·Kᵀ, softmax, S·V; returns the heads' results, side by side."""
        rows = a.group * a.queries
        scores, out = (a.heads, rows, a.keys), f"{name}.sv.out"
        qk, sv = (a.heads, rows, a.size, a.keys), (a.heads, rows, a.keys, a.size)
        masked = _Mask(a.causal, a.window)
        made = f"{name}.qk.out"
        self.gemm(f"{name}.qk", [q, k], qk, {made: scores}, masked=masked)
        if a.bias:
            made = self._vector(
                Kind.RESIDUAL, f"{name}.bias", [made, a.bias], scores, scores, label="position"
            )
        s = self._vector(Kind.SOFTMAX, f"{name}.softmax", [made], scores, scores, masked=masked)
        mixed = (a.heads * a.group * a.size, a.queries)
        self.gemm(f"{name}.sv", [s, v], sv, {out: mixed}, masked=masked)
        return out

    def norm(
        self, name: str, x: Operand, shape: tuple[int, int], *, learned: bool = True, label: str = ""
    ) -> str:
        """A norm of each token's features, with a learned gain or with nothing learned."""
        features, tokens = shape
        operands = [x]
        if learned:
            operands += [self.tensor(f"{name}.weight", Role.WEIGHT, features), *self._bias(name, features)]
        return self._vector(
            Kind.NORM, name, operands, (1, tokens, features), shape, label=label or self.norms
        )

    def embedding(
        self, name: str, operands: Sequence[Operand], shape: tuple[int, int], label: str = ""
    ) -> str:
        """A row of features for each token: from one table; or from several, summed, after the indices."""
        features, tokens = shape
        return self._vector(Kind.EMBEDDING, name, operands, (1, tokens, features), shape, label=label)

    def gather(
        self, name: str, operands: Sequence[Operand], parts: Mapping[str, tuple[int, ...]], columns: int
    ) -> None:
        """Rows of `columns` elements, of one table or after their indices, written to several tensors."""
        rows = sum(prod(shape) for shape in parts.values()) // columns
        label = name.rpartition(".")[2]
        made = tuple(map(_names, operands))
        operator = Operator(name, Kind.EMBEDDING, made, tuple(parts), 1, rows, 0, columns, False, label)
        self._write(operator, parts, ())

    def softmax(self, name: str, x: Operand, shape: tuple[int, int]) -> str:
        """Over each row, of `shape` rows and columns."""
        return self._vector(Kind.SOFTMAX, name, [x], (1, *shape), shape)

    def residual_of(self, name: str, operands: Sequence[Operand], shape: tuple[int, int]) -> str:
        """The sum of several."""
        return self._vector(Kind.RESIDUAL, name, operands, (1, *shape), shape)

    def activation(self, name: str, x: Operand, shape: tuple[int, int]) -> str:
        """The function that the last part of the name says."""
        label = name.rpartition(".")[2]
        return self._vector(Kind.ACTIVATION, name, [x], (1, *shape), shape, label=label)

    def residual(
        self, name: str, one: Operand, other: Operand, shape: tuple[int, int], label: str = ""
    ) -> str:
        return self._vector(Kind.RESIDUAL, name, [one, other], (1, *shape), shape, label=label)

    def multiply(self, name: str, one: Operand, other: Operand, shape: tuple[int, int]) -> str:
        return self._vector(Kind.MULTIPLY, name, [one, other], (1, *shape), shape)

    def multiply_to(
        self,
        name: str,
        one: Operand,
        other: Operand,
        shape: tuple[int, int],
        parts: Mapping[str, tuple[int, ...]],
    ) -> None:
        """A product that is written to several tensors."""
        made = (_names(one), _names(other))
        self._write(Operator(name, Kind.MULTIPLY, made, tuple(parts), 1, shape[0], 0, shape[1]), parts, ())

    def rotary_by(
        self, name: str, x: Operand, features: int, parts: Mapping[str, int], *, kv: bool = False
    ) -> None:
        """Rotary position embedding of tokens that are split among `parts`; `kv` sends the results to the KV cache."""
        sizes = 1, features, 0, sum(parts.values())
        operator = Operator(name, Kind.ROTARY, (_names(x),), tuple(parts), *sizes)
        outputs = {part: (features, tokens) for part, tokens in parts.items()}
        self._write(operator, outputs, tuple(parts) if kv else ())

    def _bias(self, name: str, features: int, bias: bool | None = None) -> list[str]:
        wanted = self.biases if bias is None else bias
        return [self.tensor(f"{name}.bias", Role.WEIGHT, features)] if wanted else []

    def gemm(
        self,
        name: str,
        operands: Sequence[Operand],
        sizes: tuple[int, int, int, int],
        outputs: Mapping[str, tuple[int, ...]],
        *,
        masked: _Mask | None = None,
        kv: tuple[str, ...] = (),
    ) -> None:
        """Any GEMM. `sizes` are heads, rows, depth and columns; the label is the last part of the name."""
        made, label = tuple(map(_names, operands)), name.rpartition(".")[2]
        operator = Operator(name, Kind.GEMM, made, tuple(outputs), *sizes, *_flags(masked, label))
        self._write(operator, outputs, kv)

    def _vector(
        self,
        kind: Kind,
        name: str,
        operands: Sequence[Operand],
        sizes: tuple[int, int, int],
        shape: tuple[int, ...],
        *,
        label: str = "",
        masked: _Mask | None = None,
        kv: bool = False,
    ) -> str:
        """`sizes` are heads, rows and columns; `shape` is that of the result."""
        heads, rows, columns = sizes
        made, out = tuple(map(_names, operands)), f"{name}.out"
        operator = Operator(name, kind, made, (out,), heads, rows, 0, columns, *_flags(masked, label))
        self._write(operator, {out: shape}, (out,) if kv else ())
        return out

    def _write(self, operator: Operator, outputs: Mapping[str, tuple[int, ...]], kv: tuple[str, ...]) -> None:
        roles = {name: Role.KV if name in kv else Role.ACTIVATION for name in outputs}
        tensors = tuple(Tensor(name, shape, roles[name]) for name, shape in outputs.items())
        self._add(Statement(tensors, operator))

    def _add(self, statement: Statement) -> None:
        (self.items if self.body is None else self.body).append(statement)


def _flags(masked: _Mask | None, label: str) -> tuple[bool, str, int]:
    """The last three fields of an operator."""
    return (masked.causal, label, masked.window) if masked else (False, label, 0)


def of_last(name: str, count: int) -> str:
    """What a name of a repeat's body is in the last of `count` iterations."""
    return name.replace("{i}", str(count - 1))


def _names(operand: Operand) -> tuple[str, ...]:
    return (operand,) if isinstance(operand, str) else operand
