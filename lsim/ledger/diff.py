"""Two runs beside each other: the difference of their ticks by operator and row, and what of their inputs differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

from attrs import field, frozen

from lsim.arch import Arch
from lsim.ledger.accounts import Account
from lsim.ledger.attribution import Attribution, attribute
from lsim.ledger.energy_diff import EnergyDifference, energy_difference
from lsim.models.base import json_number
from lsim.results.ledger_rows import summed
from lsim.results.result import Result

SIDES = ("a", "b")


@frozen
class Aligned:
    """An operator of one run or of both: ticks of each, None where it is not there, and the difference by row.

    Numbers are in the unit of the `Difference` that it belongs to; those that are 0 are left out of `rows`.
    """

    name: str
    a: Fraction | None
    b: Fraction | None
    rows: Mapping[str, Fraction]

    @property
    def difference(self) -> Fraction:
        """b − a, what is not there counting 0: the sum of the rows."""
        return (self.b or Fraction(0)) - (self.a or Fraction(0))

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        sides = {
            side: None if (value := getattr(self, side)) is None else json_number(value) for side in SIDES
        }
        rows = {name: json_number(value) for name, value in self.rows.items()}
        return {"name": self.name, **sides, "difference": json_number(self.difference), "rows": rows}


@frozen
class Difference:
    """What run b took more than run a, by operator and row; every sum is exact.

    `unit`: "ticks", or "s" where the photonic clocks differ, whose ticks are not of a length: then all numbers are seconds, each
    run's ticks over its own clock. `operators`: those of a in their order, each followed by those that only b has. `inputs`: what
    of trace, architecture and options differs, as (a, b) by name.
    """

    a: Result = field(repr=False)
    b: Result = field(repr=False)
    unit: str
    operators: tuple[Aligned, ...] = field(repr=False)
    inputs: Mapping[str, tuple[str, str]]

    @property
    def times(self) -> tuple[Fraction, Fraction]:
        """What each run took, in the unit."""
        return _scaled(self.a, self.a.ticks, self.unit), _scaled(self.b, self.b.ticks, self.unit)

    @property
    def difference(self) -> Fraction:
        """b − a."""
        return self.times[1] - self.times[0]

    @property
    def rows(self) -> dict[str, Fraction]:
        """The difference by row over all operators."""
        return summed(operator.rows for operator in self.operators)

    @cached_property
    def energy(self) -> EnergyDifference:
        """The difference in energy by component, in pJ whatever the unit of time."""
        return energy_difference(self.a, self.b)

    def to_dict(self) -> dict[str, Any]:
        """What `lsim diff --json` prints; numbers are ints, or "p/q" where they are not whole."""
        times = zip(SIDES, (self.a, self.b), self.times, strict=True)
        return {
            "unit": self.unit,
            **{side: _told(result, time) for side, result, time in times},
            "difference": json_number(self.difference),
            "rows": {name: json_number(value) for name, value in self.rows.items()},
            "operators": [operator.to_dict() for operator in self.operators],
            "energy": self.energy.to_dict(),
            "inputs": {name: dict(zip(SIDES, values, strict=True)) for name, values in self.inputs.items()},
        }


def diff(a: Result, b: Result) -> Difference:
    """The difference between two runs, operators of a name taken for the same.

    What either run's log cannot tell apart, GEMMs whose row passes take turns, is taken together in both.
    """
    unit = "ticks" if a.arch.core.clock == b.arch.core.clock else "s"
    found = attribute(a), attribute(b)
    together = _together(entry.account for one in found for entry in one.entries)
    one, other = (_by_name(said, result, unit, together) for said, result in zip(found, (a, b), strict=True))
    operators = tuple(
        _aligned(name, one.get(name), other.get(name)) for name in _merged(list(one), list(other))
    )
    return Difference(a, b, unit, operators, _inputs(a, b))


Rows = dict[str, Fraction]


def _together(accounts: Iterable[Account]) -> dict[str, str]:
    """Operator → the name of the largest account of either run that it belongs to."""
    largest: dict[str, Account] = {}
    for account in accounts:
        for operator in account.operators:
            known = largest.get(operator.name, account)
            largest[operator.name] = max(known, account, key=lambda one: len(one.operators))
    return {name: account.name for name, account in largest.items()}


def _by_name(found: Attribution, result: Result, unit: str, together: Mapping[str, str]) -> dict[str, Rows]:
    lines: dict[str, list[Rows]] = {}
    for entry in found.entries:
        rows = {row: _scaled(result, ticks, unit) for row, ticks in entry.rows.items()}
        lines.setdefault(together[entry.account.operators[0].name], []).append(rows)
    return {name: summed(members) for name, members in lines.items()}


def _scaled(result: Result, ticks: int, unit: str) -> Fraction:
    return Fraction(ticks, 1 if unit == "ticks" else result.arch.core.clock)


def _aligned(name: str, a: Rows | None, b: Rows | None) -> Aligned:
    less = {row: -value for row, value in (a or {}).items()}
    return Aligned(name, _total(a), _total(b), summed([less, b or {}]))


def _total(rows: Rows | None) -> Fraction | None:
    return None if rows is None else sum(rows.values(), Fraction(0))


def _merged(one: list[str], other: list[str]) -> list[str]:
    """All names: the order of `one`, and each that it lacks behind the last common one before it."""
    common, merged, waiting = set(one), list[str](), dict[str, list[str]]()
    last = ""
    for name in other:
        if name in common:
            last = name
        else:
            waiting.setdefault(last, []).append(name)
    for name in ["", *one]:
        merged += [name, *waiting.get(name, [])]
    return merged[1:]


def _inputs(a: Result, b: Result) -> dict[str, tuple[str, str]]:
    """What differs of what the runs were given; of a trace its name and content, of an architecture each value."""
    one, other = _given(a), _given(b)
    if a.arch.operands.mixed or b.arch.operands.mixed:
        one["widths"], other["widths"] = (run.arch.operands.told for run in (a, b))
    names = dict.fromkeys([*one, *other])
    pairs = {name: (one.get(name, "none"), other.get(name, "none")) for name in names}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


def _given(result: Result) -> dict[str, str]:
    options = {
        name: ", ".join(value) if isinstance(value, list) else str(value)
        for name, value in result.options.items()
    }
    about = {"trace": f"{result.trace.name} ({result.trace.sha256[:12]})", "arch": result.arch.name}
    return {**about, **{f"option {name}": value for name, value in options.items()}, **_values(result.arch)}


def _values(arch: Arch) -> dict[str, str]:
    return {row.key: str(row.value) for row in arch.describe()}


def _told(result: Result, time: Fraction) -> dict[str, Any]:
    return {
        "trace": result.trace.name,
        "arch": result.arch.name,
        "ticks": result.ticks,
        "seconds": result.seconds,
        "clock_hz": result.arch.core.clock,
        "time": json_number(time),
    }
