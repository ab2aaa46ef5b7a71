"""Whether HBM could have served pieces of a run for longer, and nobody would have noticed.

A piece that arrives while its landing process still has others before it waits until that looks. If it comes later, but still
before it is looked for, the landing process does the same at the same ticks, so credits come back at the same ticks, so all pieces
are posted at the same ticks: by induction over events nothing has changed but the channel, which is busy for longer. It serves in
the order of posting, which stays, and begins a piece when that has been posted and the one before is done. Causes stay, too: who waits
for the channel waits for a piece that is served after those that take longer, which then comes later itself.

The log of a run says when each piece was served and when it was looked for. `Slack.hides` walks through it once and minds how late
the channel would be, which an idle gap takes up. A folded stretch happens again as it did if the channel is as late where it ends as
where it begins, and so are the pieces on their way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from lsim.kernel.labels import Kind, Label
from lsim.kernel.log import CUT, FOLD, Fold
from lsim.kernel.program import leaves
from lsim.parts.dma import DmaIssue, DmaOut
from lsim.parts.machine import Machine

IN_TIME = -1
"""When a piece arrives that comes no later than it came: before any tick."""

Pieces = tuple[str, int]
"""Those of a requester that are of one size: (process that issues or stores them, bytes)."""

Entries = npt.NDArray[np.int64]
STRETCH = 4096  # entries that are converted at once


def can_tell(machine: Machine) -> bool:
    """Whether the log tells whose pieces HBM served: there is one channel, and requesters have causes of their own."""
    return len(machine.hbm.channels) == 1 and len(machine.plan.groups) == 1


class Slack:
    """What HBM's channel did in a run that has ended, and when its pieces were looked for. `pieces`: how many there were."""

    def __init__(self, machine: Machine) -> None:
        self._channel = machine.hbm.channels[0].index
        self._latency = machine.hbm.latency
        self._folds = machine.env.log.folds
        self._codes: dict[Pieces, int] = {}  # of the states in which the channel serves them
        self.pieces: Counter[Pieces] = Counter()
        self._ticks: dict[int, int] = {}  # of service, by code
        self._lands: dict[int, int] = {}  # the part that follows pieces, by code; none if they are stored
        for name, process in machine.processes.items():
            if isinstance(process, DmaIssue | DmaOut):
                self._add(machine, name, process)
        self._entries = self._chosen(machine)
        self._lists: dict[int, list[list[int]]] = {}

    def _add(self, machine: Machine, name: str, process: DmaIssue | DmaOut) -> None:
        for times, item in leaves(process.cursor.program):
            code = self._codes[name, item.bytes] = process.moves(item.bytes)
            self.pieces[name, item.bytes] += times
            self._ticks[code] = machine.hbm.ticks(item.bytes)
            if isinstance(process, DmaIssue):
                self._lands[code] = machine.processes[f"{name}.land"].index

    def _chosen(self, machine: Machine) -> Entries:
        """(n, 4) tick, part, code or fold, position or entry of what there is to mind: services, what landing processes do once they have
        a piece, folds and where their stretches begin."""
        env, memory = machine.env, {port.index for port in machine.sram.ports}
        entries = np.frombuffer(env.log.records, dtype=np.int64).reshape(-1, 4)
        part = entries[:, 1]
        code = np.where(part >= 0, entries[:, 2], 0)
        has_piece = np.array([_has_piece(label, memory) for label in env.labels.all])
        serves = np.isin(np.arange(len(has_piece)), list(self._ticks))
        minded = (part == FOLD) | (part == self._channel) & serves[code]
        for land in set(self._lands.values()):
            rows = np.flatnonzero((part == land) & has_piece[code])
            minded[rows[np.diff(entries[rows, 3], prepend=-1) != 0]] = True
        minded[[fold.first for fold in self._folds]] = True
        rows = np.flatnonzero(minded)
        chosen = entries[rows]
        chosen[:, 3] = np.where(chosen[:, 1] == CUT, rows, chosen[:, 3])
        return chosen

    def hides(self, growths: Mapping[Pieces, Mapping[int, int]]) -> bool:
        """Whether nobody would notice that HBM serves so many of these pieces so many ticks longer. Only told of pieces of which all take
        as much longer, as the log says no more of a piece than how large it is."""
        longer: dict[int, int] = {}
        for pieces, growth in growths.items():
            more, times = next(iter(growth.items()))
            if more < 0 or times != self.pieces[pieces]:
                return False
            longer[self._codes[pieces]] = more
        return self._hides(longer)

    def _walked(self) -> Iterator[list[int]]:
        """The entries, converted as far as they are walked through: most that is noticed is noticed early."""
        for number in range(0, len(self._entries), STRETCH):
            if number not in self._lists:
                self._lists[number] = self._entries[number : number + STRETCH].tolist()
            yield from self._lists[number]

    def _hides(self, longer: Mapping[int, int]) -> bool:
        walk = _Walk(self._latency, set(self._lands.values()))
        for tick, part, code, at in self._walked():
            if part == self._channel:
                seen = walk.served(tick, self._ticks[code], longer.get(code, 0), self._lands.get(code))
            elif part == CUT:
                seen = walk.stretch_begins(tick, at)
            elif part == FOLD:
                seen = walk.stretch_again(tick, self._folds[code])
            else:
                seen = walk.landed(tick, part, at)
            if seen:
                return False
        return True


