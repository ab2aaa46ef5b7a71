"""The energy of a run: events of its log times what each costs, and time times what draws power all the time. Exact.

A device's value is a fraction, and so is every sum here, in pJ. Only the power of a laser comes out of decibels, as a float
once; that float is a fraction too. So the totals over components, parts, operators, tiles and time are equal, not nearly.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from attrs import frozen

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.plan.schedule import Plan
from lsim.results.energy.operators import OperatorEnergy, operator_energies
from lsim.results.energy.prices import COMPONENTS, NONE, Prices
from lsim.results.energy.tiles import TileTime, tile_times
from lsim.results.statistics import Statistics


class Share(NamedTuple):
    """Energy of a component, a tile or a run, in pJ.

    `dynamic`: of events. `useful`, `dark`: of static power, in the time that MACs were done and by what was waited for
    instead; see `lsim.results.energy.tiles.TileTime`.
    """

    dynamic: Fraction
    useful: Fraction
    dark: Mapping[str, Fraction]

    @classmethod
    def of(cls, dynamic: Fraction, a_tick: Fraction, useful: Fraction, dark: Mapping[str, Fraction]) -> Share:
        """From static energy a tick, and the ticks."""
        lost = {cause: a_tick * ticks for cause, ticks in dark.items()} if a_tick else {}
        return cls(dynamic, a_tick * useful, lost)

    @property
    def static(self) -> Fraction:
        """Useful and dark."""
        return sum(self.dark.values(), self.useful)

    @property
    def total(self) -> Fraction:
        return self.dynamic + self.static

    def to_dict(self) -> dict[str, Any]:
        """As floats."""
        dark = {cause: float(energy) for cause, energy in self.dark.items()}
        return {"dynamic": float(self.dynamic), "useful": float(self.useful), "dark": dark}


@frozen(eq=False)
class Energy:
    """The energy of a run. `causes`: ticks of each tile by root cause.

    Sums are equal: of `components`; of `parts` and static power; of `operators`; of `tiles` and `shared`.
    """

    statistics: Statistics
    plan: Plan
    causes: Mapping[str, Mapping[str, int]]

    @property
    def arch(self) -> Arch:
        return self.plan.arch

    @cached_property
    def prices(self) -> Prices:
        return Prices(self.arch)

    @cached_property
    def tile_times(self) -> Mapping[str, TileTime]:
        return tile_times(self.statistics, self.arch, self.plan.groups, self.causes)

    # -- sums ------------------------------------------------------------------------------------------------------
    @cached_property
    def all(self) -> Share:
        """Of the whole run."""
        return Share.of(sum(self._dynamic.values(), NONE), self._a_tile, *self._time)

    @property
    def total_pj(self) -> Fraction:
        return self.all.total

    @cached_property
    def components(self) -> dict[str, Share]:
        """By component, those of no energy left out."""
        found = {}
        for name in COMPONENTS:
            a_tick = self.prices.static.get(name, NONE) / self.arch.core.tiles
            found[name] = Share.of(self._dynamic.get(name, NONE), a_tick, *self._time)
        return {name: share for name, share in found.items() if share.total}

    @cached_property
    def parts(self) -> dict[str, Fraction]:
        """Energy of the events of each part of the log; static power belongs to no process but to a component."""
        found = {}
        for part, name in enumerate(self.statistics.log.parts):
            energies = self.prices.priced(self.statistics.amounts_of(part).items())
            if energies:
                found[name] = sum(energies.values(), NONE)
        return found

    @cached_property
    def tiles(self) -> dict[str, Share]:
        """Each tile's M1 encoders, engines and converters, and an equal share of all static power."""
        found = {}
        for name, time in self.tile_times.items():
            dynamic = sum(self.prices.priced(time.counts.items()).values(), NONE)
            found[name] = Share.of(dynamic, self._a_tile, time.useful, time.dark)
        return found

    @property
    def shared(self) -> Fraction:
        """Energy of events that belong to no tile: M2 encoders, memories, DPU."""
        return self.all.dynamic - sum((tile.dynamic for tile in self.tiles.values()), NONE)

    @cached_property
    def operators(self) -> tuple[OperatorEnergy, ...]:
        """Of each operator or fused chain, in the order of the trace."""
        return operator_energies(self.statistics, self.plan, self.prices)

    # -- what they are made of -------------------------------------------------------------------------------------
    @cached_property
    def _dynamic(self) -> dict[str, Fraction]:
        return self.prices.priced(self.statistics.amounts.items())

    @property
    def _a_tile(self) -> Fraction:
        """Static energy of a tile's share in a tick."""
        return self.prices.static_pj / self.arch.core.tiles

    @cached_property
    def _time(self) -> tuple[Fraction, dict[str, Fraction]]:
        """Ticks of all tiles: useful, and dark by cause."""
        dark: dict[str, Fraction] = {}
        for time in self.tile_times.values():
            for cause, ticks in time.dark.items():
                dark[cause] = dark.get(cause, NONE) + ticks
        return sum((time.useful for time in self.tile_times.values()), NONE), dark

    # -- told ------------------------------------------------------------------------------------------------------
    def to_dict(self) -> dict[str, Any]:
        """All of it as numbers of pJ for JSON: floats, so sums of theirs may differ in the last digits."""
        return {
            "unit": "pJ",
            "total": float(self.total_pj),
            **self.all.to_dict(),
            "components": {name: share.to_dict() for name, share in self.components.items()},
            "parts": {name: float(energy) for name, energy in self.parts.items()},
            "tiles": {name: tile.to_dict() for name, tile in self.tiles.items()},
            "shared": float(self.shared),
            "operators": [operator.to_dict() for operator in self.operators],
            "devices": {
                "sha256": self.arch.devices_sha256,
                "assumptions": [assumed._asdict() for assumed in self.arch.device_assumptions],
            },
        }

    def check(self) -> None:
        """Raises LawBroken if the energies of components, parts, tiles, operators and time do not have one sum."""
        sums = {
            "components": sum((share.total for share in self.components.values()), NONE),
            "parts": sum(self.parts.values(), self.all.static),
            "tiles": sum((tile.total for tile in self.tiles.values()), self.shared),
            "time": self.all.dynamic + self.prices.static_pj * self.statistics.log.end,
            "operators": sum((operator.total for operator in self.operators), NONE),
        }
        for name, energy in sums.items():
            if energy != self.total_pj:
                said = f"{float(energy)} pJ of {name} are not {float(self.total_pj)} pJ"
                raise LawBroken("energy", self.statistics.log.end, said)
