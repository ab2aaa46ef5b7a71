"""What the log adds up to: functions of the timeline, exact integers.

The time of a run is divided among the states that the machine as a whole was in. A waiting part's time goes to the root
cause: whom it waits for, whom that one waits for in turn, until somebody is busy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from attrs import field, frozen

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.kernel.labels import Cause, Kind
from lsim.results.folded import FoldedLog, Ints
from lsim.results.states import CAUSES, States


@frozen
class PartTime:
    """Ticks of a part: busy, idle (no work was issued to it), and waiting by root cause."""

    busy: int
    idle: int
    waiting: Mapping[str, int]

    @property
    def total(self) -> int:
        return self.busy + self.idle + sum(self.waiting.values())


def shares(counted: Mapping[str, int], arch: Arch, ticks: int) -> dict[str, float]:
    """Utilization in so many ticks, from what all cores counted.

    `core_busy`: shots of all cores over what they could have fired, one a tick. `occupied`: the same of dot-product
    engines with a row and a column of the result. `useful_macs`: MACs over the peak of all engines and wavelengths.
    """
    core = arch.core
    cores, peak = core.tiles * core.cores * ticks, arch.peak_macs_per_tick * ticks
    engines = cores * core.rows * core.columns
    return {
        "core_busy": counted.get("core_shots", 0) / cores if cores else 0.0,
        "occupied": counted.get("engine_shots", 0) / engines if engines else 0.0,
        "useful_macs": counted.get("macs", 0) / peak if peak else 0.0,
    }


Spoken = tuple[dict[str, int], dict[tuple[int, int], int]]
"""Ticks by cause outside of blocks, and ticks of blocks by (core, code)."""


@frozen(eq=False)
class Statistics:
    """Sums over the timeline of a run."""

    log: FoldedLog
    _told: dict[tuple[int, ...], Spoken] = field(factory=dict, init=False)

    @cached_property
    def states(self) -> States:
        return States(self.log)

    @cached_property
    def _ticks(self) -> Ints:
        """Ticks of each state of the machine."""
        return self.states.totals(self.log.times * self.log.ticks)

    # -- sums ------------------------------------------------------------------------------------------------------
    @cached_property
    def counts_by_part(self) -> Ints:
        """(part, code): how often each part entered each of its states."""
        t = self.log
        counts = np.zeros((len(t.parts), len(t.labels)), dtype=np.int64)
        records = t.entries[:, 1] >= 0
        part, code = t.entries[records, 1:3].T
        np.add.at(counts.ravel(), part * len(t.labels) + code, t.times[records])
        return counts

    @cached_property
    def counts(self) -> Ints:
        """How often each state, by code, was entered."""
        counts: Ints = self.counts_by_part.sum(axis=0)
        return counts

    @cached_property
    def amounts(self) -> dict[str, int]:
        """All that was counted: bytes in and out of each buffer, shots, MACs."""
        return self._amounts(self.counts)

    def amounts_of(self, part: int) -> dict[str, int]:
        """All that was counted at a part."""
        return self._amounts(self.counts_by_part[part])

    def _amounts(self, counts: Ints) -> dict[str, int]:
        totals: dict[str, int] = {}
        for code in np.flatnonzero(counts).tolist():
            for name, quantity in self.log.labels[code].amounts:
                totals[name] = totals.get(name, 0) + int(counts[code]) * quantity
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
        sums = np.zeros(len(self.log.labels), dtype=np.int64)
        np.add.at(sums, self.states.codes[:, part], self._ticks)
        return sums

    @cached_property
    def parts(self) -> dict[str, PartTime]:
        """Busy, idle and waiting ticks of each part."""
        return {name: self._part(i) for i, name in enumerate(self.log.parts)}

    def _part(self, part: int) -> PartTime:
        ticks, kinds = self._ticks, self.states.kinds[:, part]
        waits = kinds == Kind.WAIT
        waiting = _by_cause(self.states.causes[waits, part], ticks[waits])
        return PartTime(int(ticks[kinds == Kind.BUSY].sum()), int(ticks[kinds == Kind.IDLE].sum()), waiting)

    def tile(self, number: int, cores: Mapping[int, range]) -> dict[str, int]:
        """Ticks of a tile by root cause. `cores`: the core parts of the groups it belongs to, and their tiles.

        Blocks divide into shots, feed and waiting for the ADC; a tile without rows of a block counts `edge`.
        """
        mine = tuple(part for part, tiles in cores.items() if number in tiles)
        elsewhere, blocks = self._spoken(mine)
        causes = dict(elsewhere)
        for (part, code), total in blocks.items():
            for cause, n in self._shares(code, total, number - min(cores[part])).items():
                causes[cause] = causes.get(cause, 0) + n
        return causes

    def _spoken(self, cores: tuple[int, ...]) -> Spoken:
        """What the cores say that speak for the same tiles."""
        if cores not in self._told:
            self._told[cores] = self._said(cores)
        return self._told[cores]

    def _said(self, cores: tuple[int, ...]) -> Spoken:
        ticks, codes = self._ticks, self.states.codes
        speaker = self.states.speaker(cores)
        lines = np.arange(len(ticks))
        code = codes[lines, speaker]
        shooting = np.array([label.pattern is not None for label in self.log.labels])[code]
        causes = _by_cause(self.states.causes[lines, speaker][~shooting], ticks[~shooting])
        blocks: dict[tuple[int, int], int] = {}
        # a label may be spoken by cores of several groups, in which the tile has different places
        for part in cores:
            spoken = shooting & (speaker == part)
            sums = np.zeros(len(self.log.labels), dtype=np.int64)
            np.add.at(sums, code[spoken], ticks[spoken])
            blocks.update({(part, c): int(sums[c]) for c in np.flatnonzero(sums).tolist()})
        return causes, blocks

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


def _by_cause(causes: Ints, ticks: Ints) -> dict[str, int]:
    sums = np.zeros(len(CAUSES), dtype=np.int64)
    np.add.at(sums, causes, ticks)
    return {CAUSES[i].value: int(n) for i, n in enumerate(sums) if n}
