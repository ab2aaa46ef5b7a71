"""The distinct states that a machine as a whole was in, and whom each part waits for in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from random import Random

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lsim.errors import LawBroken
from lsim.kernel.labels import Cause, Kind, Label
from lsim.results.folded import FoldedLog, Ints

CAUSES = tuple(Cause)
_INDEX = {cause: i for i, cause in enumerate(CAUSES)}


@frozen(eq=False)
class States:
    """The states of the machine that lasted.

    `lasting`: the entries whose stretch takes time. `which`: the number of the state during each of them. `rows`: an entry
    at which each state was. `codes`: (state, part) what each part did in it.
    """

    log: FoldedLog

    @cached_property
    def lasting(self) -> Ints:
        return np.flatnonzero(self.log.ticks)

    @cached_property
    def _distinct(self) -> tuple[Ints, Ints]:
        _, first, which = np.unique(
            _signatures(self.log)[self.lasting], return_index=True, return_inverse=True
        )
        return self.lasting[first], which

    @property
    def rows(self) -> Ints:
        return self._distinct[0]

    @property
    def which(self) -> Ints:
        return self._distinct[1]

    @cached_property
    def codes(self) -> Ints:
        parts = range(len(self.log.parts))
        return np.stack([self.log.codes_at(part, self.rows) for part in parts], axis=1)

    def totals(self, spent: Ints) -> Ints:
        """Ticks of each state, from those of each entry's stretch."""
        ticks = np.zeros(len(self.rows), dtype=np.int64)
        np.add.at(ticks, self.which, spent[self.lasting])
        return ticks

    @cached_property
    def kinds(self) -> NDArray[np.int8]:
        """(state, part): whether each part is busy, waits or is idle."""
        return np.array([label.kind for label in self.log.labels], dtype=np.int8)[self.codes]

    @cached_property
    def causes(self) -> Ints:
        """(state, part): the root cause, as an index of CAUSES. Raises LawBroken for parts that wait for each other."""
        codes, target = self.codes, self.targets
        seen = np.array([_seen_from_outside(label) for label in self.log.labels], dtype=np.int64)
        causes: Ints = seen[codes]
        line, part = np.nonzero(target[codes] >= 0)  # of those that wait for another part
        whom = target[codes[line, part]]
        for _ in range(codes.shape[1] + 1):
            causes[line, part] = causes[line, whom]
            follow = target[codes[line, whom]]
            far = follow >= 0
            line, part, whom = line[far], part[far], follow[far]
            if not len(line):
                return causes
        tick = int(self.log.entries[self.rows[line[0]], 0])
        raise LawBroken(self.log.parts[part[0]], tick, "waits for parts that wait for each other")

    def speaker(self, cores: Sequence[int]) -> Ints:
        """(state,): of the cores of the groups that a tile belongs to, the busiest, which speaks for the tile; one whose work is
        done only where all are."""
        kind = np.array([label.kind for label in self.log.labels])
        done = np.array([label.kind is Kind.IDLE and label.cause is Cause.DONE for label in self.log.labels])
        speaker = np.full(len(self.codes), cores[0])
        for wanted in (Kind.IDLE, Kind.WAIT, Kind.BUSY):
            for part in reversed(cores):
                codes = self.codes[:, part]
                speaker = np.where((kind[codes] == wanted) & ~done[codes], part, speaker)
        return speaker

    @cached_property
    def targets(self) -> Ints:
        """By code, the part that whoever is in this state waits for; −1 for none."""
        labels = ((label, label.target) for label in self.log.labels)
        nobody = -1
        return np.array(
            [nobody if label.kind is Kind.BUSY or to is None else to for label, to in labels], dtype=np.int64
        )

    def root(self, part: int, codes: Sequence[int]) -> str:
        """The root cause of what a part does while every part does what `codes` say."""
        while (target := self.targets[codes[part]]) >= 0:
            part = int(target)
        return CAUSES[_seen_from_outside(self.log.labels[codes[part]])].value

    @cached_property
    def columns(self) -> Ints:
        """(state, part): which of `COLUMNS` the part's time goes to."""
        waiting = len(FIRST_COLUMNS) + self.causes
        return np.where(self.kinds == Kind.BUSY, 0, np.where(self.kinds == Kind.IDLE, 1, waiting))


FIRST_COLUMNS = ("busy", "idle")
COLUMNS = (*FIRST_COLUMNS, *(cause.value for cause in CAUSES))
"""What the time of a part divides into: busy, idle, and waiting by root cause."""


def _seen_from_outside(label: Label) -> int:
    """What somebody waits for who waits for this part: of a block its whole time, not what its ticks are spent on.

    An index of CAUSES; -1 for a state that waits for another part.
    """
    if label.cause is None:
        return -1
    within_block = label.pattern is not None and label.cause is not Cause.RELOAD
    return _INDEX[Cause.COMPUTE if within_block else label.cause]


def _signatures(t: FoldedLog) -> Ints:
    """A number for the state of the machine after each entry; equal states have equal numbers.

    The sum, modulo 2⁶⁴, of a fixed random number for each part's state. `laws` checks the sums that come of it against
    those of each part alone, so that a collision could not pass.
    """
    numbers = Random(20240607).randbytes(8 * len(t.parts) * len(t.labels))
    table = np.frombuffer(numbers, dtype="<i8").reshape(len(t.parts), len(t.labels))
    change = np.zeros(len(t.entries), dtype=np.int64)
    with np.errstate(over="ignore"):
        for part in range(len(t.parts)):
            own = t.rows(part)
            codes = np.concatenate(([t.initial[part]], t.entries[own, 2]))
            change[own] = table[part, codes[1:]] - table[part, codes[:-1]]
        return np.cumsum(change)
