"""What must be computed: tensors, operators over them, and the trace that orders the operators.

A GEMM is `O[heads; rows, columns] = M1[heads; rows, depth] · M2[heads; depth, columns]`.

    linear layer  M1 = weights (rows = out features, depth = in features), M2 = activations (columns = tokens)
    Q·Kᵀ          M1 = Q (rows = query tokens, depth = head size), M2 = Kᵀ (columns = key tokens)
    S·V           M1 = S (rows = query tokens, depth = key tokens), M2 = V (columns = head size)

Grouped-query attention has as many heads as there are *key-value* heads; the queries that share one are
stacked along the rows, so that K and V are counted once (Ainslie et al., "GQA", EMNLP 2023).

Every other operator is a *vector* operator: its depth is 0, and it visits heads x rows x columns elements. A
row, `columns` elements long, is what a row-wise function (softmax, norm) needs whole.

    softmax                  the heads, rows and columns of the Q·Kᵀ before it
    norm                     rows = tokens, columns = features
    embedding                rows = tokens gathered, columns = features
    opaque                   any; what is written counts: its operand has a size of its own
    every other              rows = features, columns = tokens: as the linear layer that wrote them
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from math import ceil, prod
from typing import TYPE_CHECKING

from attrs import astuple, field, frozen

from lsim.trace.band import Band

if TYPE_CHECKING:
    import networkx


UNKNOWN = "unknown "  # before the label of an opaque operator that whoever made the trace did not know


class Role(StrEnum):
    """What a tensor is to the memory system."""

    WEIGHT = "weight"  # a parameter: in HBM from the start, the same in every run
    ACTIVATION = "activation"  # made by an operator for later operators
    KV = "kv"  # an entry of the KV cache: in HBM from the start, or made by an operator and stored there
    INPUT = "input"  # an input of the model, e.g. image patches or token ids: in HBM at the start


class Kind(StrEnum):
    """What an operator does with its operands."""

    GEMM = "gemm"  # M1, M2[, bias of one element per head and row]
    SOFTMAX = "softmax"  # over each row of the one operand
    NORM = "norm"  # of each row; x[, gain][, bias], both one element per column
    ACTIVATION = "activation"  # a function of each element: GELU, SiLU, …; the label says which
    RESIDUAL = "residual"  # the element-wise sum of its operands; all but one may be smaller, and repeat
    MULTIPLY = "multiply"  # the element-wise product of its operands; all but one may be smaller, and repeat
    ROTARY = "rotary"  # rotary position embedding of Q or K; its angles are computed, not stored
    EMBEDDING = "embedding"  # gathers rows: of one table; or of several, summed, after the indices
    OPAQUE = (
        "opaque"  # not known: it reads its one operand, of any size, and writes; the label says what it was
    )


@frozen
class Tensor:
    """A named array. The shape fixes the number of elements; no layout in memory is implied."""

    name: str
    shape: tuple[int, ...]
    role: Role = Role.ACTIVATION

    @property
    def elements(self) -> int:
        return prod(self.shape)


@frozen
class Operator:
    """One operator. Each operand is a concatenation of tensors, by name; so is what it writes.

    Decode attention reads `("k_cache", "k_new")` as one operand; a fused layer writes `("q", "k", "v")`.
    `causal`: query t needs keys 0 to t only, and there are as many queries (of a head) as keys; the sizes are
    those of the dense product all the same. `window`: of those, query t needs the last `window` only, itself included
    (sliding-window attention); 0 if all. `band`: the queries that a causal operator has, if not all, with the keys that some of
    them need; the sizes are dense within. `label` is the operator's job, in the words of its model family.
    """

    name: str
    kind: Kind
    operands: tuple[tuple[str, ...], ...]
    outputs: tuple[str, ...]
    heads: int
    rows: int
    depth: int
    columns: int
    causal: bool = False
    label: str = ""
    window: int = 0
    band: Band | None = None

    @property
    def is_gemm(self) -> bool:
        return self.kind is Kind.GEMM

    @property
    def elements(self) -> int:
        """Elements written."""
        return self.heads * self.rows * self.columns

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the product, masked ones counted: 0 for a vector operator."""
        return self.elements * self.depth

    @property
    def reads(self) -> tuple[str, ...]:
        """The tensors read, in the order of the operands."""
        return tuple(name for operand in self.operands for name in operand)


