"""Writes a document anew with causal attentions in bands: tensors in pieces, a triple of operators for each band."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import zip_longest
from typing import Any, TypeVar

from attrs import evolve, field, frozen

from lsim.trace.band import Band
from lsim.trace.document import Document, Item, Repeat, Statement
from lsim.trace.ir import Operator, Tensor, Trace
from lsim.trace.masks import Attention
from lsim.trace.pieces import Cut, bands, by_pairs, by_tokens, cut_at

Cuts = Mapping[str, Cut]
P = TypeVar("P")


@frozen
class Bander:
    """What becomes of the statements of a document, repeats expanded.

    `cuts`: how tensors are divided, by name. `attentions`: that which an operator belongs to, by its name. `mark`: what stands
    between the name of a whole and that of its piece, in no other name.
    """

    statements: tuple[Statement, ...]
    cuts: Cuts
    attentions: Mapping[str, Attention]
    queries: int
    mark: str
    _named: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = field(factory=dict)

    @classmethod
    def of(cls, document: Document, trace: Trace, attentions: Sequence[Attention], queries: int) -> Bander:
        borders: dict[str, set[int]] = defaultdict(set)
        cuts: dict[str, Cut] = {}
        for attention in attentions:
            cuts.update(by_pairs(trace, attention, queries))
            for name, border in by_tokens(trace, attention, queries):
                borders[name].add(border)
        for name, at in borders.items():
            cuts[name] = cut_at(trace.tensors[name].elements, sorted(at))
        by_name = {operator.name: one for one in attentions for operator in one.operators}
        return cls(tuple(document.statements()), cuts, by_name, queries, _mark(document))

    def items(self, document: Document) -> tuple[Item, ...]:
        """All items anew. A repeat is written out if its iterations are not all cut alike."""
        made: list[Item] = []
        at = 0
        for item in document.items:
            size = 1 if isinstance(item, Statement) else item.count * len(item.body)
            repeat = None if isinstance(item, Statement) else self._repeat(item, at)
            if repeat is not None:
                made.append(repeat)
            else:
                for place in range(at, at + size):
                    made += self._anew(place, self.statements, self.cuts, place)
            at += size
        return tuple(made)

    # -- repeats -----------------------------------------------------------------------------------------------------
    def _repeat(self, repeat: Repeat, at: int) -> Repeat | None:
        """A repeat anew, which begins at a statement; None if its iterations are not all cut alike."""
        size = len(repeat.body)
        begins = range(at, at + repeat.count * size, size)
        first = self._in_iteration(repeat, at)
        if first is None or any(self._in_iteration(repeat, begin) != first for begin in begins[1:]):
            return None
        cuts = first[0]
        body = [s for i in range(size) for s in self._anew(at + i, repeat.body, cuts, i)]
        carry = {}
        for name, (begin, then) in repeat.carry.items():
            given = zip(*(self._whole((one,), cuts, name) for one in (name, begin, then)), strict=True)
            carry.update({new: (first, later) for new, first, later in given})
        return evolve(repeat, body=tuple(body), carry=carry)

    def _in_iteration(self, repeat: Repeat, at: int) -> tuple[Cuts, list[tuple[int, ...]]] | None:
        """Of the iteration that begins at a statement: how what the body names is cut, and where in it attentions stand."""
        cuts: dict[str, Cut] = {}
        found = []
        for i, inside in enumerate(repeat.body):
            outside = self.statements[at + i]
            for name, real in zip(_names(inside), _names(outside), strict=True):
                if real in self.cuts:
                    cuts[name] = self.cuts[real]
            attention = self._of(outside)
            if attention is not None:
                places = tuple(self._places[operator.name] - at for operator in attention.operators)
                if min(places) < 0 or max(places) >= len(repeat.body):
                    return None
                found.append(places)
        return cuts, found

    # -- statements --------------------------------------------------------------------------------------------------
    def _anew(self, place: int, written: Sequence[Statement], cuts: Cuts, at: int) -> Iterator[Statement]:
        """What becomes of the statement at a place, which is `written[at]`, where names are cut as said."""
        attention = self._of(self.statements[place])
        if attention is None:
            yield from self._in_pieces(written[at], cuts)
        elif self.statements[place].operator == attention.sv:
            places = [self._places[operator.name] - place + at for operator in attention.operators]
            yield from self._bands([written[i] for i in places], attention, cuts)

    def _in_pieces(self, statement: Statement, cuts: Cuts) -> Iterator[Statement]:
        """A statement outside attention, with the pieces of each tensor in its place."""
        tensors = [piece for tensor in statement.tensors for piece in self._tensors(tensor, cuts)]
        old = statement.operator
        if old is None:
            yield from (evolve(statement, tensors=(tensor,)) for tensor in tensors)
            return
        operands = tuple(self._whole(operand, cuts) for operand in old.operands)
        new = evolve(old, operands=operands, outputs=tuple(tensor.name for tensor in tensors))
        yield evolve(statement, tensors=tuple(tensors), operator=new)

    def _bands(self, parts: Sequence[Statement], attention: Attention, cuts: Cuts) -> Iterator[Statement]:
        """All of an attention, band after band; the scores of the next are made before the softmax of one, so that the cores work during it."""
        cut = enumerate(bands(attention, self.queries))
        each = [list(_Band(self, attention, cuts, band, number).statements(parts)) for number, band in cut]
        yield each[0][0]
        for made, following in zip_longest(each, each[1:]):
            yield from following[:1] if following else ()
            yield from made[1:]

    def _of(self, statement: Statement) -> Attention | None:
        return self.attentions.get(statement.operator.name) if statement.operator else None

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {s.operator.name: at for at, s in enumerate(self.statements) if s.operator}

    # -- tensors -----------------------------------------------------------------------------------------------------
    def _tensors(self, tensor: Tensor, cuts: Cuts) -> tuple[Tensor, ...]:
        cut = cuts.get(tensor.name)
        return (tensor,) if cut is None else cut.tensors(tensor, self.mark)

    def _whole(self, operand: Sequence[str], cuts: Cuts, cut_as: str = "") -> tuple[str, ...]:
        """An operand, all pieces of each tensor named; cut as another name is, if that is said."""
        return tuple(n for name in operand for n in self.pieces(name, cuts.get(cut_as or name)))

    def pieces(self, name: str, cut: Cut | None) -> tuple[str, ...]:
        """The names of a tensor's pieces, each one string in all operands that have it."""
        if cut is None:
            return (name,)
        if (name, cut.words) not in self._named:
            self._named[name, cut.words] = cut.names(name, self.mark)
        return self._named[name, cut.words]


