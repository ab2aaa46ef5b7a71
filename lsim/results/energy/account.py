"""The energy of a run: events of its log times what each costs, and time times what draws power all the time. Exact.

A device's value is a fraction, and so is every sum here, in pJ. Only the power of a laser comes out of decibels, as a float
once; that float is a fraction too. So the totals over components, parts, operators, tiles and time are equal, not nearly.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

from attrs import frozen

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.plan.schedule import Plan
from lsim.results.energy.bill import Bill, Share
from lsim.results.energy.operators import OperatorEnergy, operator_energies
from lsim.results.energy.prices import NONE, Prices
from lsim.results.energy.tiles import TileTime, blocks_of, tile_times
from lsim.results.statistics import Statistics


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

    # -- sums ------------------------------------------------------------------------------------------------------
    @cached_property
    def bill(self) -> Bill:
        """Of the events and the time of the run."""
        times = tile_times(
            blocks_of(self.statistics, self.plan.groups), self.arch, self.plan.groups, self.causes
        )
        return Bill(self.prices, self.statistics.amounts, times)

    @property
    def tile_times(self) -> Mapping[str, TileTime]:
        return self.bill.tile_times

    @property
    def all(self) -> Share:
        """Of the whole run."""
        return self.bill.all

    @property
    def total_pj(self) -> Fraction:
        return self.bill.total_pj

    @property
    def components(self) -> dict[str, Share]:
        """By component, those of no energy left out."""
        return self.bill.components

    @cached_property
    def parts(self) -> dict[str, Fraction]:
        """Energy of the events of each part of the log; static power belongs to no process but to a component."""
        found = {}
        for part, name in enumerate(self.statistics.log.parts):
            energies = self.prices.priced(self.statistics.amounts_of(part).items())
            if energies:
                found[name] = sum(energies.values(), NONE)
        return found

    @property
    def tiles(self) -> dict[str, Share]:
        """Each tile's M1 encoders, engines and converters, and an equal share of all static power."""
        return self.bill.tiles

    @property
    def shared(self) -> Fraction:
        """Energy of events that belong to no tile: M2 encoders, memories, DPU."""
        return self.bill.shared

    @cached_property
    def operators(self) -> tuple[OperatorEnergy, ...]:
        """Of each operator or fused chain, in the order of the trace."""
        return operator_energies(self.statistics, self.plan, self.prices)

    # -- told ------------------------------------------------------------------------------------------------------
    def to_dict(self) -> dict[str, Any]:
        """All of it as numbers of pJ for JSON: floats, so sums of theirs may differ in the last digits."""
        told = self.bill.to_dict()
        of_tiles = {name: told.pop(name) for name in ("tiles", "shared")}
        return {
            **told,
            "parts": {name: float(energy) for name, energy in self.parts.items()},
            **of_tiles,
            "operators": [operator.to_dict() for operator in self.operators],
            "devices": devices_told(self.arch),
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


def devices_told(arch: Arch) -> dict[str, Any]:
    """What energies as JSON say of the devices that they follow from."""
    assumptions = [assumed._asdict() for assumed in arch.device_assumptions]
    return {"sha256": arch.devices_sha256, "assumptions": assumptions}
