"""Where the ticks of every part went, bin by bin: exact, for bins of any size down to single ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lsim.results.cumulative import cumulative
from lsim.results.folded import Ints
from lsim.results.states import COLUMNS, States

_AT_ONCE = 4_000_000  # numbers that are held for a group of parts


class StateTicks:
    """Ticks of the machine's states as a measure; those of a state count in each of the columns that it has in `columns`."""

    def __init__(self, states: States, columns: Ints, width: int) -> None:
        self._states, self._columns = states, columns
        self._ticks = states.log.ticks[states.lasting]
        self.width = width

    def between(self, rows: Ints) -> Ints:
        states, distinct = self._states, len(self._states.rows)
        low, high = np.searchsorted(states.lasting, (rows[0], rows[-1]))
        stretch = np.searchsorted(rows, states.lasting[low:high], side="right") - 1
        pairs, place = np.unique(stretch * distinct + states.which[low:high], return_inverse=True)
        ticks = np.zeros(len(pairs), dtype=np.int64)
        np.add.at(ticks, place, self._ticks[low:high])
        return self._spread(pairs // distinct, pairs % distinct, ticks, len(rows) - 1)

    def within(self, rows: Ints, ticks: Ints) -> Ints:
        known = np.flatnonzero(ticks)
        state = self._states.which[np.searchsorted(self._states.lasting, rows[known])]
        return self._spread(known, state, ticks[known], len(rows))

    def _spread(self, lines: Ints, states: Ints, ticks: Ints, count: int) -> Ints:
        """(count, width): the ticks of states, each line's added up."""
        sums = np.zeros(count * self.width, dtype=np.int64)
        for column in self._columns.T:
            np.add.at(sums, lines * self.width + column[states], ticks)
        return sums.reshape(count, self.width)


def by_part(states: States, parts: Sequence[int]) -> StateTicks:
    """Ticks of some parts by `COLUMNS`, part after part."""
    columns = states.columns[:, list(parts)] + len(COLUMNS) * np.arange(len(parts))
    return StateTicks(states, columns, len(parts) * len(COLUMNS))


def edges(begin: int, end: int, bins: int) -> Ints:
    """The bins + 1 ticks at which [begin, end) is cut into bins that differ by a tick at most."""
    return np.array([begin + (end - begin) * i // bins for i in range(bins + 1)], dtype=np.int64)


def part_ticks(states: States, parts: Sequence[int], cuts: Ints) -> Iterator[dict[str, Ints]]:
    """For each part, the columns of its bins between cuts: `begin`, `end`, and each of `COLUMNS` in ticks."""
    log = states.log
    rows = 4 * len(cuts) + 2 * len(log.folds)
    at_once = max(1, _AT_ONCE // (rows * len(COLUMNS)))
    for i in range(0, len(parts), at_once):
        group = parts[i : i + at_once]
        before = cumulative(log, cuts, by_part(states, group))
        ticks = np.diff(before, axis=0).reshape(len(cuts) - 1, len(group), len(COLUMNS))
        for k in range(len(group)):
            columns = {name: ticks[:, k, c] for c, name in enumerate(COLUMNS)}
            yield {"begin": cuts[:-1], "end": cuts[1:], **columns}