class _Walk:
    """How late the channel and its pieces are, entry by entry; each method answers whether somebody notices.

    `late`: ticks by which the channel was late when it had served the last piece, which it had at tick `free` of the run that was.
    `flying`: for each landing process, when the pieces arrive that it has not looked for yet. `item`: the one that it has in hand.
    """

    def __init__(self, latency: int, lands: set[int]) -> None:
        self.latency, self.late, self.free = latency, 0, 0
        self.flying: dict[int, deque[int]] = {land: deque() for land in lands}
        self.item = dict.fromkeys(lands, -1)
        self.borders: dict[int, object] = {}

    def served(self, tick: int, ticks: int, longer: int, land: int | None) -> bool:
        """The channel began to serve a piece."""
        self.late, self.free = self._late_at(tick) + longer, tick + ticks
        if land is None:
            return self.late > 0
        self.flying[land].append(self.free + self.latency + self.late if self.late else IN_TIME)
        return False

    def landed(self, tick: int, land: int, item: int) -> bool:
        """A landing process does something with an item: at first it has just looked for the piece."""
        if item == self.item[land]:
            return False
        self.item[land] = item
        return self.flying[land].popleft() >= tick

    def stretch_begins(self, tick: int, entry: int) -> bool:
        self.borders[entry] = self._border(tick)
        return False

    def stretch_again(self, tick: int, fold: Fold) -> bool:
        """What happened since `fold.first` happens again, as often as it says."""
        if self._border(tick) != self.borders[fold.first]:
            return True
        ticks = fold.count * fold.period
        self.free += ticks
        for land, arrivals in self.flying.items():
            self.flying[land] = deque(at if at == IN_TIME else at + ticks for at in arrivals)
            self.item[land] += fold.count * fold.steps[land]
        return False

    def _late_at(self, tick: int) -> int:
        """For how many ticks the channel is not free yet, if it would have been."""
        return max(0, self.free + self.late - tick)

    def _border(self, tick: int) -> object:
        """All that decides how late what follows is, relative to the tick."""
        return self._late_at(tick), [
            [max(IN_TIME, at - tick) for at in self.flying[land]] for land in self.flying
        ]


def _has_piece(label: Label, memory: set[int]) -> bool:
    """Whether a landing process in this state writes a piece into the global SRAM, or waits to."""
    return label.kind is Kind.BUSY or label.target in memory
