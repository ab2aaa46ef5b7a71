"""A window that has too many intervals to show each: stretches of a part's time, with exact sums, and binned shares."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
from attrs import frozen

from lsim.export.rows import Window
from lsim.kernel.labels import Kind
from lsim.plan.places import ends_of, operators_of
from lsim.results.folded import Ints
from lsim.results.intervals import Unfolding
from lsim.results.positions import reached
from lsim.results.series import edges, part_ticks

RETIRE = "retire"


@frozen
class Stretch:
    """What a part did in [begin, end). `operator`: which one it worked on, None between two of them. `busy`, `waiting` and
    `idle`: ticks in such states; they sum to the length."""

    begin: int
    end: int
    operator: str | None
    busy: int
    waiting: int
    idle: int

    @property
    def share(self) -> float:
        """Of its ticks, the busy ones."""
        return self.busy / (self.end - self.begin)


class Summary:
    """Sums of one part's time in a window."""

    def __init__(self, window: Window, part: int) -> None:
        self.window, self.part = window, part

    def stretches(self) -> Iterator[Stretch]:
        """The window in stretches without gap, one for each operator: from when the part has work of it to the end of its
        program for it; before that, one without operator in which the part is idle.

        A part without a program, such as a port, has one from each retirement of an operator to the next.
        """
        cuts, operators = [self.window.begin], []
        for end, operator in self._bounds():
            if min(end, self.window.end) > cuts[-1]:
                cuts.append(min(end, self.window.end))
                operators.append(operator)
        busy, idle = self._ticks(np.array(cuts, dtype=np.int64))
        for i, operator in enumerate(operators):
            begin, end = cuts[i : i + 2]
            yield Stretch(begin, end, operator, busy[i], end - begin - busy[i] - idle[i], idle[i])

    def busy_shares(self, bins: int) -> Iterator[tuple[int, float]]:
        """(begin, busy share) of each of at most so many bins of equal length, to a tick, that make the window."""
        length = self.window.end - self.window.begin
        cuts = edges(self.window.begin, self.window.end, min(bins, length))
        busy, _ = self._ticks(cuts)
        for begin, end, ticks in zip(cuts[:-1].tolist(), cuts[1:].tolist(), busy, strict=True):
            yield begin, ticks / (end - begin)

    def _ticks(self, cuts: Ints) -> tuple[list[int], list[int]]:
        """Busy and idle ticks between cuts."""
        (columns,) = part_ticks(self.window.result.statistics.states, (self.part,), cuts)
        return columns["busy"].tolist(), columns["idle"].tolist()

    def _bounds(self) -> Iterator[tuple[int, str | None]]:
        """(end, operator) of each stretch, one from the end of another, over the whole run."""
        result = self.window.result
        own = bool(ends_of(result.plan, result.log.parts[self.part]))
        name = result.log.parts[self.part] if own else RETIRE
        records = Unfolding(result.log, (self.part,))
        begin = 0
        for unit, end in self._ends(name):
            if end > self.window.begin and begin < self.window.end:
                first = self._first_work(records, begin, end) if own else begin
                yield first, None
                yield end, operators_of(result.plan, name, unit)
            begin = end
        yield result.ticks, None

    def _ends(self, part: str) -> Iterator[tuple[int, int]]:
        """(unit, tick at which the part has done it) of each unit that is work for the part."""
        result = self.window.result
        rank = result.log.parts.index(part)
        done = np.array(ends_of(result.plan, part), dtype=np.int64)
        units = np.flatnonzero(np.diff(done, prepend=0))
        yield from zip(units.tolist(), reached(result.log, rank, done[units]).tolist(), strict=True)

    def _first_work(self, records: Unfolding, begin: int, end: int) -> int:
        """The first tick in [begin, end) in which the part is not idle; `end` if it is idle in all."""
        labels = self.window.result.log.labels
        tick: int
        for tick, found in groupby(records.records(begin - 1, end), itemgetter(0)):
            *_, (_, _, code, _) = found
            if labels[code].kind is not Kind.IDLE:
                return tick
        return end
