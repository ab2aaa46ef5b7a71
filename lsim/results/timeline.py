"""The timeline of a run: what every part did, at any tick and in any window, read from the folded log without unfolding it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from attrs import frozen

from lsim.errors import InputError
from lsim.kernel.labels import Kind
from lsim.plan.schedule import Plan
from lsim.results.folded import FoldedLog, Ints
from lsim.results.intervals import check_window
from lsim.results.series import edges, part_ticks
from lsim.results.states import CAUSES, States
from lsim.results.statistics import PartTime


@frozen
class State:
    """What a part does at a tick.

    `state`: "busy", "wait" or "idle". `cause`: what a busy part's time is spent on. `waits_for`: the part that it waits for.
    `operator`: the one that it works on; None for an idle part and for a port. (While the row passes of two operators take
    turns, the first of them is named.)
    """

    state: str
    cause: str | None
    waits_for: str | None
    operator: str | None


@frozen(eq=False)
class Timeline:
    """Every state of every part at every tick. Ticks are those of the photonic clock, 0 <= tick < `ticks`."""

    plan: Plan
    states: States

    @property
    def log(self) -> FoldedLog:
        return self.states.log

    @property
    def ticks(self) -> int:
        return self.log.end

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts, in rank order."""
        return self.log.parts

    def at(self, tick: int) -> dict[str, State]:
        """What every part does at a tick; raises InputError outside the run."""
        check_window(tick, tick + 1, self.ticks)
        codes, positions = self.log.at(tick)
        return {
            name: self.state(part, int(codes[part]), int(positions[part]))
            for part, name in enumerate(self.parts)
        }

    def window(self, begin: int, end: int) -> dict[str, PartTime]:
        """Ticks of each part in [begin, end); busy, idle and waiting sum to its length. Raises InputError for an empty window
        or one that is not in the run."""
        check_window(begin, end, self.ticks)
        found = {}
        for name, columns in self.series_all(1, begin, end).items():
            ticks = {column: int(values[0]) for column, values in columns.items()}
            waiting = {cause.value: ticks[cause.value] for cause in CAUSES if ticks[cause.value]}
            found[name] = PartTime(ticks["busy"], ticks["idle"], waiting)
        return found

    def series(self, part: str, bins: int, begin: int = 0, end: int | None = None) -> dict[str, Ints]:
        """Where the ticks of a part went in each of `bins` bins of [begin, end), as columns of whole numbers.

        `begin`, `end`: of each bin; they differ in length by a tick at most, and there are never more than ticks. `busy`,
        `idle`, and for each of `lsim.kernel.labels.Cause` the ticks that the part waited for it: together the bin's length.
        Raises InputError for an unknown part, fewer than one bin, or a window that is empty or not in the run.
        """
        return self._series([self._index(part)], bins, begin, end)[part]

    def series_all(self, bins: int, begin: int = 0, end: int | None = None) -> dict[str, dict[str, Ints]]:
        """The same of every part, in rank order: much faster than one after another."""
        return self._series(range(len(self.parts)), bins, begin, end)

    def _series(
        self, parts: Sequence[int], bins: int, begin: int, end: int | None
    ) -> dict[str, dict[str, Ints]]:
        end = self.ticks if end is None else end
        check_window(begin, end, self.ticks)
        if bins < 1:
            raise InputError(f"{bins} bins are none")
        cuts = edges(begin, end, min(bins, end - begin))
        names = (self.parts[part] for part in parts)
        return dict(zip(names, part_ticks(self.states, parts, cuts), strict=True))

    def _index(self, part: str) -> int:
        if part not in self.parts:
            raise InputError(f"{part!r} is not a part of this run", known=self.parts, given=part)
        return self.parts.index(part)

    def state(self, part: int, code: int, position: int) -> State:
        """What a part (its rank) does in a state (its code) with `position` items of its program done."""
        label = self.log.labels[code]
        place = None if label.kind is Kind.IDLE else self.place(part, position)
        operator = None if place is None else self.plan.units[place[0]].operators[-1].name
        waits_for = None if label.target is None else self.parts[label.target]
        return State(label.kind.name.lower(), label.cause and label.cause.value, waits_for, operator)

    def place(self, part: int, position: int) -> tuple[int, int] | None:
        """The unit of the plan that a part is at after `position` items of its program, and how many of them were of that
        unit; None for a part without a program, and at the end of it."""
        ends = self.ends(part)
        unit = bisect_right(ends, position)
        return (unit, position - (ends[unit - 1] if unit else 0)) if unit < len(ends) else None

    def ends(self, part: int) -> Sequence[int]:
        """The items of its program that a part has done at the end of each unit; none for a part without a program."""
        return self.plan.ends.get(self.parts[part].removesuffix(".land").removesuffix(".ack"), ())
