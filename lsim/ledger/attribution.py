"""Every tick of a run put down to an operator and a row, on the simulated timeline, from the folded log.

The time of a run is told by its cores (`lsim.ledger.speaking`). A tick in which the speaker is busy goes to the operator that it
has in hand, by what the tick is spent on. Any other goes to the root cause, and to the operator that the last part with a program
works on, of those that the speaker waits for:

- a *stall*, the row of the cause (`m2_fill`), if that is the operator that the core has in hand or comes to next;
- else a *dependency*, `serial.` and the cause: the core is free, and what it would do next needs that other operator.

What the controller spends on issuing an operator is `dispatch` of that operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cached_property

import numpy as np
from attrs import frozen

from lsim.errors import LawBroken
from lsim.kernel.labels import Cause
from lsim.ledger.accounts import Account, Accounts, Course
from lsim.ledger.blocks import DIVIDED, Blocks
from lsim.ledger.speaking import LAST, Speaking
from lsim.results.cumulative import cumulative
from lsim.results.folded import FoldedLog, Ints
from lsim.results.ledger_rows import SERIAL, summed
from lsim.results.result import Result
from lsim.results.series import part_ticks
from lsim.results.states import CAUSES

LANES = "dpu.lanes"


@frozen
class Entry:
    """What an account took: ticks by row, and `work`, the busy ticks of the DPU's lanes, seen or overlapped."""

    account: Account
    rows: Mapping[str, int]
    work: int

    @property
    def ticks(self) -> int:
        """All that the account took of the run."""
        return sum(self.rows.values())


@frozen
class Attribution:
    """All ticks of a run by operator and row: the ticks of `entries`, one an account in trace order, sum to `ticks`."""

    ticks: int
    entries: tuple[Entry, ...]

    @property
    def rows(self) -> dict[str, int]:
        """Ticks by row, over all operators."""
        lines = ({row: Fraction(ticks) for row, ticks in entry.rows.items()} for entry in self.entries)
        return {row: int(ticks) for row, ticks in summed(lines).items()}


def attribute(result: Result) -> Attribution:
    """Divides the ticks of a run among operators and rows; raises LawBroken if they would not be all of them."""
    return _Attributor(result).attribution()


class _Attributor:
    def __init__(self, result: Result) -> None:
        self.plan, self.log = result.plan, result.log
        self.states = result.statistics.states
        self.accounts = Accounts.of(result.plan)
        self.speaking = Speaking(result.plan, self.states)
        self._courses: dict[int, Course] = {}
        self._sums: list[dict[str, int]] = [{} for _ in self.accounts.all]

    def attribution(self) -> Attribution:
        pairs = np.stack([self.speaking.speaker, self.speaking.last], axis=1)
        for speaker, last in np.unique(pairs, axis=0).tolist():
            self._add(speaker, last, (pairs == (speaker, last)).all(axis=1))
        entries = zip(self.accounts.all, self._sums, self._work(), strict=True)
        found = Attribution(self.log.end, tuple(Entry(*entry) for entry in entries))
        if (total := sum(entry.ticks for entry in found.entries)) != self.log.end:
            raise LawBroken("ledger", self.log.end, f"{total} ticks are put down to operators")
        return found

    def _add(self, speaker: int, last: int, chosen: Ints) -> None:
        """The states in which `speaker` speaks and `last` is the last part that it waits for."""
        measure = _Spoken(self.log, speaker, self.speaking, chosen)
        course = self._course(last)
        own = None if self.log.parts[speaker] == LAST else self._course(speaker)
        cuts = [course.begins, [] if own is None else own.begins, [0, self.log.end]]
        edges = np.unique(np.concatenate(cuts)).astype(np.int64)
        ticks = np.diff(cumulative(self.log, edges, measure), axis=0)
        accounts = course.at(edges[:-1])
        stalls = np.zeros(len(accounts), dtype=bool) if own is None else accounts == own.at(edges[:-1])
        for segment, column in np.argwhere(ticks).tolist():
            row = row_of(CAUSES[measure.columns[column]], bool(stalls[segment]))
            sums = self._sums[accounts[segment]]
            sums[row] = sums.get(row, 0) + int(ticks[segment, column])

    def _work(self) -> Iterator[int]:
        """Busy ticks of the DPU's lanes for each account."""
        part = self.log.parts.index(LANES)
        course, work = self._course(part), np.zeros(len(self.accounts.all), dtype=np.int64)
        edges = np.unique(np.append(course.begins, self.log.end))
        (columns,) = part_ticks(self.states, [part], edges)
        np.add.at(work, course.at(columns["begin"]), columns["busy"])
        return iter(work.tolist())

    def _course(self, part: int) -> Course:
        if part not in self._courses:
            self._courses[part] = Course.of(self.plan, self.log, part, self.accounts)
        return self._courses[part]


def row_of(cause: Cause, stall: bool) -> str:
    """The row of a root cause: its own for a stall and for what the controller spends, else a dependency."""
    return cause.value if stall or cause is Cause.DISPATCH else f"{SERIAL}{cause.value}"


class _Spoken:
    """Ticks of the stretches in which a core speaks for one last part, by cause: a measure whose columns are `columns` of CAUSES."""

    def __init__(self, log: FoldedLog, speaker: int, speaking: Speaking, chosen: Ints) -> None:
        states = speaking.states
        here = chosen[states.which]
        self._rows, state = states.lasting[here], states.which[here]
        self._in_block, causes = speaking.in_block[state], speaking.causes[state]
        divided = [CAUSES.index(cause) for cause in DIVIDED] if self._in_block.any() else []
        self.columns = np.unique(np.concatenate([causes, divided])).astype(np.int64).tolist()
        self.width = len(self.columns)
        self._column = np.searchsorted(self.columns, causes)
        self._divided = [self.columns.index(cause) for cause in divided]
        self._blocks, self._ticks = Blocks(log, speaker), log.ticks

    def between(self, rows: Ints) -> Ints:
        return np.diff(self._before[np.searchsorted(self._rows, rows)], axis=0)

    def within(self, rows: Ints, ticks: Ints) -> Ints:
        sums = np.zeros((len(rows), self.width), dtype=np.int64)
        place = np.searchsorted(self._rows, rows)
        mine = (np.append(self._rows, -1)[place] == rows) & (ticks > 0)
        sums[mine] = self._spent(place[mine], ticks[mine])
        return sums

    @cached_property
    def _before(self) -> Ints:
        """What came before each stretch, folds aside; one line longer."""
        spent = self._spent(np.arange(len(self._rows)), self._ticks[self._rows])
        return np.concatenate((np.zeros((1, self.width), np.int64), np.cumsum(spent, axis=0)))

    def _spent(self, places: Ints, ticks: Ints) -> Ints:
        """(len(places), width): the first so many ticks of these stretches."""
        spent = np.zeros((len(places), self.width), dtype=np.int64)
        block = self._in_block[places]
        whole = np.flatnonzero(~block)
        spent[whole, self._column[places[whole]]] = ticks[whole]
        if block.any():
            within = np.flatnonzero(block)
            spent[within[:, None], self._divided] = self._blocks.divided(
                self._rows[places[within]], ticks[within]
            )
        return spent
