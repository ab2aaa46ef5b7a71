"""Sums over a run up to any tick, without unfolding it: how often, and for how long."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from attrs import field, frozen

from lsim.kernel.labels import Kind
from lsim.kernel.log import FOLD
from lsim.results.folded import FoldedLog, Ints


@frozen(eq=False)
class RunningSum:
    """What entries and the ticks after them add up to.

    `points`: what each entry of the log counts when it happens. `rates`: what each tick counts from an entry to the next.
    Both are counted again with each repetition of a fold; a fold itself counts nothing.
    """

    log: FoldedLog
    points: Ints
    rates: Ints
    _ticks: Ints = field(init=False, repr=False)
    _before: Ints = field(init=False, repr=False)

    @_ticks.default
    def _own_ticks(self) -> Ints:
        return np.ascontiguousarray(self.log.entries[:, 0])

    @_before.default
    def _sums(self) -> Ints:
        """The sum before each entry, if the run had been as it is written, with what each fold repeats."""
        rows = self.log.fold_rows
        sums = np.concatenate(([0], np.cumsum(self.points + self.rates * self.log.ticks)))
        repeated = 0
        for row, after, fold in zip(rows, [*rows[1:], len(sums) - 1], self.log.folds, strict=False):
            repeated += fold.count * int(sums[fold.last] - sums[fold.first])
            sums[row + 1 : after + 1] += repeated
        return sums

    def until(self, tick: int) -> int:
        """Of all entries at or before a tick and all ticks before it."""
        total, low, high = 0, 0, len(self._ticks)
        while True:
            row = low + int(np.searchsorted(self._ticks[low:high], tick, side="right")) - 1
            total += int(self._before[row] - self._before[low])
            written = int(self._ticks[row])
            if self.log.entries[row, 1] != FOLD:
                return total + int(self.points[row] + self.rates[row] * (tick - written))
            fold = self.log.folds[int(self.log.entries[row, 2])]
            times = (tick - written) // fold.period
            total += times * int(self._before[fold.last] - self._before[fold.first])
            tick, low, high = tick - fold.later(times + 1), fold.first, fold.last

    def between(self, begin: int, end: int) -> int:
        """Of all entries after `begin` and at or before `end`, and all ticks of [begin, end)."""
        return self.until(end) - self.until(begin)


def running_ticks(log: FoldedLog, part: int, kind: Kind) -> RunningSum:
    """Ticks that a part was in states of a kind."""
    own = log.rows(part)
    codes = np.concatenate(([log.initial[part]], log.entries[own, 2]))
    so = np.array([label.kind is kind for label in log.labels], np.int64)[codes]
    rates = np.repeat(so, np.diff(own, prepend=0, append=len(log.entries)))
    return RunningSum(log, np.zeros_like(rates), rates)


def running_records(log: FoldedLog, parts: Iterable[int]) -> RunningSum:
    """How often one of these parts entered a state."""
    points = np.isin(log.entries[:, 1], list(parts)).astype(np.int64)
    return RunningSum(log, points, np.zeros_like(points))
