"""What counted events and the time of tiles cost: of a run, or of many one after another. Exact.

A device's value is a fraction, and so is every sum here, in pJ. Only the power of a laser comes out of decibels, as a float
once; that float is a fraction too. So the totals over components, tiles and time are equal, not nearly.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from attrs import frozen

from lsim.results.energy.prices import COMPONENTS, NONE, Prices
from lsim.results.energy.tiles import TileTime


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
class Bill:
    """`amounts`: what was counted, by counter. `tile_times`: how the time of each tile divides.

    Sums are equal: of `components`; of `tiles` and `shared`.
    """

    prices: Prices
    amounts: Mapping[str, int]
    tile_times: Mapping[str, TileTime]

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
            a_tick = self.prices.static.get(name, NONE) / self.prices.arch.core.tiles
            found[name] = Share.of(self._dynamic.get(name, NONE), a_tick, *self._time)
        return {name: share for name, share in found.items() if share.total}

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

    # -- what they are made of -------------------------------------------------------------------------------------
    @cached_property
    def _dynamic(self) -> dict[str, Fraction]:
        return self.prices.priced(self.amounts.items())

    @property
    def _a_tile(self) -> Fraction:
        """Static energy of a tile's share in a tick."""
        return self.prices.static_pj / self.prices.arch.core.tiles

    @cached_property
    def _time(self) -> tuple[Fraction, dict[str, Fraction]]:
        """Ticks of all tiles: useful, and dark by cause."""
        dark: dict[str, Fraction] = {}
        for time in self.tile_times.values():
            for cause, ticks in time.dark.items():
                dark[cause] = dark.get(cause, NONE) + ticks
        return sum((time.useful for time in self.tile_times.values()), NONE), dark

    def to_dict(self) -> dict[str, Any]:
        """As floats, so sums of theirs may differ in the last digits."""
        return {
            "unit": "pJ",
            "total": float(self.total_pj),
            **self.all.to_dict(),
            "components": {name: share.to_dict() for name, share in self.components.items()},
            "tiles": {name: tile.to_dict() for name, tile in self.tiles.items()},
            "shared": float(self.shared),
        }
