"""What the log adds up to: functions of the timeline, exact integers.

The time of a run is divided among the states that the machine as a whole was in. A waiting part's time goes to the root
cause: whom it waits for, whom that one waits for in turn, until somebody is busy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from attrs import field, frozen

from lsim.errors import LawBroken
from lsim.kernel.labels import Cause, Kind, Label
from lsim.results.folded import FoldedLog, Ints

CAUSES = tuple(Cause)
_INDEX = {cause: i for i, cause in enumerate(CAUSES)}


@frozen
class PartTime:
    """Ticks of a part: busy, idle (no work was issued to it), and waiting by root cause."""

    busy: int
    idle: int
    waiting: Mapping[str, int]

    @property
    def total(self) -> int:
        return self.busy + self.idle + sum(self.waiting.values())


@frozen(eq=False)
class Statistics:
    """Sums over a timeline, or over what of it was `spent` in a window (ticks of each entry's stretch)."""

    log: FoldedLog
    spent: Ints = field(repr=False)

    @spent.default
    def _all(self) -> Ints:
        return self.log.times * self.log.ticks

    # -- states of the machine -------------------------------------------------------------------------------------
    @cached_property
    def _states(self) -> tuple[Ints, Ints, Ints]:
        """The distinct states the machine was in: an entry at which each was, its ticks, and its codes (state, part)."""
        t = self.log
        signature = _signatures(t)
        lasting = np.flatnonzero(self.spent > 0)
        _, first, which = np.unique(signature[lasting], return_index=True, return_inverse=True)
        ticks = np.zeros(len(first), dtype=np.int64)
        np.add.at(ticks, which, self.spent[lasting])
        rows = lasting[first]
        codes = np.stack([self._codes_at(part, rows) for part in range(len(t.parts))], axis=1)
        return rows, ticks, codes

    def _codes_at(self, part: int, rows: Ints) -> Ints:
        """The state of a part during the stretches that begin with these entries."""
        t = self.log
        own = t.rows(part)
        codes = np.concatenate(([t.initial[part]], t.entries[own, 2]))
        return codes[np.searchsorted(own, rows, side="right")]

    @cached_property
    def _causes(self) -> Ints:
        """The root cause of each part in each state, as an index of CAUSES."""
        t = self.log
        rows, _, codes = self._states
        target = np.array(
            [-1 if label.target is None else label.target for label in t.labels], dtype=np.int64
        )
        busy = np.array([label.kind is Kind.BUSY for label in t.labels])
        target[busy] = -1
        cause = np.array([_seen_from_outside(label) for label in t.labels], dtype=np.int64)
        here = np.broadcast_to(np.arange(codes.shape[1]), codes.shape).copy()
        lines = np.arange(codes.shape[0])[:, None]
        for _ in range(codes.shape[1] + 1):
            follow = target[codes[lines, here]]
            if (follow < 0).all():
                return cause[codes[lines, here]]
            here = np.where(follow < 0, here, follow)
        stuck, part = np.argwhere(target[codes[lines, here]] >= 0)[0]
        raise LawBroken(
            t.parts[part], int(t.entries[rows[stuck], 0]), "waits for parts that wait for each other"
        )

    # -- sums ------------------------------------------------------------------------------------------------------
    @cached_property
    def counts(self) -> Ints:
        """How often each state, by code, was entered."""
        t = self.log
        records = t.entries[:, 1] >= 0
        counts = np.zeros(len(t.labels), dtype=np.int64)
        np.add.at(counts, t.entries[records, 2], t.times[records])
        return counts

    @cached_property
    def amounts(self) -> dict[str, int]:
        """All that was counted: bytes in and out of each buffer, shots, MACs."""
        totals: dict[str, int] = {}
        for code, count in enumerate(self.counts.tolist()):
            if count:
                for name, quantity in self.log.labels[code].amounts:
                    totals[name] = totals.get(name, 0) + count * quantity
        return totals

    def ticks_by_code(self, part: int) -> Ints:
        """Ticks of a part in each of its states, by code; from its own records alone."""
        t = self.log
        own = t.rows(part)
        ends = np.append(own[1:], len(t.entries))
        ticks = np.zeros(len(t.labels), dtype=np.int64)
        np.add.at(ticks, t.entries[own, 2], t.elapsed[ends] - t.elapsed[own])
        ticks[t.initial[part]] += t.elapsed[own[0]] if len(own) else t.end
        return ticks

    def ticks_of_states(self, part: int) -> Ints:
        """The same, from the states of the machine."""
        _, ticks, codes = self._states
        sums = np.zeros(len(self.log.labels), dtype=np.int64)
        np.add.at(sums, codes[:, part], ticks)
        return sums

    @cached_property
    def parts(self) -> dict[str, PartTime]:
        """Busy, idle and waiting ticks of each part."""
        return {name: self._part(i) for i, name in enumerate(self.log.parts)}

    def _part(self, part: int) -> PartTime:
        _, ticks, codes = self._states
        kinds = np.array([label.kind for label in self.log.labels])[codes[:, part]]
        waits = kinds == Kind.WAIT
        waiting = _by_cause(self._causes[waits, part], ticks[waits])
        return PartTime(int(ticks[kinds == Kind.BUSY].sum()), int(ticks[kinds == Kind.IDLE].sum()), waiting)

    def tile(self, number: int, cores: Mapping[int, range]) -> dict[str, int]:
        """Ticks of a tile by root cause. `cores`: the core parts of the groups it belongs to, and their tiles.

        Blocks divide into shots, feed and waiting for the ADC; a tile without rows of a block counts `edge`.
        """
        t = self.log
        _, ticks, codes = self._states
        mine = [part for part, tiles in cores.items() if number in tiles]
        kind = np.array([label.kind for label in t.labels])
        speaker = np.array([mine[0]] * len(ticks))
        for wanted in (Kind.IDLE, Kind.WAIT, Kind.BUSY):  # the busiest of its groups speaks for a tile
            for part in reversed(mine):
                is_so = (kind[codes[:, part]] == wanted) & ~self._finished(codes[:, part])
                speaker = np.where(is_so, part, speaker)
        lines = np.arange(len(ticks))
        code = codes[lines, speaker]
        shooting = np.array([label.pattern is not None for label in t.labels])[code]
        causes = _by_cause(self._causes[lines, speaker][~shooting], ticks[~shooting])
        for (
            part
        ) in mine:  # a label may be spoken by cores of several groups, in which the tile has different places
            spoken = shooting & (speaker == part)
            for c in np.unique(code[spoken]).tolist():
                total = int(ticks[spoken & (code == c)].sum())
                for cause, n in self._shares(c, total, number - min(cores[part])).items():
                    causes[cause] = causes.get(cause, 0) + n
        return causes

    def _finished(self, codes: Ints) -> Ints:
        done = np.array([label.kind is Kind.IDLE and label.cause is Cause.DONE for label in self.log.labels])
        return done[codes]

    def _shares(self, code: int, total: int, place: int) -> dict[str, int]:
        label = self.log.labels[code]
        pattern, active = label.pattern  # type: ignore[misc]
        if place >= active:
            return {Cause.EDGE.value: total}
        if pattern is None:
            return {str(label.cause): total}
        blocks, rest = divmod(total, pattern.ticks)
        if rest:
            said = f"{total} ticks are no whole number of blocks of {pattern.ticks}"
            raise LawBroken("core", self.log.end, said)
        return {cause.value: blocks * n for cause, n in pattern.split().items() if n}


def _seen_from_outside(label: Label) -> int:
    """What somebody waits for who waits for this part: of a block its whole time, not what its ticks are spent on.

    An index of CAUSES; -1 for a state that waits for another part.
    """
    if label.cause is None:
        return -1
    return _INDEX[label.cause if label.pattern is None else Cause.COMPUTE]


def _by_cause(causes: Ints, ticks: Ints) -> dict[str, int]:
    sums = np.zeros(len(CAUSES), dtype=np.int64)
    np.add.at(sums, causes, ticks)
    return {CAUSES[i].value: int(n) for i, n in enumerate(sums) if n}


def _signatures(t: FoldedLog) -> Ints:
    """A number for the state of the machine after each entry; equal states have equal numbers.

    The sum, modulo 2⁶⁴, of a fixed random number for each part's state. `laws` checks the sums that come of it against
    those of each part alone, so that a collision could not pass.
    """
    random = np.random.default_rng(20240607)
    table = random.integers(-(2**63), 2**63 - 1, size=(len(t.parts), len(t.labels)), dtype=np.int64)
    change = np.zeros(len(t.entries), dtype=np.int64)
    with np.errstate(over="ignore"):
        for part in range(len(t.parts)):
            own = t.rows(part)
            codes = np.concatenate(([t.initial[part]], t.entries[own, 2]))
            change[own] = table[part, codes[1:]] - table[part, codes[:-1]]
        return np.cumsum(change)
