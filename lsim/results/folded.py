"""The folded log of a run as arrays, and how often each stretch of it really happened."""

from __future__ import annotations

from functools import cached_property
from heapq import heapify, heappop, heappush
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
        """How often the stretch that begins with each entry happened."""
        return self._spread([(0, len(self.entries), 1)])

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

    def spent(self, begin: int, end: int) -> Ints:
        """Ticks in [begin, end) that each entry's stretch took, in all its repetitions together."""
        ranges: list[tuple[int, int, int]] = []
        parts: dict[int, int] = {}
        self._cover(0, len(self.entries), begin, end, ranges, parts)
        spent = self._spread(ranges) * self.ticks
        for row, ticks in parts.items():
            spent[row] += ticks
        return spent

    def _cover(
        self,
        low: int,
        high: int,
        begin: int,
        end: int,
        ranges: list[tuple[int, int, int]],
        parts: dict[int, int],
    ) -> None:
        """Adds what happened in [begin, end), as it is written, of the entries [low, high): whole entries to `ranges`, the
        ticks of others to `parts`."""
        starts = self.entries[low:high, 0]
        first = low + int(np.searchsorted(starts, begin, side="left"))
        after = low + int(np.searchsorted(starts, end, side="left"))
        if first > low:  # the entry before reaches into the window
            self._cover_entry(first - 1, begin, min(end, self._until(first - 1)), ranges, parts)
        if after - 1 >= first:
            if after - 1 > first:
                ranges.append((first, after - 1, 1))
            self._cover_entry(
                after - 1, int(self.entries[after - 1, 0]), min(end, self._until(after - 1)), ranges, parts
            )

    def _until(self, row: int) -> int:
        return int(self.entries[row + 1, 0]) if row + 1 < len(self.entries) else self.end

    def _cover_entry(
        self, row: int, begin: int, end: int, ranges: list[tuple[int, int, int]], parts: dict[int, int]
    ) -> None:
        """Adds the ticks [begin, end) of one entry; of a fold, those of the repetitions it stands for."""
        if begin >= end:
            return
        if self.entries[row, 1] != FOLD:
            parts[row] = parts.get(row, 0) + end - begin
            return
        fold = self.folds[int(self.entries[row, 2])]
        origin = int(self.entries[row, 0])
        one, two = (begin - origin) // fold.period, (end - 1 - origin) // fold.period  # repetitions, from 0
        for time in sorted({one, two}):
            later = fold.later(time + 1)
            inside = max(begin, origin + time * fold.period), min(end, origin + (time + 1) * fold.period)
            self._cover(fold.first, fold.last, inside[0] - later, inside[1] - later, ranges, parts)
        if two - one > 1:
            ranges.append((fold.first, fold.last, two - one - 1))

    def _spread(self, ranges: list[tuple[int, int, int]]) -> Ints:
        """Of each entry, how often its stretch happens if those in the ranges (first, last, times) do: with every fold in a
        range happens what it repeats."""
        rows = self.fold_rows.tolist()
        steps = np.zeros(len(self.entries) + 1, dtype=np.int64)
        # (−last, −first, times) of ranges that lie further down, then (−first, times) of those that may span a fold
        below = [(-last, -first, times) for first, last, times in ranges]
        heapify(below)
        open_ranges: list[tuple[int, int]] = []
        spanning = 0
        for i in range(len(rows) - 1, -1, -1):
            while below and -below[0][0] > rows[i]:
                _, first, times = heappop(below)
                heappush(open_ranges, (first, times))
                spanning += times
            while open_ranges and -open_ranges[0][0] > rows[i]:
                spanning -= heappop(open_ranges)[1]
            if spanning:
                fold = self.folds[i]
                heappush(below, (-fold.last, -fold.first, fold.count * spanning))
                steps[fold.first] += fold.count * spanning
                steps[fold.last] -= fold.count * spanning
        for first, last, times in ranges:
            steps[first] += times
            steps[last] -= times
        return np.cumsum(steps[:-1])

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
