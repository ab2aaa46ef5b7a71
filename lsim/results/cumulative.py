"""What has come together from the start of a run to any tick, without unfolding its log.

A tick lies in some entry's stretch of ticks, or in a repetition of a fold, and there again in some entry's stretch. So what
came before it is, on each level, what the entries before it brought, the whole repetitions before it, and the rest one
level further in. All ticks go down the levels together.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from lsim.results.folded import FoldedLog, Ints


class Measure(Protocol):
    """Quantities that come with time, as columns: ticks in a state, shots."""

    @property
    def width(self) -> int:
        """How many columns."""
        ...

    def between(self, rows: Ints) -> Ints:
        """(len(rows) − 1, width): what the entries from each row up to the next bring, folds aside; rows ascend."""
        ...

    def within(self, rows: Ints, ticks: Ints) -> Ints:
        """(len(rows), width): what the first so many ticks of each entry's stretch bring."""
        ...


def cumulative(log: FoldedLog, ticks: Ints, measure: Measure) -> Ints:
    """(len(ticks), width): what a measure has come to before each tick, 0 <= tick <= the run's end."""
    levels = log.levels(ticks)
    before = Before(log, measure, [row for level in levels for row in (level.first, level.row)])
    sums = np.zeros((len(ticks), measure.width), dtype=np.int64)
    for level in levels:
        sums[level.which] += before(level.row) - before(level.first)
        deeper = level.fold >= 0
        sums[level.which[deeper]] += before.stretches[level.fold[deeper]] * level.times[deeper, None]
        sums[level.which[~deeper]] += measure.within(level.row[~deeper], level.ticks[~deeper])
    return sums


class Before:
    """What came before a row of the log, in the time it was written: with all repetitions of the folds above it.

    `stretches`: what one repetition of each fold brings.
    """

    def __init__(self, log: FoldedLog, measure: Measure, rows: list[Ints]) -> None:
        self._log = log
        ends = np.array([(f.first, f.last) for f in log.folds], dtype=np.int64).reshape(-1, 2)
        self._rows = np.unique(np.concatenate([*rows, ends.ravel()]))
        flat = np.zeros((len(self._rows), measure.width), dtype=np.int64)
        np.cumsum(measure.between(self._rows), axis=0, out=flat[1:])
        self._flat = flat
        self._folded = np.zeros((len(log.folds) + 1, measure.width), dtype=np.int64)
        self.stretches = flat[self._place(ends[:, 1])] - flat[self._place(ends[:, 0])]
        inside = np.searchsorted(log.fold_rows, ends).tolist()
        for i, (fold, (a, b)) in enumerate(zip(log.folds, inside, strict=True)):
            self.stretches[i] += self._folded[b] - self._folded[a]
            self._folded[i + 1] = self._folded[i] + fold.count * self.stretches[i]

    def _place(self, rows: Ints) -> Ints:
        return np.searchsorted(self._rows, rows)

    def __call__(self, rows: Ints) -> Ints:
        return self._flat[self._place(rows)] + self._folded[np.searchsorted(self._log.fold_rows, rows)]
