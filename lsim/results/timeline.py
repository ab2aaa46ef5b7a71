"""The timeline of a run: what every part did, at any tick and in any window, read from the folded log without unfolding it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from attrs import frozen

from lsim.errors import InputError
from lsim.kernel.labels import Kind
from lsim.plan.places import Item, item_at
from lsim.plan.schedule import Plan
from lsim.results.cumulative import cumulative
from lsim.results.folded import FoldedLog, Ints, Moment
from lsim.results.intervals import check_window, intervals
from lsim.results.series import edges, part_ticks
from lsim.results.shots import COUNTED, Shots
from lsim.results.states import CAUSES, States
from lsim.results.statistics import PartTime, shares
from lsim.results.telling import Teller, Told
from lsim.results.waits import Wait, waits

MOST_BINS = 1_000_000
"""Of all parts that are asked for: what an answer may take in memory, some 200 MB."""


@frozen
class State:
    """What a part does at a tick.

    `state`: "busy", "wait" or "idle". `cause`: what a busy part's tick is spent on, for a core whether a shot, its feed or the
    ADC; what a part that waits or is idle waits for in the end, "done" if that is nothing. `waits_for`: the part that it waits
    for, or that gives it work. `block`: the item of its program that it has in hand; None for a part that is idle or has no program.
    """

    state: str
    cause: str
    waits_for: str | None
    block: Item | None

    @property
    def operator(self) -> str | None:
        """The operator that the part works on."""
        return None if self.block is None else self.block.operator


class Interval(NamedTuple):
    """A part in one state, from one change of state to the next, in [begin, end). What it does: see `lsim.results.telling`."""

    begin: int
    end: int
    told: Told


@frozen(eq=False)
class Timeline:
    """Every state of every part at every tick. Ticks are those of the photonic clock, 0 <= tick < `ticks`.

    Everything is exact, and a matter of moments in a run of any length. Raises InputError for a tick or a window
    that is not in the run, and for a part that is not there.
    """

    planned: Callable[[], Plan]
    states: States

    @property
    def plan(self) -> Plan:
        """How the work was divided: made for who asks of work, since how long parts waited can be told without."""
        return self.planned()

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

    # -- a tick ----------------------------------------------------------------------------------------------------
    def at(self, tick: int) -> dict[str, State]:
        """What every part does at a tick."""
        check_window(tick, tick + 1, self.ticks)
        moment = self.log.at(tick)
        return {name: self._state(part, moment) for part, name in enumerate(self.parts)}

    def blame(self, part: str, tick: int) -> list[tuple[str, State]]:
        """Who waits for whom at a tick: the part, the one that it waits for, and so on to one that waits for nobody."""
        check_window(tick, tick + 1, self.ticks)
        moment, chain = self.log.at(tick), [self._index(part)]
        while (target := self.states.targets[moment.codes[chain[-1]]]) >= 0:
            chain.append(int(target))
        return [(self.parts[link], self._state(link, moment)) for link in chain]

    def _state(self, part: int, moment: Moment) -> State:
        label = self.log.labels[moment.codes[part]]
        name, target = self.parts[part], label.target
        block = None if label.kind is Kind.IDLE else item_at(self.plan, name, moment.positions[part])
        if label.kind is Kind.BUSY:
            return State("busy", self._busy_with(part, moment), None, block)
        cause = self.states.root(part, moment.codes)
        return State(label.kind.name.lower(), cause, None if target is None else self.parts[target], block)

    def _busy_with(self, part: int, moment: Moment) -> str:
        label = self.log.labels[moment.codes[part]]
        if part in self._cores and label.pattern is not None and label.pattern[0] is not None:
            age = self._cores[part].age_at(moment.row) + moment.inner
            return str(label.pattern[0].cause_at(age))
        return str(label.cause)

    # -- a window --------------------------------------------------------------------------------------------------
    def window(self, begin: int, end: int) -> dict[str, PartTime]:
        """Ticks of each part in [begin, end); busy, idle and waiting sum to its length."""
        found = {}
        for name, columns in self.series_all(1, begin, end).items():
            ticks = {column: int(values[0]) for column, values in columns.items()}
            waiting = {cause.value: ticks[cause.value] for cause in CAUSES if ticks[cause.value]}
            found[name] = PartTime(ticks["busy"], ticks["idle"], waiting)
        return found

    def utilization(self, begin: int = 0, end: int | None = None) -> dict[str, float]:
        """`Result.utilization` of [begin, end). A block that lies in it in part counts with the shots that lie in it."""
        counted = {name: int(values[0]) for name, values in self.shots(1, begin, end).items()}
        return shares(counted, self.plan.arch, counted["end"] - counted["begin"])

    def series(self, part: str, bins: int, begin: int = 0, end: int | None = None) -> dict[str, Ints]:
        """Where the ticks of a part went in each of `bins` bins of [begin, end), as columns of whole numbers.

        `begin`, `end`: of each bin; they differ in length by a tick at most, and there are never more than ticks. `busy`,
        `idle`, and for each of `lsim.kernel.labels.Cause` the ticks that the part waited for it: together the bin's length.
        """
        return self._series([self._index(part)], bins, begin, end)[part]

    def series_all(self, bins: int, begin: int = 0, end: int | None = None) -> dict[str, dict[str, Ints]]:
        """The same of every part, in rank order: much faster than one after another."""
        return self._series(range(len(self.parts)), bins, begin, end)

    def shots(self, bins: int, begin: int = 0, end: int | None = None) -> dict[str, Ints]:
        """What all cores did in each bin, as columns: `begin`, `end`, `core_shots`, `engine_shots`, `macs`.

        Shots of cores that have a row, one a tick and core at most; the same of dot-product engines that have a row and a
        column; MACs of the trace, each in the tick of its shot.
        """
        cuts = self.cuts(bins, begin, end)
        groups = [cumulative(self.log, cuts, core) for core in self._cores.values()]
        counted = np.diff(np.sum(groups, axis=0), axis=0)
        columns = {name: counted[:, c] for c, name in enumerate(COUNTED)}
        return {"begin": cuts[:-1], "end": cuts[1:], **columns}

    def intervals(self, part: str, begin: int = 0, end: int | None = None) -> Iterator[Interval]:
        """The changes of state of a part in [begin, end), one interval each, the first and the last cut to it."""
        end = self.ticks if end is None else end
        check_window(begin, end, self.ticks)
        teller, rank = Teller(self.plan, self.log), self._index(part)
        found = intervals(self.log, (rank,), begin, end)
        return (Interval(i.begin, i.end, teller.tell(rank, i.code, i.position)) for i in found)

    def longest_waits(self, count: int, part: str | None = None) -> list[Wait]:
        """The longest single waits, of one part or of all; the earlier first where they are as long."""
        parts = range(len(self.parts)) if part is None else [self._index(part)]
        return waits(self.states, parts, count)

    # -- pieces ----------------------------------------------------------------------------------------------------
    def _series(
        self, parts: Sequence[int], bins: int, begin: int, end: int | None
    ) -> dict[str, dict[str, Ints]]:
        cuts = self.cuts(bins, begin, end, len(parts))
        return {
            self.parts[part]: columns
            for part, columns in zip(parts, part_ticks(self.states, parts, cuts), strict=True)
        }

    def cuts(self, bins: int, begin: int = 0, end: int | None = None, parts: int = 1) -> Ints:
        """The ticks between which the bins of [begin, end) lie, for an answer about so many parts."""
        end = self.ticks if end is None else end
        check_window(begin, end, self.ticks)
        if bins < 1:
            raise InputError(f"{bins} bins are none")
        bins = min(bins, end - begin)
        if bins * parts > MOST_BINS:
            raise InputError(f"{bins} bins of {parts} parts: an answer has at most {MOST_BINS // parts} bins")
        return edges(begin, end, bins)

    @cached_property
    def _cores(self) -> dict[int, Shots]:
        parts = (self._index(group.part("core")) for group in self.plan.groups)
        return {part: Shots(self.log, part, self.plan.arch.core.wavelengths) for part in parts}

    def _index(self, part: str) -> int:
        if part not in self.parts:
            raise InputError(f"{part!r} is not a part of this run", known=self.parts, given=part)
        return self.parts.index(part)
