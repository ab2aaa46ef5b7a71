"""Power over time: the energy of each stretch of a run, by component, exact for bins down to single ticks.

Static power is drawn evenly. The energy of an event is spread evenly over the ticks of the state that counts it (a block, a
transaction, a piece); a state that takes no time, as where its source of contention is ideal, puts it into the bin in which
it happens. So bins add up to the energy of the run, whatever they are. Stepped shot by shot, a block's energy lies in its first shot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lsim.results.cumulative import cumulative
from lsim.results.energy.account import Energy
from lsim.results.energy.prices import COMPONENTS, NONE
from lsim.results.folded import Ints
from lsim.results.positions import Occurrences
from lsim.results.series import StateTicks
from lsim.results.states import States


@frozen(eq=False)
class PowerSeries:
    """Energy and power in bins. `cuts`: the ticks between which they lie. `energy`: pJ of each bin by component, exact."""

    cuts: Ints
    clock: int
    energy: Mapping[str, Sequence[Fraction]]

    @property
    def milliwatts(self) -> dict[str, NDArray[np.float64]]:
        """Mean power of each bin by component, in mW; times the bin's seconds it is the bin's energy in mJ."""
        ticks = np.diff(self.cuts)
        pj_a_tick = Fraction(self.clock, 10**9)  # mW
        return {
            name: np.array([float(pj * pj_a_tick) for pj in bins]) / ticks
            for name, bins in self.energy.items()
        }


State = tuple[int, int]
"""(part, code)"""


@frozen(eq=False)
class Drawn:
    """What the states of a run draw. `energy`: of the run that the states are of."""

    energy: Energy
    states: States

    def between(self, cuts: Ints) -> PowerSeries:
        """The energy between each cut and the next; cuts ascend, 0 <= cut <= the run's end."""
        static, ticks = self.energy.prices.static, np.diff(cuts).tolist()
        sums = {name: [static.get(name, NONE) * n for n in ticks] for name in COMPONENTS}
        lasting, momentary = self._states
        for name, energies in self._spread(lasting, self._ticks(cuts)):
            sums[name] = [a + b for a, b in zip(sums[name], energies, strict=True)]
        for name, energies in self._spread(momentary, self._times(cuts, list(momentary))):
            sums[name] = [a + b for a, b in zip(sums[name], energies, strict=True)]
        found = {name: tuple(bins) for name, bins in sums.items() if any(bins)}
        return PowerSeries(cuts, self.energy.arch.core.clock, found)

    @cached_property
    def _states(self) -> tuple[dict[State, dict[str, Fraction]], dict[State, dict[str, Fraction]]]:
        """pJ by component of a tick of each state that lasts, and of each time of one that does not."""
        lasting: dict[State, dict[str, Fraction]] = {}
        momentary: dict[State, dict[str, Fraction]] = {}
        statistics = self.energy.statistics
        for part in range(len(statistics.log.parts)):
            ticks, counts = statistics.ticks_by_code(part), statistics.counts_by_part[part]
            for code in np.flatnonzero(counts).tolist():
                once = self.energy.prices.priced(statistics.log.labels[code].amounts)
                if once and ticks[code]:
                    often = Fraction(int(counts[code]), int(ticks[code]))
                    lasting[part, code] = {name: pj * often for name, pj in once.items()}
                elif once:
                    momentary[part, code] = once
        return lasting, momentary

    def _ticks(self, cuts: Ints) -> Ints:
        """(bins, states that last): ticks."""
        lasting = list(self._states[0])
        parts = list(dict.fromkeys(part for part, _ in lasting))
        columns = np.full((len(self.states.rows), len(parts)), len(lasting), dtype=np.int64)
        for column, (part, code) in enumerate(lasting):
            here = parts.index(part)
            columns[self.states.codes[:, part] == code, here] = column
        measure = StateTicks(self.states, columns, len(lasting) + 1)
        return np.diff(cumulative(self.energy.statistics.log, cuts, measure), axis=0)[:, :-1]

    def _times(self, cuts: Ints, momentary: Sequence[State]) -> Ints:
        """(bins, states that do not last): how often. What happens at the last tick of all is in the bin before it."""
        log = self.energy.statistics.log
        times = np.zeros((len(cuts) - 1, len(momentary)), dtype=np.int64)
        last = np.where(cuts == log.end, cuts, cuts - 1)
        for column, (part, code) in enumerate(momentary):
            table = np.zeros((len(log.labels), 1), dtype=np.int64)
            table[code] = 1
            before = cumulative(log, np.maximum(last, 0), Occurrences(log, log.rows(part), table))[:, 0]
            times[:, column] = np.diff(np.where(cuts > 0, before, 0))
        return times

    def _spread(
        self, states: Mapping[State, Mapping[str, Fraction]], counts: Ints
    ) -> Iterator[tuple[str, list[Fraction]]]:
        """(component, energy of each bin), from how much of each state each bin has."""
        exact = counts.astype(object)
        for name in COMPONENTS:
            energies = [of.get(name, NONE) for of in states.values()]
            if any(energies):
                unit = lcm(*(energy.denominator for energy in energies))
                sums = exact @ np.array([int(energy * unit) for energy in energies], dtype=object)
                yield name, [Fraction(total, unit) for total in sums.tolist()]
