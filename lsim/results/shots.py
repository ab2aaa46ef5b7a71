"""Shots and the work in them, tick by tick: how far a core is in its block, from the closed form of the block.

A shot takes the tick in which the cores fire. The MACs of a block are done by its shots in order: each does as many as fit its
wavelengths and engines, the last one what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from attrs import fields, frozen

from lsim.kernel.labels import Cause, Label
from lsim.parts.readout import Pattern
from lsim.results.folded import FoldedLog, Ints

COUNTED = ("core_shots", "engine_shots", "macs")
"""Shots of cores that have a row; shots of dot-product engines that have a row and a column; MACs."""

_PATTERN = tuple(field.name for field in fields(Pattern))
_ONE_SHOT = Pattern(steps=1, feed=1, integrate=1, conversion=0, carry=0)


@frozen(eq=False)
class Shots:
    """What the core of a tile group does: a measure with the columns `COUNTED`. `wavelengths`: MACs of an engine's shot."""

    log: FoldedLog
    part: int
    wavelengths: int
    width: int = len(COUNTED)

    # -- how far a block is ------------------------------------------------------------------------------------------
    @cached_property
    def _written(self) -> Ints:
        """The tick of each entry, folds taken out: a fold leaves the machine, and so each block, as far as it was."""
        skipped = np.zeros(len(self.log.entries), dtype=np.int64)
        for row, fold in zip(self.log.fold_rows.tolist(), self.log.folds, strict=True):
            skipped[row + 1] = fold.count * fold.period
        written: Ints = self.log.entries[:, 0] - np.cumsum(skipped)
        return written

    def _record(self, rows: Ints) -> Ints:
        """Which of the part's records each of these entries stands behind; −1 for none."""
        return np.searchsorted(self.log.rows(self.part), rows, side="right") - 1

    def age_at(self, row: int) -> int:
        """`age` of one entry."""
        return int(self.age(np.array([row]))[0])

    def age(self, rows: Ints) -> Ints:
        """Ticks from the beginning of what the core does, a block if it is busy, to each of these entries."""
        own = np.append(self.log.rows(self.part), 0)  # what it does before its first record has no beginning
        begun = self._written[own[self._record(rows)]]
        ages: Ints = self._written[rows] - begun
        return ages

    # -- what its ticks bring ----------------------------------------------------------------------------------------
    @cached_property
    def _of_records(self) -> tuple[Ints, Ints, Ints]:
        """Of each record: its pattern (columns of `Pattern`), what a whole block counts (`COUNTED`, then shots), and shots
        of the block before it. A record that is no block has no steps; the last line stands for no record."""
        labels = self.log.labels
        codes = np.append(self.log.entries[self.log.rows(self.part), 2], self.log.initial[self.part])
        patterns = np.array([_pattern(label) for label in labels], dtype=np.int64)[codes]
        counts = np.array([_counts(label) for label in labels], dtype=np.int64)[codes]
        begins = counts[:, -1] > 0
        shots = np.cumsum(patterns[:, 0])  # where a shot is a record, its block began some records before
        since = np.maximum.accumulate(np.where(begins, np.arange(len(codes)), 0))
        before = np.where(patterns[:, 0] > 0, shots - patterns[:, 0] - (shots - patterns[:, 0])[since], 0)
        return patterns, counts[since], before

    def _done(self, rows: Ints, ages: Ints) -> Ints:
        """(len(rows), width): what the block in hand has brought when it has the given ages."""
        patterns, counts, before = (values[self._record(rows)] for values in self._of_records)
        shots, whole = before + shots_before(patterns.T, ages), np.maximum(counts[:, -1], 1)
        cores, engines = shots * (counts[:, 0] // whole), shots * (counts[:, 1] // whole)
        return np.stack([cores, engines, np.minimum(engines * self.wavelengths, counts[:, 2])], axis=1)

    @cached_property
    def _brought(self) -> tuple[Ints, Ints]:
        """The entries whose stretch takes time, and what came before each, folds aside; one line longer."""
        rows = np.flatnonzero(self.log.ticks)
        brought = self.within(rows, self.log.ticks[rows])
        return rows, np.concatenate((np.zeros((1, self.width), np.int64), np.cumsum(brought, axis=0)))

    def between(self, rows: Ints) -> Ints:
        lasting, before = self._brought
        return np.diff(before[np.searchsorted(lasting, rows)], axis=0)

    def within(self, rows: Ints, ticks: Ints) -> Ints:
        age = self.age(rows)
        return self._done(rows, age + ticks) - self._done(rows, age)


def shots_before(pattern: Iterable[Ints], ticks: Ints) -> Ints:
    """Shots that have ended in the first so many ticks of a block: `Pattern.intervals`, counted for many blocks at once."""
    steps, feed, integrate, conversion, carry = pattern
    size = np.minimum(integrate, steps)
    first = np.maximum(size * feed, carry)
    group = np.maximum(np.maximum(integrate * feed, conversion), 1)
    groups, rest = np.divmod(np.maximum(ticks - first, 0), group)
    later = size + groups * integrate + np.minimum(rest // feed, integrate)
    return np.minimum(np.where(ticks < first, np.minimum(ticks // feed, size), later), steps)


def _pattern(label: Label) -> list[int]:
    """The numbers of a state's pattern; of a state that is no shot, those of a block without steps."""
    pattern = None if label.pattern is None else label.pattern[0]
    if label.pattern is not None and pattern is None and label.cause is Cause.COMPUTE:
        pattern = _ONE_SHOT
    return [0, 1, 1, 0, 0] if pattern is None else [getattr(pattern, name) for name in _PATTERN]


def _counts(label: Label) -> list[int]:
    counted = dict(label.amounts) if label.pattern is not None else {}
    return [counted.get(name, 0) for name in (*COUNTED, "shots")]
