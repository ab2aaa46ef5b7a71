"""Under the chunked policy: two GEMMs whose row passes take turns on the cores.

S·V of a row pass needs no more than the softmax of that pass, so it need not wait for Q·Kᵀ to end: the passes of the second
follow those of the first `lag` passes behind. Every process of the tile group takes the passes in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from lsim.kernel.program import Builder, Program
from lsim.plan.edges import Edges
from lsim.plan.residency import Residency, reads_hbm
from lsim.plan.units import Unit

Passes = Sequence[tuple[int, Program]]


@frozen
class Merged:
    """Two operators' programs of one process as one; `first_ends`: the position at which the first operator is done."""

    program: Program
    first_ends: int


def interleave(first: Passes, second: Passes, lag: int, builder: Builder) -> Merged:
    """The passes of `first` and of `second`, as many, the second `lag` passes behind; either may have nothing to do in some."""
    passes = sum(count for count, _ in first)
    head = min(lag + 1, passes)
    parts = [builder.repeat(count, program) for count, program in _taken(first, 0, head)]
    pairs = list(_zipped(_taken(second, 0, passes - head), _taken(first, head, passes)))
    parts += [builder.repeat(count, builder.seq(s, f)) for count, s, f in pairs]
    done = sum(part.size for part in parts)
    parts += [builder.repeat(count, program) for count, program in _taken(second, passes - head, passes)]
    return Merged(builder.seq(*parts), done)


def _taken(passes: Passes, low: int, high: int) -> Iterator[tuple[int, Program]]:
    """The passes from `low` to `high`."""
    at = 0
    for count, program in passes:
        begin, end = max(low, at), min(high, at + count)
        if begin < end:
            yield end - begin, program
        at += count


def _zipped(
    one: Iterator[tuple[int, Program]], other: Iterator[tuple[int, Program]]
) -> Iterator[tuple[int, Program, Program]]:
    """(count, pass of one, pass of the other), of two rows of equal length."""
    others = list(other)
    for count, program in one:
        while count:
            theirs, partner = others[0]
            both = min(count, theirs)
            yield both, program, partner
            count -= both
            others[0] = (theirs - both, partner)
            if both == theirs:
                others.pop(0)


def chains(units: Sequence[Unit], edges: Edges, residency: Residency, window: int) -> list[tuple[int, int]]:
    """Pairs (first, second) of GEMM units, a vector unit between them, whose passes may take turns.

    All three must be able to be in flight at once: a window of three, room for all they write, and operands that lie
    in the global SRAM (a staging ring that both shared could be filled by one that waits for the other). The second must
    not read the first's result past the unit between, which it would wait for as a whole; and no GEMM is in two pairs.
    """
    found: list[tuple[int, int]] = []
    for i in range(len(units) - 2):
        first, between, second = units[i : i + 3]
        if not (first.is_gemm and second.is_gemm and not between.is_gemm) or window < 3:
            continue
        follows = edges.follows(i + 1, i) and edges.follows(i + 2, i + 1)
        near = not any(
            reads_hbm(o, residency.resident)
            for unit in (first, second)
            for o in unit.operators[0].operands[:2]
        )
        room = residency.used[i] + residency.claims[i + 1] + residency.claims[i + 2] <= residency.region
        apart = set(first.outputs).isdisjoint(second.reads) and (not found or found[-1][1] != i)
        if follows and near and room and apart:
            found.append((i, i + 2))
    return found
