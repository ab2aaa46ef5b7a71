"""The folded log of a run as arrays, and how often each stretch of it really happened."""

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
class FoldedLog:
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
    def of(cls, env: Environment, initial: list[int]) -> FoldedLog:
        """The log of a finished run."""
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
        """How often the stretch that begins with each entry happened: with every fold happens what it repeats."""
        steps = np.zeros(len(self.entries) + 1, dtype=np.int64)
        below = [(-len(self.entries), 0, 1)]  # (−last, −first, times) of stretches that lie further down
        open_stretches: list[tuple[int, int]] = []  # (−first, times) of those that may span a fold
        spanning = 0
        for row, fold in zip(reversed(self.fold_rows.tolist()), reversed(self.folds), strict=True):
            while below and -below[0][0] > row:
                _, first, times = heappop(below)
                heappush(open_stretches, (first, times))
                spanning += times
            while open_stretches and -open_stretches[0][0] > row:
                spanning -= heappop(open_stretches)[1]
            heappush(below, (-fold.last, -fold.first, fold.count * spanning))
            steps[fold.first] += fold.count * spanning
            steps[fold.last] -= fold.count * spanning
        return np.cumsum(steps[:-1]) + 1

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

    def codes_at(self, part: int, rows: Ints) -> Ints:
        """The state of a part during the stretches that begin with these entries."""
        own = self.rows(part)
        codes = np.concatenate(([self.initial[part]], self.entries[own, 2]))
        return codes[np.searchsorted(own, rows, side="right")]

    def at(self, tick: int) -> tuple[Ints, Ints]:
        """The state (code) of every part at a tick and the items of its program that it has done."""
        row, shifts = self._locate(tick)
        codes = np.array([self._code_at(part, row) for part in range(len(self.parts))])
        positions = np.array([self._position_at(part, row, shifts) for part in range(len(self.parts))])
        return codes, positions

    def _locate(self, tick: int) -> tuple[int, list[tuple[Fold, int]]]:
        """The last entry at or before a tick, and the repetitions (fold, which time) it was found in, outermost first."""
        low, high, shifts = 0, len(self.entries), []  # type: tuple[int, int, list[tuple[Fold, int]]]
        while True:
            row = low + int(np.searchsorted(self.entries[low:high, 0], tick, side="right")) - 1
            if self.entries[row, 1] != FOLD:
                return row, shifts
            fold = self.folds[int(self.entries[row, 2])]
            time = (tick - int(self.entries[row, 0])) // fold.period + 1
            shifts.append((fold, time))
            tick -= fold.later(time)
            low, high = fold.first, fold.last

    def _code_at(self, part: int, row: int) -> int:
        rows = self.rows(part)
        at = int(np.searchsorted(rows, row, side="right")) - 1
        return int(self.entries[rows[at], 2]) if at >= 0 else self.initial[part]

    def _position_at(self, part: int, row: int, shifts: list[tuple[Fold, int]]) -> int:
        rows = self.rows(part)
        at = int(np.searchsorted(rows, row, side="right")) - 1
        last = int(rows[at]) if at >= 0 else -1
        position = int(self.entries[last, 3]) if at >= 0 else 0
        folds = self._moving_folds(part, last + 1, row)
        if folds:  # what it did in a fold since its last record
            fold = self.folds[int(self.entries[folds[-1], 2])]
            position = self._reach(part, fold.first, fold.last) + fold.further(part, fold.count)
        return position + sum(fold.further(part, time) for fold, time in shifts)

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
