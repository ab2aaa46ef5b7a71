"""The timeline of a run: what every part did, at any tick and in any window, read from the folded log without unfolding it."""

from __future__ import annotations

from bisect import bisect_right

from attrs import frozen

from lsim.errors import InputError
from lsim.kernel.labels import Kind, Label
from lsim.plan.schedule import Plan
from lsim.results.folded import FoldedLog
from lsim.results.statistics import PartTime, Statistics


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
    log: FoldedLog

    @property
    def ticks(self) -> int:
        return self.log.end

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts, in rank order."""
        return self.log.parts

    def at(self, tick: int) -> dict[str, State]:
        """What every part does at a tick; raises InputError outside the run."""
        self._check(tick, tick + 1)
        codes, positions = self.log.at(tick)
        return {
            name: self._state(name, self.log.labels[code], int(position))
            for name, code, position in zip(self.parts, codes, positions, strict=True)
        }

    def window(self, begin: int, end: int) -> dict[str, PartTime]:
        """Ticks of each part in [begin, end); busy, idle and waiting sum to its length. Raises InputError for an empty window
        or one that is not in the run."""
        self._check(begin, end)
        return Statistics(self.log, self.log.spent(begin, end)).parts

    def _check(self, begin: int, end: int) -> None:
        if not 0 <= begin < end <= self.ticks:
            raise InputError(f"[{begin}, {end}) is not in the run's [0, {self.ticks})")

    def _state(self, name: str, label: Label, position: int) -> State:
        ends = self.plan.ends.get(name.removesuffix(".land").removesuffix(".ack"))
        unit = bisect_right(ends, position) if ends else len(self.plan.units)
        working = unit < len(self.plan.units) and label.kind is not Kind.IDLE
        operator = self.plan.units[unit].operators[-1].name if working else None
        waits_for = None if label.target is None else self.parts[label.target]
        return State(label.kind.name.lower(), label.cause and label.cause.value, waits_for, operator)
