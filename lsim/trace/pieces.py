"""Tensors in pieces: what of Q, K and V belongs to which tokens, and what of a bias of positions to which band of queries.

A tensor has no layout in memory, so a piece is as good a tensor as the whole was: it has its share of the elements of every
head and sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import accumulate, pairwise
from math import prod

from attrs import frozen

from lsim.trace.band import Band
from lsim.trace.ir import Role, Tensor, Trace
from lsim.trace.masks import Attention

MASKED = (
    "masked"  # the piece of a bias of positions that belongs to no band: only masked scores would need it
)


@frozen
class Cut:
    """How a tensor is divided: the elements of its pieces, and what each is called after the name of the whole."""

    sizes: tuple[int, ...]
    words: tuple[str, ...]

    def names(self, tensor: str, mark: str) -> tuple[str, ...]:
        return tuple(f"{tensor}{mark}{word}" for word in self.words)

    @cached_property
    def _places(self) -> Mapping[int, int]:
        """The pieces before an element, of those between pieces."""
        return {end: at for at, end in enumerate([0, *accumulate(self.sizes)])}

    def tensors(self, whole: Tensor, mark: str) -> tuple[Tensor, ...]:
        shapes = _shapes(whole.shape, self.sizes)
        made = zip(self.names(whole.name, mark), shapes, strict=True)
        return tuple(Tensor(name, shape, whole.role) for name, shape in made)

    def within(self, begin: int, end: int, tokens: int) -> slice:
        """The pieces of tokens `begin` to `end` - 1 of so many."""
        elements = sum(self.sizes)
        return slice(self._places[begin * elements // tokens], self._places[end * elements // tokens])


def bands(attention: Attention, queries: int) -> list[Band]:
    """All tokens in bands of so many queries, the last of what remains."""
    tokens = attention.band.tokens
    return [Band(begin, min(begin + queries, tokens), tokens) for begin in range(0, tokens, queries)]


def by_tokens(trace: Trace, attention: Attention, queries: int) -> Iterator[tuple[str, int]]:
    """(tensor, element before which it is cut) for queries, keys, values and results, at the borders of bands and of windows."""
    cut = bands(attention, queries)
    begins = {band.begin for band in cut}
    keys = begins | {band.first_key(attention.window) for band in cut}
    qk, sv = attention.qk, attention.sv
    for names, borders in (
        (qk.operands[0], begins),
        (sv.outputs, begins),
        (qk.operands[1], keys),
        (sv.operands[1], keys),
    ):
        for name in dict.fromkeys(names):
            elements = trace.tensors[name].elements
            yield from ((name, elements * border // attention.band.tokens) for border in sorted(borders))


def by_pairs(trace: Trace, attention: Attention, queries: int) -> Mapping[str, Cut]:
    """How what is added to scores is cut: a piece a band, and one of what no band needs."""
    cut, window, tokens = bands(attention, queries), attention.window, attention.band.tokens
    pairs = [band.queries * band.keys(window) for band in cut]
    words = tuple(map(str, range(len(cut))))
    cuts = {}
    for name in attention.pairs:
        a_pair = trace.tensors[name].elements // tokens**2
        rest = a_pair * (tokens**2 - sum(pairs))
        cuts[name] = Cut((*(a_pair * n for n in pairs), rest), (*words, MASKED))
    return cuts


def divisible(trace: Trace, attentions: Sequence[Attention], why: dict[str, str]) -> Iterator[Attention]:
    """Those attentions that are in bands or can be: whose tensors can be divided among tokens; of the others the reason is put down."""
    scores = {name for one in attentions for operator in one.operators[:-1] for name in operator.outputs}
    pairs = {name for one in attentions for name in one.pairs}
    known: dict[str, tuple[int, int]] = {}
    for one in attentions:
        problem = "" if one.softmax.band else _indivisible(trace, one, scores | pairs)
        form = one.band.tokens, one.window
        if not problem and any(known.setdefault(name, form) != form for name in one.pairs):
            problem = "what is added to its scores is added to others of another window"
        if problem:
            why[one.softmax.name] = problem
        else:
            yield one


def _indivisible(trace: Trace, attention: Attention, taken: Set[str]) -> str:
    """Why an attention cannot be divided; empty if it can. `taken`: tensors that are divided by queries and keys."""
    tokens, qk, sv = attention.band.tokens, attention.qk, attention.sv
    for name in (*qk.operands[0], *qk.operands[1], *sv.operands[1], *sv.outputs):
        tensor = trace.tensors[name]
        if tensor.elements % tokens:
            return f"{name} cannot be divided among {tokens} tokens"
        if tensor.role is Role.WEIGHT:
            return f"{name} is a weight, which stays whole"
        if name in taken:
            return f"{name} is divided by queries and keys elsewhere"
    for name in attention.pairs:
        if trace.tensors[name].elements % tokens**2:
            return f"{name}, which is added to its scores, has no elements for each query and key"
        if trace.producer(name) is None:
            return f"{name}, which is added to its scores, comes from outside"
    return ""


def cut_at(elements: int, borders: Sequence[int]) -> Cut:
    """A tensor of so many elements, cut before each of these."""
    ends = sorted({0, elements, *borders})
    sizes = tuple(after - before for before, after in pairwise(ends))
    return Cut(sizes, tuple(map(str, range(len(sizes)))))


def _shapes(shape: tuple[int, ...], sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """The shapes of pieces: along the last dimension that all of them divide, else flat."""
    whole = prod(shape)
    for at in reversed(range(len(shape))):
        if all(shape[at] * size % whole == 0 for size in sizes):
            return [(*shape[:at], shape[at] * size // whole, *shape[at + 1 :]) for size in sizes]
    return [(size,) for size in sizes]