@frozen
class Trace:
    """Operators in an order that can be executed, and their tensors; made, and checked, by `check.build`."""

    name: str
    tensors: Mapping[str, Tensor] = field(hash=False)
    operators: tuple[Operator, ...]
    description: str = ""
    sources: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all GEMMs, masked ones counted."""
        return sum(operator.macs for operator in self.operators)

    @cached_property
    def parameters(self) -> int:
        """Elements of the weights, a shared one counted once."""
        return self._elements(Role.WEIGHT)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the model is given: tensors of role input."""
        return tuple(tensor for tensor in self.tensors.values() if tensor.role is Role.INPUT)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What the model leaves behind, the KV cache aside: tensors written and never read."""
        written = (self.tensors[name] for operator in self.operators for name in operator.outputs)
        return tuple(t for t in written if t.role is not Role.KV and not self.consumers(t.name))

    @property
    def unknown(self) -> tuple[Operator, ...]:
        """Operators that stand for some that were not known, and were kept as data movement."""
        return tuple(o for o in self.operators if o.kind is Kind.OPAQUE and o.label.startswith(UNKNOWN))

    def producer(self, tensor: str) -> Operator | None:
        """The operator that writes a tensor; None for what is there from the start."""
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> tuple[Operator, ...]:
        """The operators that read a tensor, in order."""
        return self._consumers.get(tensor, ())

    def weights(self, operator: Operator) -> tuple[Tensor, ...]:
        """The weights an operator reads."""
        read = (self.tensors[name] for name in operator.reads)
        return tuple(tensor for tensor in read if tensor.role is Role.WEIGHT)

    def is_linear(self, operator: Operator) -> bool:
        """Whether a GEMM is a linear layer (its M1 is a weight) and not one of attention's two products."""
        return operator.is_gemm and all(self.tensors[m1].role is Role.WEIGHT for m1 in operator.operands[0])

    def bytes_by_role(self, bits: int) -> dict[Role, int]:
        """Bytes of all tensors of each role, `bits` bits an element, packed."""
        return {role: ceil(self._elements(role) * bits / 8) for role in Role}

    def intensity(self, bits: int, kv_bits: int | None = None) -> float:
        """MACs per byte of the weights and KV entries that GEMMs read, each fetched once: for a roofline. `bits` an element, of KV
        entries `kv_bits` if given."""
        read = {name for operator in self.operators if operator.is_gemm for name in operator.reads}
        stored = (t for t in map(self.tensors.__getitem__, read) if t.role in (Role.WEIGHT, Role.KV))
        widths = {Role.WEIGHT: bits, Role.KV: bits if kv_bits is None else kv_bits}
        fetched = sum(tensor.elements * widths[tensor.role] for tensor in stored)
        return self.macs * 8 / fetched if fetched else float("inf")

    def graph(self) -> "networkx.DiGraph[str]":
        """Operators by name, each with an edge to those that read what it wrote.

        A node's `operator` is the Operator, an edge's `tensors` are the names of what passes along it.
        """
        return operator_graph(self.operators)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of name, tensors and operators: equal for equal work, however its file is folded."""
        tensors = sorted((t.name, t.shape, t.role) for t in self.tensors.values())
        content = [self.name, tensors, [_content(operator) for operator in self.operators]]
        return sha256(json.dumps(content).encode()).hexdigest()

    def _elements(self, role: Role) -> int:
        return sum(tensor.elements for tensor in self.tensors.values() if tensor.role is role)

    @cached_property
    def _producers(self) -> dict[str, Operator]:
        return {name: operator for operator in self.operators for name in operator.outputs}

    @cached_property
    def _consumers(self) -> dict[str, tuple[Operator, ...]]:
        readers: dict[str, list[Operator]] = {}
        for operator in self.operators:
            for name in dict.fromkeys(operator.reads):
                readers.setdefault(name, []).append(operator)
        return {name: tuple(operators) for name, operators in readers.items()}


def _content(operator: Operator) -> tuple[object, ...]:
    """The fields, without a band or a window where there is none: the hash is that of before there were any."""
    fields = astuple(operator, recurse=False)
    return fields if operator.band else fields[:-1] if operator.window else fields[:-2]


def operator_graph(operators: Sequence[Operator]) -> "networkx.DiGraph[str]":
    """Who needs whom, in whatever order the operators stand; see `Trace.graph`."""
    from networkx import DiGraph  # a tenth of a second to import, which most runs need not pay

    producer = {name: operator.name for operator in operators for name in operator.outputs}
    graph: DiGraph[str] = DiGraph()
    graph.add_nodes_from((operator.name, {"operator": operator}) for operator in operators)
    for operator in operators:
        made = [name for name in dict.fromkeys(operator.reads) if name in producer]
        for source in dict.fromkeys(producer[name] for name in made):
            between = tuple(name for name in made if producer[name] == source)
            graph.add_edge(source, operator.name, tensors=between)
    return graph
