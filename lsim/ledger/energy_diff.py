"""Two runs beside each other: the difference of their energies by component, dynamic, useful, and dark by cause; exact."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from attrs import frozen

from lsim.models.base import json_number, millijoules
from lsim.results.energy.account import Energy
from lsim.results.energy.bill import Share
from lsim.results.energy.ledger_rows import DARK, DYNAMIC, USEFUL, component_of, ordered, row, tidy
from lsim.results.result import Result

NONE = Fraction(0)
_NOTHING = Share(NONE, NONE, {})


@frozen
class EnergyDifference:
    """What run b took more energy than run a, in pJ. `components`: (a, b) of each. `rows`: `component.dynamic`, `component.useful`,
    `component.dark.cause`, those that are 0 left out; the rows of a component sum to b − a of it."""

    components: Mapping[str, tuple[Fraction, Fraction]]
    rows: Mapping[str, Fraction]

    @property
    def sides(self) -> tuple[Fraction, Fraction]:
        """The energy of each run."""
        a, b = (sum((sides[i] for sides in self.components.values()), NONE) for i in (0, 1))
        return a, b

    @property
    def difference(self) -> Fraction:
        """b − a, the sum of the rows."""
        return self.sides[1] - self.sides[0]

    def of(self, component: str) -> dict[str, Fraction]:
        """The rows of a component."""
        return {name: value for name, value in self.rows.items() if component_of(name) == component}

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: pJ, ints, or "p/q" where they are not whole; mJ are floats, rounded."""
        a, b = self.sides
        sides = {
            name: {"a": json_number(a), "b": json_number(b), "difference": json_number(b - a)}
            for name, (a, b) in self.components.items()
        }
        return {
            "unit": "pJ",
            "a_mj": millijoules(a),
            "b_mj": millijoules(b),
            "a": json_number(a),
            "b": json_number(b),
            "difference": json_number(b - a),
            "rows": {name: json_number(pj) for name, pj in self.rows.items()},
            "components": sides,
        }


def energy_difference(a: Result, b: Result) -> EnergyDifference:
    """Between two runs, components of a name taken for the same."""
    one, other = a.energy(), b.energy()
    less = {name: -pj for name, pj in _rows(one).items()}
    names = ordered([*one.components, *other.components])
    components = {name: (_total(one, name), _total(other, name)) for name in names}
    return EnergyDifference(components, tidy([less, _rows(other)]))


def _total(energy: Energy, component: str) -> Fraction:
    return energy.components.get(component, _NOTHING).total


def _rows(energy: Energy) -> dict[str, Fraction]:
    rows: dict[str, Fraction] = {}
    for name, share in energy.components.items():
        rows |= {row(name, DYNAMIC): share.dynamic, row(name, USEFUL): share.useful}
        rows |= {row(name, DARK, cause): pj for cause, pj in share.dark.items()}
    return rows
