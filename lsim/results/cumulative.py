"""What has come together from the start of a run to any tick, without unfolding its log.

A tick lies in some entry's stretch of ticks, or in a repetition of a fold, and there again in some entry's stretch. So what
came before it is, on each level, what the entries before it brought, the whole repetitions before it, and the rest one
level further in. All ticks go down the levels together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from lsim.kernel.log import FOLD
from lsim.results.folded import FoldedLog, Ints


class Measure(Protocol):
    """Quantities that come with time, as columns: ticks in a state, shots."""

    width: int

    def between(self, rows: Ints) -> Ints:
        """(len(rows) − 1, width): what the entries from each row up to the next bring, folds aside; rows ascend."""
        ...

    def within(self, rows: Ints, ticks: Ints) -> Ints:
        """(len(rows), width): what the first so many ticks of each entry's stretch bring."""
        ...


def cumulative(log: FoldedLog, ticks: Ints, measure: Measure) -> Ints:
    """(len(ticks), width): what a measure has come to before each tick, 0 <= tick <= the run's end."""
    levels = list(_levels(log, ticks))
    rows, inner = levels.pop()
    before = _Before(log, measure, [row for low, high, *_ in levels for row in (low, high)])
    sums = measure.within(rows, inner)
    for low, high, fold, times, here in levels:
        repeated = before.stretches[fold] * times[:, None] if len(log.folds) else 0
        sums[here] += before(high) - before(low) + repeated
    return sums


def _levels(log: FoldedLog, ticks: Ints) -> Iterator[tuple[Ints, ...]]:
    """For each level: rows at which the stretch begins and the tick's entry stands, the fold that this is and the whole
    repetitions of it before the tick (0 where it is none), and which of the ticks go as deep. Last, the innermost entries
    and the ticks into their stretches."""
    starts, folds = log.entries[:, 0], _fold_table(log)
    here, tick = np.arange(len(ticks)), ticks.copy()
    low, rows, inner = np.zeros_like(ticks), np.zeros_like(ticks), np.zeros_like(ticks)
    while len(here):
        row = np.searchsorted(starts, tick, side="right") - 1
        rows[here], inner[here] = row, tick - starts[row]
        deeper = log.entries[row, 1] == FOLD
        fold = np.where(deeper, log.entries[row, 2], 0)
        first, period, shift = folds[:, fold]
        times = np.where(deeper, (tick - starts[row]) // period, 0)
        yield low, row, fold, times, here
        tick, low, here = (tick - shift - times * period)[deeper], first[deeper], here[deeper]
    yield rows, inner


def _fold_table(log: FoldedLog) -> Ints:
    """First entry, period and shift of each fold; a row that divides by nothing if there is none."""
    return np.array([(f.first, f.period, f.shift) for f in log.folds] or [(0, 1, 0)], dtype=np.int64).T


class _Before:
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
