"""Causal attention without most of what its mask takes away: bands of queries, each with the keys that it needs.

Q·Kᵀ → softmax → S·V over all tokens becomes such a triple for each band, dense inside; keys that no query of a band needs are not
computed with it, as blocks above the diagonal are not in kernels (Dao et al., "FlashAttention", NeurIPS 2022). What is made is a
trace as any other: nothing that runs it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from attrs import evolve, frozen

from lsim.errors import TraceError
from lsim.trace.band import DENSE
from lsim.trace.bander import Bander
from lsim.trace.check import build
from lsim.trace.document import Document, Item, Phase
from lsim.trace.generation import Generation, check
from lsim.trace.ir import Trace
from lsim.trace.masks import Attention, attentions, by_reason
from lsim.trace.pieces import divisible
from lsim.trace.text import unfolded
from lsim.units import ceil_div, plural

Work = TypeVar("Work", Trace, Generation, Trace | Generation)

MAX_NAMES = 10_000_000  # pieces of keys and values that the operands of a trace may name

_CUT = "the sizes are those of its bands"
_BANDS = (
    "Causal attention is in {}, each with the keys from the first to the last that some of its queries need; "
    "within a band products are dense, other keys are skipped."
)


def skip_masked(workload: Work, queries: int) -> Work:
    """The same work with causal attention in bands of so many queries: of each band only the keys that it needs.

    Attention of no more tokens than `queries` stays as it is; where all does, the workload itself is returned. Masks that are not
    known to be causal stay dense. Raises TraceError where nothing is known to be masked.
    """
    document = workload.document if isinstance(workload, Generation) else unfolded(workload)
    made = skip_in(document, queries)
    if made is document:
        return workload
    return check(made) if isinstance(workload, Generation) else build(made)


def skip_in(document: Document, queries: int) -> Document:
    """The document of the same work with causal attention in bands; a repeat stays one where all iterations are cut alike."""
    if not isinstance(queries, int) or isinstance(queries, bool) or queries < 1:
        raise TraceError(f"a band has at least one query, a whole number, not {queries}")
    phases: Sequence[Phase | None] = document.phases or [None]
    found = [_Found.of(document, phase) for phase in phases]
    _check_found(document, found)
    _check_growth(document, queries)
    if not any(one.wide(queries) for one in found):
        return document
    _check_names(document, found, queries)
    left = dict.fromkeys(line for one in found for line in by_reason(one.why))
    bands = _bands_of(queries)
    return evolve(
        document,
        name=f"{document.name}-bands-{queries}",
        description=f"{document.description}; causal attention in {bands}".removeprefix("; "),
        conventions=(
            *(line.replace(DENSE, _CUT) for line in document.conventions),
            _BANDS.format(bands),
            *(f"Causal, but not in bands: {line}." for line in left),
        ),
        items=() if document.phases else found[0].items(document, queries),
        phases=tuple(one.in_bands(document, queries) for one in found if one.phase),
    )


@frozen
class _Found:
    """The causal attentions of a trace, or of the first step of a phase, and why others are not among them."""

    trace: Trace
    phase: Phase | None
    attentions: tuple[Attention, ...]
    why: dict[str, str]

    @classmethod
    def of(cls, document: Document, phase: Phase | None, step: int = 0) -> _Found:
        trace = build(document if phase is None else document.at(phase, step))
        found, why = attentions(trace)
        return cls(trace, phase, tuple(divisible(trace, found, why)), why)

    def wide(self, queries: int) -> list[Attention]:
        """Those that more than one band is made of."""
        return [one for one in self.attentions if not one.softmax.band and one.band.tokens > queries]

    def items(self, document: Document, queries: int) -> tuple[Item, ...]:
        """The items of the trace, or of the step, in bands."""
        return Bander.of(document, self.trace, self.wide(queries), queries).items(document)

    def in_bands(self, document: Document, queries: int) -> Phase:
        """The phase in bands; its steps are cut alike."""
        phase = self.phase
        assert phase is not None
        if not self.wide(queries):
            return phase
        first = self.items(document.at(phase, 0), queries)
        if phase.count == 1:
            return evolve(phase, first=first)
        second = _Found.of(document, phase, 1)
        return evolve(phase, first=first, second=second.items(document.at(phase, 1), queries))


def _check_found(document: Document, found: Sequence[_Found]) -> None:
    """Refuses a document without causal attention that could be cut."""
    whole = [one for each in found for one in each.attentions]
    if any(one.softmax.band is None for one in whole):
        return
    if whole:
        raise TraceError(
            "its causal attention is in bands already: cut the trace from which it was made",
            place=document.name,
        )
    why = [line for each in found for line in by_reason(each.why)]
    if why:
        raise TraceError(
            f"has no causal attention that can be cut into bands: {'; '.join(why)}", place=document.name
        )
    raise TraceError(
        "has no causal attention: nothing in it is known to be masked, so all of it is computed",
        place=document.name,
    )


def _check_growth(document: Document, queries: int) -> None:
    """Refuses a phase whose steps would have different numbers of bands: what its lines say holds in all of them."""
    for phase in document.phases:
        if not any(s.operator and s.operator.causal for s in document.at(phase, 0).statements()):
            continue
        first, last = (_Found.of(document, phase, step) for step in (0, phase.count - 1))
        if last.wide(queries) and [a.band for a in first.attentions] != [a.band for a in last.attentions]:
            problem = "its causal attention grows from step to step, and with it the number of bands"
            raise TraceError(problem, line=phase.line, place=f"phase {phase.name}")


def _check_names(document: Document, found: Sequence[_Found], queries: int) -> None:
    """Refuses bands so narrow that to name their keys takes more memory than there may be."""
    counts = [ceil_div(one.band.tokens, queries) for each in found for one in each.wide(queries)]
    names = sum(count * (count + 1) for count in counts)
    if names > MAX_NAMES:
        problem = f"{_bands_of(queries)} would have some {names:,} pieces of keys and values as operands, at most {MAX_NAMES:,}"
        raise TraceError(f"{problem}: make them wider", place=document.name)


def _bands_of(queries: int) -> str:
    return f"bands of {queries} {plural(queries, 'query', 'queries')}"
