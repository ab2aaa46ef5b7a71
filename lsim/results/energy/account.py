"""The energy of a run: events of its log times what each costs, and time times what draws power all the time. Exact.

A device's value is a fraction, and so is every sum here, in pJ. Only the power of a laser comes out of decibels, as a float
once; that float is a fraction too. So the totals over components, parts, operators, tiles and time are equal, not nearly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from attrs import frozen

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.plan.schedule import Plan
from lsim.results.energy.prices import COMPONENTS, Prices
from lsim.results.energy.tiles import TileTime, tile_times
from lsim.results.folded import Ints
from lsim.results.positions import counted_before, reached
from lsim.results.statistics import Statistics

NONE = Fraction(0)


@frozen
class Share:
    """Energy of a component, a tile or a run, in pJ.

    `dynamic`: of events. `useful`, `dark`: of static power, in the time that MACs were done and by what was waited for
    instead; see `lsim.results.energy.tiles.TileTime`.
    """

    dynamic: Fraction
    useful: Fraction
    dark: Mapping[str, Fraction]

    @property
    def static(self) -> Fraction:
        """Useful and dark."""
        return self.useful + sum(self.dark.values(), NONE)

    @property
    def total(self) -> Fraction:
        return self.dynamic + self.static

    def to_dict(self) -> dict[str, Any]:
        """As floats."""
        dark = {cause: float(energy) for cause, energy in self.dark.items()}
        return {"dynamic": float(self.dynamic), "useful": float(self.useful), "dark": dark}


@frozen
class OperatorEnergy:
    """Energy of operators that run as one program: one, or a fused chain.

    `dynamic`: of their events, by component, in pJ. `static`: of all static power, from the retirement of what stands before
    them in the trace to their own: so every tick belongs to one operator, the oldest that is not complete.
    """

    names: tuple[str, ...]
    dynamic: Mapping[str, Fraction]
    static: Fraction

    @property
    def total(self) -> Fraction:
        return sum(self.dynamic.values(), self.static)

    def to_dict(self) -> dict[str, Any]:
        """As floats."""
        dynamic = sum(self.dynamic.values(), NONE)
        return {"names": list(self.names), "dynamic": float(dynamic), "static": float(self.static)}


@frozen(eq=False)
class Energy:
    """The energy of a run. Sums are equal: of `components`; of `parts` and static power; of `operators`; of `tiles` and `shared`."""

    statistics: Statistics
    plan: Plan
    causes: Mapping[str, Mapping[str, int]]  # ticks of each tile by root cause

    @property
    def arch(self) -> Arch:
        return self.plan.arch

    @cached_property
    def prices(self) -> Prices:
        return Prices(self.arch)

    @cached_property
    def tile_times(self) -> Mapping[str, TileTime]:
        return tile_times(self.statistics, self.arch, self.plan.groups, self.causes)

    # -- by component ----------------------------------------------------------------------------------------------
    @cached_property
    def components(self) -> dict[str, Share]:
        """By component, those of no energy left out."""
        dynamic = self.priced(self.statistics.amounts.items())
        useful, dark = self._time
        found = {}
        for name in COMPONENTS:
            a_tick = self.prices.static.get(name, NONE) / self.arch.core.tiles
            lost = {cause: a_tick * ticks for cause, ticks in dark.items()} if a_tick else {}
            found[name] = Share(dynamic.get(name, NONE), a_tick * useful, lost)
        return {name: share for name, share in found.items() if share.total}

    @cached_property
    def all(self) -> Share:
        """Of the whole run."""
        useful, dark = self._time
        a_tick = self.prices.static_pj / self.arch.core.tiles
        dynamic = sum(self.priced(self.statistics.amounts.items()).values(), NONE)
        return Share(dynamic, a_tick * useful, {cause: a_tick * ticks for cause, ticks in dark.items()})

    @property
    def total_pj(self) -> Fraction:
        return self.all.total

    @cached_property
    def _time(self) -> tuple[Fraction, dict[str, Fraction]]:
        """Ticks of all tiles."""
        dark: dict[str, Fraction] = {}
        for time in self.tile_times.values():
            for cause, ticks in time.dark.items():
                dark[cause] = dark.get(cause, NONE) + ticks
        return sum((time.useful for time in self.tile_times.values()), NONE), dark

    # -- by part and tile ------------------------------------------------------------------------------------------
    @cached_property
    def parts(self) -> dict[str, Fraction]:
        """Energy of the events of each part of the log; static power belongs to no process but to a component."""
        found = {}
        for part, name in enumerate(self.statistics.log.parts):
            energy = sum(self.priced(self.statistics.amounts_of(part).items()).values(), NONE)
            if energy:
                found[name] = energy
        return found

    @cached_property
    def tiles(self) -> dict[str, Share]:
        """Each tile's M1 encoders, engines and converters, and an equal share of all static power."""
        a_tick = self.prices.static_pj / self.arch.core.tiles
        return {
            name: Share(
                sum(self.priced(time.counts.items()).values(), NONE),
                a_tick * time.useful,
                {cause: a_tick * ticks for cause, ticks in time.dark.items()},
            )
            for name, time in self.tile_times.items()
        }

    @property
    def shared(self) -> Fraction:
        """Energy of events that belong to no tile: M2 encoders, memories, DPU."""
        return self.all.dynamic - sum((tile.dynamic for tile in self.tiles.values()), NONE)

    # -- by operator -----------------------------------------------------------------------------------------------
    @cached_property
    def operators(self) -> tuple[OperatorEnergy, ...]:
        """In the order of the trace. While the row passes of two GEMMs take turns, the first of them is charged."""
        log, units = self.statistics.log, self.plan.units
        counters, counts = self._counts_by_unit()
        retired = reached(log, log.parts.index("retire"), np.arange(1, len(units) + 1))
        ticks = np.diff(retired, prepend=0).tolist()
        rows = [tuple(row) for row in counts.tolist()]  # layers are equal: each kind is priced once
        dynamic = {row: self.priced(zip(counters, row, strict=True)) for row in dict.fromkeys(rows)}
        return tuple(
            OperatorEnergy(
                tuple(operator.name for operator in unit.operators),
                dynamic[row],
                self.prices.static_pj * n,
            )
            for unit, row, n in zip(units, rows, ticks, strict=True)
        )

    def _counts_by_unit(self) -> tuple[list[str], Ints]:
        """Counters, and (unit, counter) how much each unit's items count. What a channel of HBM serves is counted where it
        lands or leaves: a channel has no program."""
        log, plan = self.statistics.log, self.plan
        counters = [*self.prices.of, *_AT_HBM]
        place = {name: i for i, name in enumerate(counters)}
        table = np.zeros((len(log.labels), len(counters)), dtype=np.int64)
        for code, label in enumerate(log.labels):
            for name, quantity in label.amounts:
                if name in place:
                    table[code, place[name]] += quantity
        counts = np.zeros((len(plan.units), len(counters)), dtype=np.int64)
        for part, name in enumerate(log.parts):
            ends = plan.ends.get(name.removesuffix(".land").removesuffix(".ack"))
            seen = table[self.statistics.counts_by_part[part] > 0].any(axis=0)
            if ends is not None and seen.any():
                before = counted_before(log, part, np.array(ends), table[:, seen])
                counts[:, seen] += np.diff(before, axis=0, prepend=0)
        return [_AT_HBM.get(name, name) for name in counters], counts

    # -- sums ------------------------------------------------------------------------------------------------------
    def priced(self, counted: Iterable[tuple[str, int]]) -> dict[str, Fraction]:
        """Energy by component of what was counted."""
        energies: dict[str, Fraction] = {}
        for counter, quantity in counted:
            if quantity:
                for component, price in self.prices.of.get(counter, ()):
                    energies[component] = energies.get(component, NONE) + quantity * price
        return energies

    def to_dict(self) -> dict[str, Any]:
        """All of it as numbers of pJ for JSON: floats, so exact sums of theirs may differ in the last digits."""
        return {
            "unit": "pJ",
            "total": float(self.total_pj),
            **self.all.to_dict(),
            "components": {name: share.to_dict() for name, share in self.components.items()},
            "parts": {name: float(energy) for name, energy in self.parts.items()},
            "tiles": {name: tile.to_dict() for name, tile in self.tiles.items()},
            "shared": float(self.shared),
            "operators": [operator.to_dict() for operator in self.operators],
        }

    def check(self) -> None:
        """Raises LawBroken if the energies of components, parts, tiles and operators do not have one sum."""
        static = self.all.static
        sums = {
            "components": sum((share.total for share in self.components.values()), NONE),
            "parts": sum(self.parts.values(), static),
            "tiles": sum((tile.total for tile in self.tiles.values()), self.shared),
            "time": self.all.dynamic + self.prices.static_pj * self.statistics.log.end,
            "operators": sum((operator.total for operator in self.operators), NONE),
        }
        for name, energy in sums.items():
            if energy != self.total_pj:
                said = f"{float(energy)} pJ of {name} are not {float(self.total_pj)} pJ"
                raise LawBroken("energy", self.statistics.log.end, said)


_AT_HBM = {"landed": "hbm.out", "stored": "hbm.in"}
