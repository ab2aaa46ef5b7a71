"""What the published model sees of a trace: its GEMMs by role, and the sizes of an attention layer."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen

from lsim.trace import Kind, Operator, Trace


@frozen
class Gemm:
    """A GEMM in the symbols of the publication: O[H; N1, N2] = M1[H; N1, D] · M2[H; D, N2].

    `linear`: M1 is a weight; else it is a product of attention. `scores`: M1 is the result of a softmax, so not
    negative.
    """

    heads: int
    n1: int
    depth: int
    n2: int
    linear: bool
    scores: bool = False

    @property
    def outputs(self) -> int:
        """Elements of the result of one head."""
        return self.n1 * self.n2

    def transposed(self) -> Gemm:
        """The product with its operands in each other's place."""
        return Gemm(self.heads, self.n2, self.depth, self.n1, self.linear, self.scores)


@frozen
class Layer:
    """The sizes of an attention layer: n tokens of E features, and the elements of its softmax, n² of each head."""

    tokens: int
    features: int
    scores: int


def gemm_of(trace: Trace, operator: Operator) -> Gemm:
    """A GEMM of the trace."""
    makers = {maker.kind for maker in _makers(trace, operator.operands[0])}
    return Gemm(
        operator.heads, operator.rows, operator.depth, operator.columns,
        trace.is_linear(operator), makers == {Kind.SOFTMAX},
    )  # fmt: skip


def attention_layers(trace: Trace) -> Iterator[Layer]:
    """The attention layers, in order: one for each product that a softmax reads and whose M1, the queries, linear layers make.

    Tokens are the columns of those layers and features what the queries have for each token. So a layer of n tokens, E
    features and as many query heads as key heads is Layer(n, E, n·n·heads), as published; where queries share key heads, or
    see keys of a cache, the scores are still those of the softmax. An attention in bands is one layer, of the scores of all.
    """
    layer: Layer | None = None
    for operator in trace.operators:
        if not operator.is_gemm or trace.is_linear(operator):
            continue
        readers = {reader.kind for name in operator.outputs for reader in trace.consumers(name)}
        makers = layers_behind(trace, operator.operands[0])
        if Kind.SOFTMAX in readers and makers:
            if layer and operator.band and operator.band.begin:
                layer = evolve(layer, scores=layer.scores + operator.elements)
                continue
            yield from [layer] if layer else []
            layer = _layer(operator, makers[0].columns)
    yield from [layer] if layer else []


def _layer(product: Operator, tokens: int) -> Layer:
    """The layer of Q·Kᵀ, or of its first band."""
    band = product.band
    queries = product.heads * product.rows * product.depth
    whole = queries * band.tokens // band.queries if band else queries
    return Layer(tokens, whole // tokens, product.elements)


def projections(trace: Trace) -> list[Operator]:
    """The linear layers that make queries, keys and values: behind the products of attention, with no GEMM between."""
    products = [op for op in trace.operators if op.is_gemm and not trace.is_linear(op)]
    made = {
        maker.name
        for product in products
        for operand in product.operands[:2]
        for maker in layers_behind(trace, operand)
    }
    return [operator for operator in trace.operators if operator.name in made]


def layers_behind(trace: Trace, operand: tuple[str, ...]) -> list[Operator]:
    """The linear layers that an operand comes from, with vector operators between at most."""
    found: dict[str, Operator] = {}
    ahead, seen = _makers(trace, operand), set[str]()
    while ahead:
        maker = ahead.pop(0)
        if maker.name in seen:
            continue
        seen.add(maker.name)
        if not maker.is_gemm:
            ahead += _makers(trace, maker.reads)
        elif trace.is_linear(maker):
            found[maker.name] = maker
    return list(found.values())


def _makers(trace: Trace, operand: tuple[str, ...]) -> list[Operator]:
    made = (trace.producer(name) for name in operand)
    return list(dict.fromkeys(maker for maker in made if maker is not None))
