"""The energy of each operator: what its items count, and the static power of the time that it took last."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from lsim.plan.schedule import Plan
from lsim.results.energy.prices import NONE, Prices
from lsim.results.folded import FoldedLog, Ints
from lsim.results.positions import counted_before, reached
from lsim.results.statistics import Statistics

# A channel of HBM has no program: what it serves for an operator is counted where that lands or is read to be stored.
CORE_SHOTS = "core_shots"  # priced by none, but by models that charge light for a shot
_AT_HBM = {"landed": "hbm.out", "stored": "hbm.in"}


class OperatorEnergy(NamedTuple):
    """Energy of operators that run as one program: one, or a fused chain.

    `dynamic`: of their events, by component, in pJ; `events`: their sum. `static`: of all static power, from the retirement of what stands before
    them in the trace to their own: so every tick belongs to one operator, the oldest that is not complete. `ticks`: those.
    `counts`: events by counter.
    """

    names: tuple[str, ...]
    dynamic: Mapping[str, Fraction]
    events: Fraction
    static: Fraction
    ticks: int
    counts: Mapping[str, int]

    @property
    def total(self) -> Fraction:
        return self.events + self.static

    def to_dict(self) -> dict[str, Any]:
        """As floats."""
        return {"names": list(self.names), "dynamic": float(self.events), "static": float(self.static)}


def operator_energies(statistics: Statistics, plan: Plan, prices: Prices) -> tuple[OperatorEnergy, ...]:
    """In the order of the trace. While the row passes of two GEMMs take turns, the first of them is charged."""
    log, units = statistics.log, plan.units
    counters = [*prices.of, *_AT_HBM, CORE_SHOTS]
    names = [_AT_HBM.get(counter, counter) for counter in counters]
    rows = [tuple(row) for row in _counts(statistics, plan, _table(log, counters)).tolist()]
    # Layers are equal: each kind of operator is priced once.
    dynamic = {row: prices.priced(zip(names, row, strict=True)) for row in dict.fromkeys(rows)}
    counts = {row: _summed(names, row) for row in dynamic}
    events = {row: sum(energies.values(), NONE) for row, energies in dynamic.items()}
    retired = reached(log, log.parts.index("retire"), np.arange(1, len(units) + 1))
    ticks = np.diff(retired, prepend=0).tolist()
    return tuple(
        OperatorEnergy(
            tuple(operator.name for operator in unit.operators),
            dynamic[row],
            events[row],
            prices.static_pj * n,
            n,
            counts[row],
        )
        for unit, row, n in zip(units, rows, ticks, strict=True)
    )


def _summed(names: list[str], row: tuple[int, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, quantity in zip(names, row, strict=True):
        if quantity:
            counts[name] = counts.get(name, 0) + quantity
    return counts


def _table(log: FoldedLog, counters: list[str]) -> Ints:
    """(code, counter): what one occurrence of a state counts."""
    place = {name: i for i, name in enumerate(counters)}
    table = np.zeros((len(log.labels), len(counters)), dtype=np.int64)
    for code, label in enumerate(log.labels):
        for name, quantity in label.amounts:
            if name in place:
                table[code, place[name]] += quantity
    return table


def _counts(statistics: Statistics, plan: Plan, table: Ints) -> Ints:
    """(unit, counter): what the items of each unit count, over all processes."""
    counts = np.zeros((len(plan.units), table.shape[1]), dtype=np.int64)
    for part, name in enumerate(statistics.log.parts):
        ends = plan.ends.get(name.removesuffix(".land").removesuffix(".ack"))
        seen = table[statistics.counts_by_part[part] > 0].any(axis=0)
        if ends is not None and seen.any():
            before = counted_before(statistics.log, part, np.array(ends), table[:, seen])
            counts[:, seen] += np.diff(before, axis=0, prepend=0)
    return counts
