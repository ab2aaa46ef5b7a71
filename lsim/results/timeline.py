"""The timeline of a run: the folded log as arrays, and how often each stretch of it really happened."""

from __future__ import annotations

from functools import cached_property
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from lsim.kernel.labels import Label
from lsim.kernel.log import FOLD, Fold
from lsim.units import ceil_div

if TYPE_CHECKING:
    from lsim.kernel.environment import Environment

Ints = NDArray[np.int64]


@frozen(eq=False)
class Timeline:
    """Every state of every part at every tick, folded.

    `entries`: (n, 4) tick, part, code, position (see `lsim.kernel.log`). `parts`: names in rank order. `labels`: by code.
    `initial`: the code each part begins with. `end`: the last tick.
    """

    entries: Ints
    folds: tuple[Fold, ...]
    parts: tuple[str, ...]
    labels: tuple[Label, ...]
    initial: tuple[int, ...]
    end: int
    _rows: dict[int, Ints] = field(factory=dict, init=False)

    @classmethod
    def of(cls, env: Environment, initial: list[int]) -> Timeline:
        """The timeline of a finished run."""
        entries = np.frombuffer(env.log.records, dtype=np.int64).reshape(-1, 4)
        entries = entries[: np.searchsorted(entries[:, 0], env.end, side="right")]
        names = tuple(part.name for part in env.parts)
        return cls(entries, tuple(env.log.folds), names, tuple(env.labels.all), tuple(initial), env.end)

    @cached_property
    def fold_rows(self) -> Ints:
        """The entry of each fold."""
        return np.flatnonzero(self.entries[:, 1] == FOLD)

    @cached_property
    def times(self) -> Ints:
        """How often the stretch that begins with each entry happened."""
        weights = _weights(self.fold_rows.tolist(), self.folds)
        steps = np.zeros(len(self.entries) + 1, dtype=np.int64)
        for fold, weight in zip(self.folds, weights, strict=True):
            steps[fold.first] += fold.count * weight
            steps[fold.last] -= fold.count * weight
        return 1 + np.cumsum(steps[:-1])

    @cached_property
    def ticks(self) -> Ints:
        """Ticks from each entry to the next; a fold's own are those of the stretch it repeats, so 0."""
        later = np.append(self.entries[1:, 0], self.end)
        ticks = later - self.entries[:, 0]
        ticks[self.fold_rows] = 0
        return ticks

    @cached_property
    def elapsed(self) -> Ints:
        """Ticks of the whole run spent before each entry's stretch, all its repetitions counted where they are written; one longer than the log."""
        return np.concatenate(([0], np.cumsum(self.times * self.ticks)))

    def rows(self, part: int) -> Ints:
        """The entries that are records of a part."""
        known = self._rows.get(part)
        if known is None:
            known = self._rows[part] = np.flatnonzero(self.entries[:, 1] == part)
        return known

    def when(self, part: int, position: int) -> int:
        """The tick of the part's first record with at least `position` items of its program done."""
        found = self._when(part, position, 0, len(self.entries), 0, 0)
        assert found is not None, (self.parts[part], position)
        return found

    def _when(self, part: int, position: int, low: int, high: int, later: int, further: int) -> int | None:
        """In the stretch [low, high) that happened `later` ticks and `further` items after it was written."""
        rows = self.rows(part)
        positions = self.entries[rows, 3]
        first = np.searchsorted(rows, low)
        at = max(first, np.searchsorted(positions, position - further))
        row = int(rows[at]) if at < len(rows) else high
        before = int(rows[at - 1]) if at > first else low
        for j in self._moving_folds(part, before, min(row, high)):
            fold = self.folds[int(self.entries[j, 2])]
            missing = position - further - fold.further(part, 1) - self._reach(part, fold.first, fold.last)
            time = 1 + max(0, ceil_div(missing, fold.steps[part]))
            if time <= fold.count:
                moved = further + fold.further(part, time)
                return self._when(part, position, fold.first, fold.last, later + fold.later(time), moved)
        return int(self.entries[row, 0]) + later if row < high else None

    def _moving_folds(self, part: int, low: int, high: int) -> list[int]:
        """The folds in [low, high) in which the part moves."""
        a, b = np.searchsorted(self.fold_rows, (low, high))
        return [int(j) for j in self.fold_rows[a:b] if self.folds[int(self.entries[j, 2])].steps[part]]

    def _reach(self, part: int, low: int, high: int) -> int:
        """The last position that the part records in the stretch."""
        rows = self.rows(part)
        at = int(np.searchsorted(rows, high)) - 1
        row = int(rows[at]) if at >= 0 and rows[at] >= low else low - 1
        folds = self._moving_folds(part, max(row, low), high)
        if folds:
            fold = self.folds[int(self.entries[folds[-1], 2])]
            return self._reach(part, fold.first, fold.last) + fold.further(part, fold.count)
        return int(self.entries[row, 3])


def _weights(rows: list[int], folds: tuple[Fold, ...]) -> list[int]:
    """How often each fold itself happened: once, and again with every later fold that spans it."""
    weights = [0] * len(folds)
    # (−last, −first, count·weight) of later folds whose stretch lies further down, then of those that may span this one
    below: list[tuple[int, int, int]] = []
    open_folds: list[tuple[int, int]] = []
    spanning = 1
    for i in range(len(folds) - 1, -1, -1):
        while below and -below[0][0] > rows[i]:
            _, first, weight = heappop(below)
            heappush(open_folds, (first, weight))
            spanning += weight
        while open_folds and -open_folds[0][0] > rows[i]:
            spanning -= heappop(open_folds)[1]
        weights[i] = spanning
        heappush(below, (-folds[i].last, -folds[i].first, folds[i].count * spanning))
    return weights
