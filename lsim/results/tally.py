"""What runs of one machine come to, one after another: sums over the steps of a generation. Exact."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from lsim.results.energy.tiles import Amounts, blocks_of, tile_times
from lsim.results.result import bytes_of
from lsim.results.statistics import PartTime, shares

if TYPE_CHECKING:
    from lsim.arch import Arch
    from lsim.plan.mappings import Group
    from lsim.results.energy.bill import Bill
    from lsim.results.result import Result

Counters = defaultdict[str, Counter[Any]]


def _counters() -> Counters:
    return defaultdict(Counter)


@define
class Tally:
    """Sums over runs. `amounts`: all that was counted: bytes, shots, MACs. `tiles`: ticks of each tile by root cause.
    `blocks`: of each tile group, how often its cores did a block that counts these amounts. `groups`: the tile groups.
    """

    ticks: int = 0
    amounts: Counter[str] = field(factory=Counter)
    tiles: Counters = field(factory=_counters)
    blocks: Counters = field(factory=_counters)
    groups: tuple[Group, ...] = ()
    _busy: Counter[str] = field(factory=Counter)
    _idle: Counter[str] = field(factory=Counter)
    _waiting: Counters = field(factory=_counters)

    @classmethod
    def of(cls, result: Result) -> Tally:
        """Of one run."""
        groups = result.plan.groups
        tally = cls(result.ticks, Counter(result.statistics.amounts), groups=groups)
        _add(tally.tiles, result.tiles())
        _add(tally.blocks, blocks_of(result.statistics, groups))
        for name, part in result.parts().items():
            tally._busy[name], tally._idle[name] = part.busy, part.idle
            tally._waiting[name].update(part.waiting)
        return tally

    def add(self, other: Tally) -> None:
        """And of other runs."""
        self.ticks += other.ticks
        self.groups = other.groups
        self.amounts.update(other.amounts)
        self._busy.update(other._busy)
        self._idle.update(other._idle)
        _add(self.tiles, other.tiles)
        _add(self.blocks, other.blocks)
        _add(self._waiting, other._waiting)

    def count(self, part: str, amounts: Amounts, times: int) -> None:
        """A part did something that counts these amounts so many times more, or fewer."""
        for name, quantity in amounts:
            self.amounts[name] += times * quantity
        for group in self.groups:
            if part == group.part("core"):
                self.blocks[group.name][amounts] += times

    def lengthen(self, part: str, ticks: int) -> None:
        """A part was busy for so many ticks more, in which it had been idle."""
        self._busy[part] += ticks
        self._idle[part] -= ticks

    def to_dict(self) -> dict[str, Any]:
        """All of it for JSON: whole numbers, so nothing is lost."""
        parts = {
            name: [busy, self._idle[name], dict(self._waiting[name])] for name, busy in self._busy.items()
        }
        blocks = {group: list(counts.items()) for group, counts in self.blocks.items()}
        tiles = {name: dict(causes) for name, causes in self.tiles.items()}
        return {
            "ticks": self.ticks,
            "amounts": dict(self.amounts),
            "tiles": tiles,
            "blocks": blocks,
            "parts": parts,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], groups: tuple[Group, ...]) -> Tally:
        """What `to_dict` told."""
        tally = cls(told["ticks"], Counter(told["amounts"]), groups=groups)
        _add(tally.tiles, told["tiles"])
        for group, counts in told["blocks"].items():
            for amounts, times in counts:
                tally.blocks[group][tuple((name, n) for name, n in amounts)] = times
        for name, (busy, idle, waiting) in told["parts"].items():
            tally._busy[name], tally._idle[name] = busy, idle
            tally._waiting[name].update(waiting)
        return tally

    # -- what is told of it ----------------------------------------------------------------------------------------
    @property
    def causes(self) -> dict[str, int]:
        """Ticks of all tiles by root cause."""
        total: Counter[str] = Counter()
        for tile in self.tiles.values():
            total.update(tile)
        return dict(total)

    def parts(self) -> dict[str, PartTime]:
        """Ticks of each part; busy, idle and waiting sum to `ticks`."""
        return {
            name: PartTime(busy, self._idle[name], dict(self._waiting[name]))
            for name, busy in self._busy.items()
        }

    def bytes(self) -> dict[str, dict[str, int]]:
        """Bytes into and out of each memory."""
        return bytes_of(self.amounts)

    def utilization(self, arch: Arch) -> dict[str, float]:
        """See `lsim.results.statistics.shares`."""
        return shares(self.amounts, arch, self.ticks)

    def energy(self, arch: Arch) -> Bill:
        """What it costs."""
        from lsim.results.energy.bill import Bill
        from lsim.results.energy.prices import Prices

        times = tile_times(self.blocks, arch, self.groups, self.tiles)
        return Bill(Prices(arch), self.amounts, times)


def _add(sums: Counters, others: Mapping[str, Mapping[Any, int]]) -> None:
    for name, counts in others.items():
        sums[name].update(counts)
