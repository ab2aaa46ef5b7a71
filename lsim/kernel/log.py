"""The folded log: every change of state of every part, and "that stretch again, n times".

Four integers an entry, in the order of time:

- a *record* `(tick, part, code, position)`: the part enters the state `labels[code]` while `position` items of its program are done;
- a *cut* `(tick, CUT, 0, 0)`: no change; marks where a folded stretch begins or goes on;
- a *fold* `(tick, FOLD, index, 0)`: what `folds[index]` says, the next entry being a cut at the tick after it.

The log is lossless: `lsim.results.folded` gives back every interval.
"""

from __future__ import annotations

from array import array

from attrs import frozen

CUT = -1
FOLD = -2


@frozen
class Fold:
    """The entries from `first` up to `last`, again, `count` times.

    The first time they happen `shift` ticks later than they are written, and each time after that `period` ticks later than
    the time before; the position of part p is `offsets[p]` further the first time, and `steps[p]` with each time after.
    """

    first: int
    last: int
    count: int
    period: int
    shift: int
    steps: tuple[int, ...]
    offsets: tuple[int, ...]

    def later(self, time: int) -> int:
        """Ticks by which the stretch happens later than it is written, the `time`-th time (from 1)."""
        return self.shift + (time - 1) * self.period

    def further(self, part: int, time: int) -> int:
        """Items of its program by which a part is further then."""
        return self.offsets[part] + (time - 1) * self.steps[part]


class Log:
    """The entries of a run, four integers each, and its folds."""

    def __init__(self) -> None:
        self.records = array("q")
        self.latest: list[int] = []  # the last entries, still in a list: faster to add to, larger to keep
        self.folds: list[Fold] = []

    def __len__(self) -> int:
        return (len(self.records) + len(self.latest)) // 4

    def store(self) -> None:
        """Moves the latest entries to where they are kept."""
        self.records.extend(self.latest)
        self.latest.clear()

    def cut(self, tick: int) -> int:
        """The index of a new cut."""
        self.latest += (tick, CUT, 0, 0)
        return len(self) - 1

    def fold(self, tick: int, fold: Fold) -> None:
        self.latest += (tick, FOLD, len(self.folds), 0)
        self.folds.append(fold)
        self.cut(tick + fold.count * fold.period)
