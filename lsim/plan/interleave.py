"""Under the chunked policy: two GEMMs whose row passes take turns on the cores.

S·V of a row pass needs no more than the softmax of that pass, so it need not wait for Q·Kᵀ to end: the passes of the second
follow those of the first `lag` passes behind. Every process of the tile group takes the passes in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsim.plan.edges import Edges
from lsim.plan.residency import Residency, reads_hbm
from lsim.plan.units import Unit


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
