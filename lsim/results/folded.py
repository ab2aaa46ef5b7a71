"""The folded log of a run as arrays, and how often each stretch of it really happened."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from lsim.kernel.labels import Label
from lsim.kernel.log import FOLD, Fold

if TYPE_CHECKING:
    from lsim.kernel.environment import Environment

Ints = NDArray[np.int64]


@frozen(eq=False)
class Level:
    """Of ticks that lie in stretches of entries which begin with `first`: the entry `row` that each lies behind, and by how many `ticks`.

    `which`: the places of these ticks among all. `fold`: the fold that `row` is, −1 for none; `times`: its whole repetitions
    before the tick.
    """

    which: Ints
    first: Ints
    row: Ints
    ticks: Ints
    fold: Ints
    times: Ints


@frozen
class Moment:
    """The machine at a tick: the entry it lies behind, in whichever repetition, and by how many ticks; for each part, in
    rank order, its state (code) and the items of its program that it has done."""

    row: int
    inner: int
    codes: tuple[int, ...]
    positions: tuple[int, ...]


@frozen(eq=False)
class FoldedLog:
    """Every state of every part at every tick, folded.

    `entries`: (n, 4) tick, part, code, position (see `lsim.kernel.log`). `parts`: names in rank order. `labels`: by code.
    `initial`: the code each part begins with. `end`: the last tick.
    """

    entries: Ints = field(repr=False)
    folds: tuple[Fold, ...] = field(repr=False)
    parts: tuple[str, ...]
    labels: tuple[Label, ...] = field(repr=False)
    initial: tuple[int, ...] = field(repr=False)
    end: int
    _active: dict[int, list[int]] = field(factory=dict, init=False)

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
        return self._counted()

    def _counted(self) -> Ints:
        """Once as written, and with every fold what it repeats: from the last fold to the first, since folds hold folds."""
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
        order, ends = self._by_part
        return order[ends[part] : ends[part + 1]]

    @cached_property
    def _by_part(self) -> tuple[Ints, Ints]:
        """The entries by part, each part's in order; of each part, where its begin and end."""
        parts = self.entries[:, 1].astype(np.int16)  # numbers that small are sorted by counting
        order = np.argsort(parts, kind="stable")
        return order, np.searchsorted(parts[order], np.arange(len(self.parts) + 1))

    def codes_at(self, part: int, rows: Ints) -> Ints:
        """The state of a part during the stretches that begin with these entries."""
        own = self.rows(part)
        codes = np.concatenate(([self.initial[part]], self.entries[own, 2]))
        return codes[np.searchsorted(own, rows, side="right")]

    def levels(self, ticks: Ints) -> list[Level]:
        """Where ticks of the run lie, from the whole log down into the folds: see `Level`."""
        starts, found = self.entries[:, 0], []
        which, first = np.arange(len(ticks)), np.zeros_like(ticks)
        while len(which):
            row = np.searchsorted(starts, ticks, side="right") - 1
            fold = np.where(self.entries[row, 1] == FOLD, self.entries[row, 2], -1)
            begin, period, shift = self._fold_numbers[:, fold]
            inner = ticks - starts[row]
            times = np.where(fold >= 0, inner // period, 0)
            found.append(Level(which, first, row, inner, fold, times))
            deeper = fold >= 0
            ticks = (ticks - shift - times * period)[deeper]
            which, first = which[deeper], begin[deeper]
        return found

    @cached_property
    def _fold_numbers(self) -> Ints:
        """First entry, period and shift of each fold; last a column for none."""
        return np.array([*((f.first, f.period, f.shift) for f in self.folds), (0, 1, 0)], dtype=np.int64).T

    def at(self, tick: int) -> Moment:
        """What every part does at a tick, once all of that tick has happened."""
        levels = self.levels(np.array([tick]))
        row, inner = int(levels[-1].row[0]), int(levels[-1].ticks[0])
        shifts = [(self.folds[level.fold[0]], int(level.times[0]) + 1) for level in levels[:-1]]
        parts = range(len(self.parts))
        codes = tuple(int(self.codes_at(part, np.array([row]))[0]) for part in parts)
        return Moment(row, inner, codes, tuple(self._position_at(part, row, shifts) for part in parts))

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

    def active_folds(self, part: int) -> list[int]:
        """The folds whose stretch has records of a part, by number."""
        known = self._active.get(part)
        if known is None:
            ends = [(fold.first, fold.last) for fold in self.folds]
            known = self._active[part] = []
            for i, (a, b) in enumerate(np.searchsorted(self.rows(part), ends).tolist() if ends else []):
                inner = bisect_left(known, np.searchsorted(self.fold_rows, ends[i][0]))
                if a < b or (inner < len(known) and self.fold_rows[known[inner]] < ends[i][1]):
                    known.append(i)
        return known

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
