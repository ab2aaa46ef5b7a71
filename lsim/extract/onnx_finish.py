"""What only the whole graph tells: which products are causal, what the KV cache holds, and what is needed.

An entry of the cache is what attention reads as keys or values, and the model returns, or is given while the queries are computed.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from lsim.extract.onnx_lower import MOVED, Lowering, Operand
from lsim.trace.ir import Kind, Operator, Role


def finish(low: Lowering) -> list[Operator]:
    """The operators whose results are needed; caches among them, and the products of causal attention, are marked."""
    attentions = list(_attentions(low))
    for qk, softmax, sv in attentions:
        if softmax.causal:
            for product in (qk, sv):
                _replace(low, product, evolve(product, causal=True, window=softmax.window))
    _mark_cache(low, attentions)
    needed = {tensor for name in low.graph.outputs for tensor in low.held.get(name, ())}
    kept = []
    for operator in reversed(low.out.operators):
        if needed.intersection(operator.outputs):
            kept.append(operator)
            needed.update(operator.reads)
    return kept[::-1]


def _attentions(low: Lowering) -> Iterator[tuple[Operator, Operator, Operator]]:
    """Q·Kᵀ, softmax and S·V, wherever they follow each other."""
    readers: dict[str, list[Operator]] = {}
    for operator in low.out.operators:
        if operator.is_gemm:
            readers.setdefault(operator.operands[0][0], []).append(operator)
    for softmax in (o for o in low.out.operators if o.kind is Kind.SOFTMAX):
        scores = low.made(softmax.operands[0])
        while scores is not None and scores.kind is Kind.RESIDUAL and low.is_scores(scores):
            scores = low.made(scores.operands[0])
        if scores is not None and low.is_scores(scores):
            for sv in readers.get(softmax.outputs[0], ()):
                yield scores, softmax, sv


def _replace(low: Lowering, old: Operator, new: Operator) -> None:
    low.out.operators[low.out.at[old.outputs[0]]] = new


def _mark_cache(low: Lowering, attentions: list[tuple[Operator, Operator, Operator]]) -> None:
    read = {tensor for qk, _, sv in attentions for product in (qk, sv) for tensor in product.operands[1]}
    for name in low.graph.outputs:
        held = _uncut(low, low.held.get(name, ()))
        if held and read.issuperset(held):
            low.held[name] = held
            _mark(low, [tensor for tensor in held if tensor in low.out.at])
    for qk, _, sv in attentions:
        if all(query in low.out.at for query in qk.operands[0]):
            _mark(
                low, [t for t in (*qk.operands[1], *sv.operands[1]) if low.out.tensors[t].role is Role.INPUT]
            )


def _mark(low: Lowering, tensors: list[str]) -> None:
    low.out.tensors.update({name: evolve(low.out.tensors[name], role=Role.KV) for name in tensors})


def _uncut(low: Lowering, held: Operand) -> Operand:
    """What a part was cut from, if nobody reads the part: a cache that drops what is older than its window."""
    cut = low.made(held)
    while cut is not None and cut.label in MOVED and not low.is_used(held[0]):
        held = cut.operands[0]
        cut = low.made(held)
    return held