@frozen
class _Band:
    """One band of an attention, whose tensors are named and cut as said."""

    bander: Bander
    attention: Attention
    cuts: Cuts
    band: Band
    number: int

    @property
    def rows(self) -> int:
        return self.attention.group * self.band.queries

    @property
    def keys(self) -> int:
        return self.band.keys(self.attention.window)

    def statements(self, parts: Sequence[Statement]) -> Iterator[Statement]:
        """The product, what is done to its scores, the softmax, and the product with values; `parts` are those of the whole."""
        *scored, values = parts
        scores = {tensor.name for part in scored for tensor in part.tensors}
        yield from (self._scores(part, scores) for part in scored)
        yield self._values(values)

    def _scores(self, part: Statement, scores: Set[str]) -> Statement:
        """One of the operators whose result has an element for each query and key."""
        old = _operator(part)
        if old.is_gemm:
            q, k = old.operands
            operands = [self._tokens(q, self.band.begin), self._tokens(k, self._first_key)]
        else:
            operands = [self._pairs(operand, scores) for operand in old.operands]
        (whole,) = part.tensors
        piece = Tensor(self._named(whole.name), (old.heads, self.rows, self.keys), whole.role)
        return self._statement(part, operands, (piece,), {"columns": self.keys})

    def _values(self, part: Statement) -> Statement:
        """The product of probabilities and values."""
        s, v = _operator(part).operands
        operands = [self._pairs(s, set(s)), self._tokens(v, self._first_key)]
        made = [t for whole in part.tensors for t in self._results(whole)]
        return self._statement(part, operands, tuple(made), {"depth": self.keys})

    def _statement(
        self,
        part: Statement,
        operands: Sequence[tuple[str, ...]],
        tensors: tuple[Tensor, ...],
        sizes: Mapping[str, int],
    ) -> Statement:
        old = _operator(part)
        band = {"band": self.band} if old.causal else {}
        changed: dict[str, Any] = {"rows": self.rows, **sizes, **band}
        outputs = tuple(tensor.name for tensor in tensors)
        new = evolve(old, name=self._named(old.name), operands=tuple(operands), outputs=outputs, **changed)
        return evolve(part, tensors=tensors, operator=new)

    @property
    def _first_key(self) -> int:
        return self.band.first_key(self.attention.window)

    def _tokens(self, operand: Sequence[str], begin: int) -> tuple[str, ...]:
        """The pieces of an operand from a token to the band's last."""
        return tuple(piece for name in operand for piece in self._between(name, begin, self.bander.pieces))

    def _results(self, whole: Tensor) -> tuple[Tensor, ...]:
        """The pieces of a result that are the band's queries'."""
        return self._between(whole.name, self.band.begin, lambda _, cut: cut.tensors(whole, self.bander.mark))

    def _between(self, name: str, begin: int, pieces: Callable[[str, Cut], tuple[P, ...]]) -> tuple[P, ...]:
        cut = self.cuts[name]
        return pieces(name, cut)[cut.within(begin, self.band.end, self.band.tokens)]

    def _pairs(self, operand: Sequence[str], scores: Set[str]) -> tuple[str, ...]:
        """What an operand has for the band's queries and keys; what is the same for all is whole."""
        return tuple(self._named(name) if name in scores or name in self.cuts else name for name in operand)

    def _named(self, name: str) -> str:
        """The name of an operator or a tensor of which each band has its own."""
        return f"{name}{self.bander.mark}{self.number}"


def _operator(statement: Statement) -> Operator:
    assert statement.operator is not None
    return statement.operator


def _names(statement: Statement) -> tuple[str, ...]:
    """What a statement defines and reads, in an order that its repetitions share."""
    return (*statement.defines, *statement.reads)


def _mark(document: Document) -> str:
    """A word that is in no name of the document: one colon, or as many as it takes."""
    mark = ":"
    inside = [s for item in document.items for s in ((item,) if isinstance(item, Statement) else item.body)]
    carried = [name for item in document.items if isinstance(item, Repeat) for name in item.carry]
    names = {*carried, *(name for s in (*inside, *document.statements()) for name in _names(s))}
    while any(mark in name for name in names):
        mark += ":"
    return mark
