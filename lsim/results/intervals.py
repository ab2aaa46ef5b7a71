"""Intervals of a window of the folded log, in the order of time, without unfolding more than the window."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from attrs import field, frozen

from lsim.errors import InputError
from lsim.kernel.log import FOLD, Fold
from lsim.results.folded import FoldedLog, Ints

AT_ONCE = 256  # entries taken out of their array: few, since who asks may want only the first


class Interval(NamedTuple):
    """A part (its rank) in one state (its code) for the ticks [begin, end), `position` items of its program done.

    Each time that a part enters a state is an interval of its own, if time passes in it: two blocks of equal work in
    succession are two intervals.
    """

    part: int
    begin: int
    end: int
    code: int
    position: int


class Change(NamedTuple):
    """A part enters a state; see `Interval`."""

    tick: int
    part: int
    code: int
    position: int


def check_window(begin: int, end: int, ticks: int) -> None:
    """Raises InputError for a window that is empty or not in a run of so many ticks."""
    if begin >= end:
        raise InputError(f"[{begin}, {end}) holds no tick")
    if not 0 <= begin < end <= ticks:
        asked = f"tick {begin}" if end == begin + 1 else f"[{begin}, {end})"
        raise InputError(f"{asked} is not in the run's [0, {ticks})")


def intervals(log: FoldedLog, parts: Sequence[int] | None, begin: int, end: int) -> Iterator[Interval]:
    """The intervals of some parts (all if None) in [begin, end), cut off at its edges, in the order of their ends.

    Those of one part follow each other without gap from `begin` to `end`; an interval that goes on over the edge of a
    fold is one. Needs time and memory in proportion to the window, not to the run. Raises InputError for a window that
    is empty or not in the run.
    """
    since: dict[int, Change] = {}
    for change in changes(log, parts, begin, end):
        before = since.get(change.part)
        if before is not None:
            yield Interval(before.part, before.tick, change.tick, before.code, before.position)
        since[change.part] = change
    for part in sorted(since):
        last = since[part]
        yield Interval(part, last.tick, end, last.code, last.position)


def changes(log: FoldedLog, parts: Sequence[int] | None, begin: int, end: int) -> Iterator[Change]:
    """The beginnings of the same intervals, in the order of time and of rank: first what each part is in at `begin`."""
    check_window(begin, end, log.end)
    chosen = range(len(log.parts)) if parts is None else sorted(set(parts))
    moment = log.at(begin)
    for part in chosen:
        yield Change(begin, part, moment.codes[part], moment.positions[part])
    for _, found in groupby(Unfolding(log, tuple(chosen)).records(begin, end), itemgetter(0)):
        lasting = {record[1]: record for record in found}  # of several in a tick, time passes in the last
        for part in sorted(lasting):
            yield Change(*lasting[part])


Record = tuple[int, int, int, int]


@frozen(eq=False)
class Unfolding:
    """The records of some parts, folds undone."""

    log: FoldedLog
    parts: tuple[int, ...]
    rows: Ints = field(init=False, repr=False)

    @rows.default
    def _own(self) -> Ints:
        """The entries that matter: the records of the parts, and the folds that repeat any of them."""
        records = np.flatnonzero(np.isin(self.log.entries[:, 1], self.parts))
        folds: list[int] = []
        for row, fold in zip(self.log.fold_rows.tolist(), self.log.folds, strict=False):
            first, after = records.searchsorted((fold.first, fold.last))
            if first < after or bisect_left(folds, fold.first) < bisect_left(folds, fold.last):
                folds.append(row)
        return np.union1d(records, np.array(folds, np.int64))

    @cached_property
    def _entries(self) -> Ints:
        return self.log.entries[self.rows]

    @cached_property
    def _ticks(self) -> Ints:
        return np.ascontiguousarray(
            self._entries[:, 0]
        )  # a column of an array would be copied at each search

    @cached_property
    def _stretches(self) -> list[tuple[int, int]]:
        """Of each fold, its first and last as indices of `rows`."""
        bounds = np.array([(fold.first, fold.last) for fold in self.log.folds], np.int64).reshape(-1, 2)
        first, last = np.searchsorted(self.rows, bounds).T
        return list(zip(first.tolist(), last.tolist(), strict=True))

    def records(self, begin: int, end: int) -> Iterator[Record]:
        """(tick, part, code, position) of every record after tick `begin` and before tick `end`, in the order of time."""
        return self._walk(0, len(self.rows), begin, end, 0, dict.fromkeys(self.parts, 0))

    def _walk(
        self, low: int, high: int, begin: int, end: int, later: int, further: dict[int, int]
    ) -> Iterator[Record]:
        """Those of the stretch [low, high), where `begin` and `end` are as it was written, that happened `later` ticks
        and `further` items after it was written."""
        ticks = self._ticks[low:high]
        first = low + int(ticks.searchsorted(begin, side="right"))
        after = low + int(ticks.searchsorted(end, side="left"))
        if first > low and self._entries[first - 1, 1] == FOLD:  # it may reach into the window
            first -= 1
        for some in range(first, after, AT_ONCE):
            for tick, part, code, position in self._entries[some : min(some + AT_ONCE, after)].tolist():
                if part == FOLD:
                    yield from self._repeat(code, tick, begin, end, later, further)
                else:
                    yield tick + later, part, code, position + further[part]

    def _repeat(
        self, index: int, tick: int, begin: int, end: int, later: int, further: dict[int, int]
    ) -> Iterator[Record]:
        """Those of the repetitions of a fold that is written at `tick`."""
        fold: Fold = self.log.folds[index]
        low, high = self._stretches[index]
        one = max(1, (begin - tick) // fold.period + 1)
        two = min(fold.count, (end - 1 - tick) // fold.period + 1)
        for time in range(one, two + 1):
            shift = fold.later(time)
            moved = {part: n + fold.further(part, time) for part, n in further.items()}
            yield from self._walk(low, high, begin - shift, end - shift, later + shift, moved)
