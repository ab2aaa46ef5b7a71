"""Whether a run must take as long as one that was simulated, tick by tick, without simulating it.

Two machines of one architecture do the same at the same ticks if their programs are the same but for sizes that come to the
same ticks at every port, and if room makes nobody wait who did not wait before. By induction over events: as long as both
have done the same, the next service is asked for at the same tick and lasts as long. Room is bytes, which may differ:

- of the resident region, claims and returns come in one order each; so a claim waits for so many returns, and no clock is
  needed to say for how many. The numbers must be equal.
- of a staging ring or a window ahead, nobody may have waited in the run that was simulated, and what was out at any time of it,
  scaled by the largest growth of any single claim, must fit the other's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from attrs import asdict

from lsim.arch import Arch
from lsim.kernel.program import Leaf, Program, Repeat, Seq
from lsim.kernel.tokens import Channel
from lsim.parts.controller import Controller
from lsim.parts.dptc import active_tiles
from lsim.parts.machine import Machine
from lsim.plan.items import Block, Drain, Fill, Issue, Lanes, Piece, Retire
from lsim.plan.places import program_of
from lsim.plan.residency import Residency

TAKES: Mapping[type, Mapping[str, str]] = {
    Piece: {"load": "ahead", "unit_bytes": "ring"},
    Drain: {"room": "ring"},
}
"""Fields of items that are bytes of room taken, each with the attribute of the process that is the channel."""


Pairs = Counter[tuple[Any, Any]]
"""Items of two programs that stand at the same places, and at how many."""

Changes = dict[str, Pairs]
"""By process."""

Amounts = tuple[tuple[str, int], ...]
_NOTHING: Pairs = Counter()


class _NotAlike(Exception):
    """Found where the two differ in what they spend."""


class Likeness:
    """Compares machines of one architecture."""

    def __init__(self, arch: Arch) -> None:
        sram, hbm = cache(arch.global_sram_ticks), cache(arch.hbm_ticks)
        self._views: Mapping[type, Mapping[str, Callable[[int], object]]] = {
            Issue: {"claim": bool},
            Retire: {"frees": bool},
            Piece: {"bytes": lambda n: (hbm(n), sram(n)), "unit_bytes": bool, "load": bool},
            Fill: {"bytes": sram, "frees": bool, "ends_load": bool},
            Block: {"columns": bool, "depth": bool, "rows": bool},
            Drain: {"reads": lambda n: n and sram(n), "writes": sram, "sums": bool, "room": bool},
            Lanes: {"elements": bool, "reads": bool, "writes": bool},
        }
        self._arch = arch
        self.spends = cache(self._spent)

    def changes(self, done: Machine, new: Machine) -> Changes | None:
        """How the work of `new` differs from that of `done`, which has run, if it would be in the same states at the same ticks;
        else None."""
        if not _same_wires(done, new) or returns(done.plan.residency) != returns(new.plan.residency):
            return None
        growth: dict[int, Fraction] = {}  # channel of `done` → the largest growth of what is taken from it
        changes: Changes = {}
        try:
            for name, program in done.plan.programs.items():
                changes[name] = _differences(program, new.plan.programs[name], {})
                for one, other in changes[name]:
                    self._compare(done, name, one, other, growth)
        except _NotAlike:
            return None
        controller = done.processes["controller"]
        assert isinstance(controller, Controller)
        channels = zip(done.env.channels, new.env.channels, strict=True)
        has_room = all(
            one is controller.region or _has_room(one, other, growth.get(one.index, Fraction(1)))
            for one, other in channels
        )
        return changes if has_room else None

    def _compare(self, done: Machine, name: str, one: Any, other: Any, growth: dict[int, Fraction]) -> None:
        if type(one) is not type(other) or self.spends(one) != self.spends(other):
            raise _NotAlike
        for field, attribute in TAKES.get(type(one), {}).items():
            before, after = getattr(one, field), getattr(other, field)
            channel: Channel | None = getattr(done.processes[name], attribute, None)
            if before == after or channel is None:
                continue
            if channel.blocked:
                raise _NotAlike
            growth[channel.index] = max(growth.get(channel.index, Fraction(1)), Fraction(after, before))

    def _spent(self, item: Any) -> dict[str, object]:
        """An item with its sizes as the ticks that they come to; what is not known to be a size stays as it is."""
        fields = asdict(item, recurse=False)
        fields.update({name: view(fields[name]) for name, view in self._views[type(item)].items()})
        if isinstance(item, Block):
            fields["tiles"] = active_tiles(item, self._arch)
        return fields


def _same_wires(done: Machine, new: Machine) -> bool:
    one, other = done.plan, new.plan
    return (
        list(one.givers.items()) == list(other.givers.items())
        and one.prefetched == other.prefetched
        and one.groups == other.groups
        and one.programs.keys() == other.programs.keys()
    )


def returns(residency: Residency) -> list[int]:
    """For each claim on the resident region, how many units must have retired before it is granted."""
    room, retired, needed = residency.region, 0, []
    for claim in residency.claims:
        room -= claim
        while room < 0:
            room += residency.frees[retired]
            retired += 1
        needed.append(retired)
    return needed


def _has_room(one: Channel, other: Channel, growth: Fraction) -> bool:
    """Whether a channel makes nobody wait in the second run who did not in the first."""
    if one.blocked or (one.initial == other.initial and growth == 1):
        return one.initial == other.initial
    return (one.initial - one.low) * growth <= other.initial


def counted(machine: Machine, changes: Changes) -> Iterator[tuple[str, Amounts, int]]:
    """What changes count: (part, amounts, how often more, or fewer). A part that follows another's program counts its items, too."""
    for name, process in machine.processes.items():
        for pair, times in changes.get(program_of(name), _NOTHING).items():
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
