"""Where in a folded log a part reaches positions of its program: what it did for each operator, without unfolding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lsim.kernel.log import FOLD
from lsim.results.cumulative import Before
from lsim.results.folded import FoldedLog, Ints


class Occurrences:
    """What records count, those of a part or any others (their entries), as a measure: `table[code]` is what one of that state
    brings, by default 1."""

    def __init__(self, log: FoldedLog, records: Ints, table: Ints | None = None) -> None:
        table = np.ones((len(log.labels), 1), dtype=np.int64) if table is None else table
        self.width = table.shape[1]
        self._own = records
        self._sums = np.zeros((len(self._own) + 1, self.width), dtype=np.int64)
        np.cumsum(table[log.entries[self._own, 2]], axis=0, out=self._sums[1:])

    def between(self, rows: Ints) -> Ints:
        return np.diff(self._sums[np.searchsorted(self._own, rows)], axis=0)

    def within(self, rows: Ints, ticks: Ints) -> Ints:
        """A record counts as it is made: so what comes of it before a tick includes that of the tick."""
        first, last = (np.searchsorted(self._own, rows, side=side) for side in ("left", "right"))
        return self._sums[last] - self._sums[first]


class _Level(NamedTuple):
    """Where positions are found on one level of folds: the stretch begins at `low`; `row` is the entry. If that is a fold,
    `times` whole repetitions of it come before. `here`: which of the positions go as deep."""

    low: Ints
    row: Ints
    fold: Ints
    times: Ints
    here: Ints


def reached(log: FoldedLog, part: int, positions: Ints) -> Ints:
    """The ticks at which a part has as many items of its program done: of its first record that says so."""
    ticks, folds = np.zeros(len(positions), dtype=np.int64), log.folds
    for level in _levels(log, part, positions):
        entries = log.entries[level.row]
        deeper = entries[:, 1] == FOLD
        ticks[level.here[~deeper]] += entries[~deeper, 0]
        if deeper.any():
            shift, period = np.array([(f.shift, f.period) for f in folds])[level.fold[deeper]].T
            ticks[level.here[deeper]] += shift + level.times[deeper] * period
    return ticks


def counted_before(log: FoldedLog, part: int, positions: Ints, table: Ints) -> Ints:
    """(len(positions), width): what the records of a part count that say fewer items done; see `Occurrences`."""
    levels = list(_levels(log, part, positions))
    before = Before(
        log, Occurrences(log, log.rows(part), table), [row for level in levels for row in level[:2]]
    )
    sums = np.zeros((len(positions), table.shape[1]), dtype=np.int64)
    for level in levels:
        repeated = before.stretches[level.fold] * level.times[:, None] if len(log.folds) else 0
        sums[level.here] += before(level.row) - before(level.low) + repeated
    return sums


def _levels(log: FoldedLog, part: int, positions: Ints) -> Iterator[_Level]:
    marks, reach = _reach(log, part)
    table = np.array([(f.first, f.steps[part], f.offsets[part]) for f in log.folds] or [(0, 1, 0)])
    here, wanted, low = np.arange(len(positions)), positions, np.zeros_like(positions)
    while len(here):
        # No entry before the stretch can be found: there the part was not as far yet.
        row = marks[np.searchsorted(reach, wanted)]
        deeper = log.entries[row, 1] == FOLD
        fold = np.where(deeper, log.entries[row, 2], 0)
        first, steps, offset = table[fold].T
        inside = reach[np.searchsorted(marks, _last(log, fold)) - 1] if len(log.folds) else 0
        missing = np.where(deeper, wanted - offset - inside, 0)
        times = np.maximum(0, -(-missing // np.maximum(steps, 1)))
        yield _Level(low, row, fold, times, here)
        wanted, low, here = (wanted - offset - times * steps)[deeper], first[deeper], here[deeper]


def _last(log: FoldedLog, fold: Ints) -> Ints:
    return np.array([f.last for f in log.folds], dtype=np.int64)[fold]


def _reach(log: FoldedLog, part: int) -> tuple[Ints, Ints]:
    """The entries with which a part moves, records and folds, and how far in its program it is with each at the last."""
    own = log.rows(part)
    moving = [i for i, fold in enumerate(log.folds) if fold.steps[part]]
    marks = np.sort(np.concatenate([own, log.fold_rows[moving]]).astype(np.int64))
    reach = log.entries[marks, 3]
    for i in moving:
        fold = log.folds[i]
        last = int(np.searchsorted(marks, fold.last)) - 1
        reach[np.searchsorted(marks, log.fold_rows[i])] = reach[last] + fold.further(part, fold.count)
    return marks, reach
