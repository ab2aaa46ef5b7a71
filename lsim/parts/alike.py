"""Whether a run must take as long as one that was simulated, tick by tick, without simulating it.

Two machines of one architecture do the same at the same ticks if their programs are the same but for sizes that come to the
same ticks at every port, and if room is granted at the same ticks. By induction over events: as long as both have done the same,
the next service is asked for at the same tick and lasts as long. Room is bytes, which may differ: of the resident region, of a
staging ring, of a window ahead. One process takes it and one gives it back, both in the order of their programs, which is the same
in both machines. It is granted at the same ticks if one of two things holds:

- Each claim needs as many returns in one machine as in the other. It is granted when it has been asked for and so many have come
  (`lsim.parts.room`), and until then both machines have done the same.
- Nobody waited for it in the run that was simulated, and what was out at any time of it, scaled by the largest growth of any
  single claim, fits the other's. Then nobody waits there, either.

One thing may take longer: HBM may serve pieces for more ticks, if nobody notices (`lsim.parts.slack`). Then its channel is busy for
longer, and all else is as it was.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

from attrs import asdict, frozen

from lsim.arch import Arch
from lsim.kernel.process import Amounts, Process
from lsim.kernel.program import Leaf, Program, Repeat, Seq
from lsim.kernel.tokens import Channel
from lsim.parts.dptc import active_tiles
from lsim.parts.machine import Machine
from lsim.parts.room import Room, rooms, same_needs
from lsim.parts.slack import Pieces, Slack, can_tell
from lsim.plan.items import Block, Drain, Fill, Issue, Lanes, Piece, Retire
from lsim.plan.places import FOLLOWERS, program_of

Pairs = Counter[tuple[Any, Any]]
"""Items of two programs that stand at the same places, and at how many."""


@frozen
class Changes:
    """How a run differs from another that is in the same states at the same ticks.

    `items`: of each program. `served`: ticks for which each channel of HBM is busy longer, and idle less.
    """

    items: Mapping[str, Pairs]
    served: Mapping[str, int]


_NOTHING: Pairs = Counter()


class _NotAlike(Exception):
    """Found where the two differ in what they spend."""


class _Ran:
    """A machine that has run, which others are compared with again and again."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    @cached_property
    def rooms(self) -> dict[int, Room]:
        return rooms(self.machine)

    @cached_property
    def slack(self) -> Slack:
        return Slack(self.machine)


class Likeness:
    """Compares machines of one architecture."""

    def __init__(self, arch: Arch) -> None:
        sram, self._hbm = cache(arch.global_sram_ticks), cache(arch.hbm_ticks)
        self._views: Mapping[type, Mapping[str, Callable[[int], object]]] = {
            Issue: {"claim": bool},
            Retire: {"frees": bool},
            Piece: {"bytes": sram, "unit_bytes": bool, "load": bool},
            Fill: {"bytes": sram, "frees": bool, "ends_load": bool},
            Block: {"columns": bool, "depth": bool, "rows": bool},
            Drain: {"reads": lambda n: n and sram(n), "writes": sram, "sums": bool, "room": bool},
            Lanes: {"elements": bool, "reads": bool, "writes": bool},
        }
        self._arch = arch
        self._last: _Ran | None = None
        self.spends = cache(self._spent)

    def changes(self, done: Machine, new: Machine) -> Changes | None:
        """How the run of `new` will differ from that of `done`, which has ended, if it will be in the same states at the same ticks;
        else None."""
        if not _same_wires(done, new):
            return None
        if self._last is None or self._last.machine is not done:
            self._last = _Ran(done)
        ran = self._last
        growth: dict[int, Fraction] = {}  # of the channels of which claims or returns differ, that of a claim
        items: dict[str, Pairs] = {}
        try:
            for name, program in done.plan.programs.items():
                items[name] = _differences(program, new.plan.programs[name], {})
                for one, other in items[name]:
                    self._compare(done, name, one, other, growth)
            served = self._served(ran, items)
            self._check_grants(ran, new, growth)
            return Changes(items, served)
        except _NotAlike:
            return None

    def _check_grants(self, ran: _Ran, new: Machine, growth: Mapping[int, Fraction]) -> None:
        """Room is granted at the same ticks."""
        channels = list(zip(ran.machine.env.channels, new.env.channels, strict=True))
        tight = [one.index for one, other in channels if not _has_room(one, other, growth)]
        if tight:
            after = rooms(new)
            if not all(same_needs(ran.rooms[index], after[index]) for index in tight):
                raise _NotAlike

    def _served(self, ran: _Ran, items: Mapping[str, Pairs]) -> dict[str, int]:
        """For how many ticks longer each channel of HBM is busy, without anybody noticing."""
        growths: defaultdict[Pieces, Counter[int]] = defaultdict(Counter)  # in ticks, and of how many pieces
        for name, pairs in items.items():
            for (one, other), times in pairs.items():
                if isinstance(one, Piece):
                    growths[name, one.bytes][self._hbm(other.bytes) - self._hbm(one.bytes)] += times
        longer = {pieces: growth for pieces, growth in growths.items() if any(growth)}
        if not longer:
            return {}
        if not can_tell(ran.machine) or not ran.slack.hides(longer):
            raise _NotAlike
        ticks = sum(more * times for growth in longer.values() for more, times in growth.items())
        return {ran.machine.hbm.channels[0].name: ticks}

    def _compare(self, done: Machine, name: str, one: Any, other: Any, growth: dict[int, Fraction]) -> None:
        if type(one) is not type(other) or self.spends(one) != self.spends(other):
            raise _NotAlike
        for process in _walkers(done, name):
            for index, before, after in _changed(process, process.claims(one), process.claims(other)):
                growth[index] = max(growth.get(index, Fraction(1)), Fraction(after, before))
            for index, _, _ in _changed(process, process.returns(one), process.returns(other)):
                growth.setdefault(index, Fraction(1))

    def _spent(self, item: Any) -> dict[str, object]:
        """An item with its sizes as the ticks that they come to; what is not known to be a size stays as it is."""
        fields = asdict(item, recurse=False)
        fields.update({name: view(fields[name]) for name, view in self._views[type(item)].items()})
        if isinstance(item, Block):
            fields["tiles"] = active_tiles(item, self._arch)
        return fields


