"""What a part does in a state of the log, in words: for an interval, of which no more is known than the part's own record."""

from __future__ import annotations

from typing import NamedTuple

from lsim.kernel.labels import Kind
from lsim.plan.places import item_at, unit_at
from lsim.plan.schedule import Plan
from lsim.results.folded import FoldedLog


class Told(NamedTuple):
    """`state`, `cause`, `waits_for`, `operator`: as in `lsim.results.timeline.State`, but that a part that waits for
    another has no cause: it can change in an interval. `block`: the items that the part has done of its operator; None
    where it has none."""

    state: str
    cause: str | None
    waits_for: str | None
    operator: str | None
    block: int | None


class Teller:
    """Tells states of the parts of a run, each kind of them once."""

    def __init__(self, plan: Plan, log: FoldedLog) -> None:
        self._plan, self._log = plan, log
        self._known: dict[tuple[int, int, int], Told] = {}

    def tell(self, part: int, code: int, position: int) -> Told:
        """What a part (its rank) does in a state (its code) with `position` items of its program done."""
        unit, done = unit_at(self._plan, self._log.parts[part], position) or (-1, 0)
        if unit in self._plan.turns:
            return self._told(part, code, unit, position, done)
        known = self._known.get((part, code, unit))
        if known is None:
            known = self._known[part, code, unit] = self._told(part, code, unit, position, done)
        return known if known.operator is None else known._replace(block=done)

    def _told(self, part: int, code: int, unit: int, position: int, done: int) -> Told:
        label, parts = self._log.labels[code], self._log.parts
        working = unit >= 0 and label.kind is not Kind.IDLE
        item = item_at(self._plan, parts[part], position) if working else None
        waits_for = None if label.target is None else parts[label.target]
        cause = None if label.cause is None else label.cause.value
        state = label.kind.name.lower()
        return Told(state, cause, waits_for, *(None, None) if item is None else (item.operator, done))
