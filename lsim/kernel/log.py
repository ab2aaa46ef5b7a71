"""The folded log: every change of state of every part, and "that stretch again, n times".

Four integers an entry, in the order of time:

- a *record* `(tick, part, code, position)`: the part enters the state `labels[code]` while `position` items of its program are done;
- a *cut* `(tick, CUT, 0, 0)`: no change; marks where a folded stretch begins or goes on;
- a *fold* `(tick, FOLD, index, 0)`: what `folds[index]` says, the next entry being a cut at the tick after it.

The log is lossless: `lsim.results.timeline` gives back every interval.
"""

from __future__ import annotations

from array import array

from attrs import frozen

CUT = -1
FOLD = -2


@frozen
class Fold:
    """The entries from `first` up to the fold's own, again, `count` times, each `period` ticks later than the time before.

    `steps[part]` is how far the part's position moves in one period.
    """

    first: int
    count: int
    period: int
    steps: tuple[int, ...]


class Log:
    """The entries of a run, four integers each, and its folds."""

    def __init__(self) -> None:
        self.records = array("q")
        self.folds: list[Fold] = []

    def __len__(self) -> int:
        return len(self.records) // 4

    def cut(self, tick: int) -> int:
        """The index of a new cut."""
        self.records.extend((tick, CUT, 0, 0))
        return len(self) - 1

    def fold(self, tick: int, fold: Fold) -> None:
        self.records.extend((tick, FOLD, len(self.folds), 0))
        self.folds.append(fold)
        self.cut(tick + fold.count * fold.period)