def _walkers(machine: Machine, program: str) -> Iterator[Process]:
    """The processes that walk a program: its own, and those that follow it."""
    for part in (program, *(f"{program}{follower}" for follower in FOLLOWERS)):
        if part in machine.processes:
            yield machine.processes[part]


def _changed(process: Process, one: Amounts, other: Amounts) -> Iterator[tuple[int, int, int]]:
    """(channel, bytes, other bytes) where two items take or give back other amounts of room."""
    for (attribute, before), (_, after) in zip(one, other, strict=True):
        if before != after:
            yield getattr(process, attribute).index, before, after


def _same_wires(done: Machine, new: Machine) -> bool:
    one, other = done.plan, new.plan
    return (
        list(one.givers.items()) == list(other.givers.items())
        and one.prefetched == other.prefetched
        and one.groups == other.groups
        and one.programs.keys() == other.programs.keys()
    )


def _has_room(one: Channel, other: Channel, growth: Mapping[int, Fraction]) -> bool:
    """Whether a channel is as it was, or makes nobody wait in the second run as it made nobody wait in the first.

    Of a channel that is as it was no claim and no return has changed: no entry in `growth`.
    """
    if one.initial == other.initial and one.index not in growth:
        return True
    most = (one.initial - one.low) * growth.get(one.index, Fraction(1))
    return not one.blocked and most <= other.initial


def counted(machine: Machine, changes: Changes) -> Iterator[tuple[str, Amounts, int]]:
    """What changes count: (part, amounts, how often more, or fewer). A part that follows another's program counts its items, too."""
    for name, process in machine.processes.items():
        for pair, times in changes.items.get(program_of(name), _NOTHING).items():
            for item, sign in zip(pair, (-1, 1), strict=True):
                for code in process.counts(item):
                    yield name, machine.env.labels.all[code].amounts, sign * times


def _differences(one: Program, other: Program, known: dict[tuple[int, int], Pairs]) -> Pairs:
    """The items of two programs of one form side by side, and how often; those that are the same objects left out."""
    if one is other:
        return _NOTHING
    both = id(one), id(other)
    if both not in known:
        known[both] = _differing(one, other, known)
    return known[both]


def _differing(one: Program, other: Program, known: dict[tuple[int, int], Pairs]) -> Pairs:
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        return Counter({(one.item, other.item): 1})
    pairs: Pairs = Counter()
    if isinstance(one, Repeat) and isinstance(other, Repeat) and one.count == other.count:
        for pair, times in _differences(one.body, other.body, known).items():
            pairs[pair] = times * one.count
    elif isinstance(one, Seq) and isinstance(other, Seq) and len(one.parts) == len(other.parts):
        for parts in zip(one.parts, other.parts, strict=True):
            pairs.update(_differences(*parts, known))
    else:
        raise _NotAlike
    return pairs
