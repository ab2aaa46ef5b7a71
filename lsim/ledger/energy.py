"""The ledger of energy: model + rows = simulation, component by component, in fractions of a pJ, nothing left over.

A component's events are counted at what the model charges for one (`lsim.models.base.Charges`), so that how many there are is one
row and what each costs another. Its static power is told apart by the root cause of the time in which no shot was fired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from attrs import field, frozen

from lsim.errors import LawBroken
from lsim.ledger.tariff import Charged, Tariff
from lsim.models.base import Charges, Estimate, Prediction, json_number, millijoules
from lsim.results.energy.ledger_rows import (
    ABSENT,
    ARITHMETIC,
    COUNTS,
    DARK,
    IN_SHOTS,
    OTHERWISE,
    PRICES,
    SHOTS,
    STEADY,
    component_of,
    home,
    ordered,
    row,
    tidy,
)  # fmt: skip
from lsim.results.energy.operators import OperatorEnergy
from lsim.results.result import Result

NONE = Fraction(0)
Energies = dict[str, Fraction]


@frozen
class EnergyLine:
    """An operator, a fused chain, or a term of the model: model + Σ rows = simulation, in pJ.

    `operators`: their names; none for a term. Static power, whatever its cause, is one row of a component, `laser.static`: it is that
    of the ticks by which the operator prolongs the run. Rows that are 0 are left out.
    """

    name: str
    operators: tuple[str, ...]
    model: Fraction
    simulation: Fraction
    rows: Mapping[str, Fraction]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        also = {"operators": list(self.operators)} if len(self.operators) > 1 else {}
        return {"name": self.name, **also, **_told(self.model, self.simulation, self.rows)}


@frozen
class EnergyLedger:
    """What a model says of the energy of a run, what the run took, and every pJ between, by component and row.

    `components`: (model, simulation) of each. Rows are `component.kind` and, of what is dark, `component.dark.cause`; see
    `lsim.results.energy.ledger_rows.KINDS`. The rows of a component sum to the same over `lines` as here.
    """

    components: Mapping[str, tuple[Fraction, Fraction]]
    rows: Mapping[str, Fraction]
    lines: tuple[EnergyLine, ...] = field(repr=False)

    @property
    def model(self) -> Fraction:
        """pJ that the model says."""
        return sum((model for model, _ in self.components.values()), NONE)

    @property
    def simulation(self) -> Fraction:
        """pJ that the run took."""
        return sum((simulation for _, simulation in self.components.values()), NONE)

    def of(self, component: str) -> dict[str, Fraction]:
        """The rows of a component."""
        return {name: value for name, value in self.rows.items() if component_of(name) == component}

    def to_dict(self) -> dict[str, Any]:
        """What `lsim validate --json` has as `energy`: pJ, ints, or "p/q" where they are not whole; mJ are floats, rounded."""
        sides = {name: {"model": json_number(a), "simulation": json_number(b)} for name, (a, b) in self.components.items()}  # fmt: skip
        return {
            "unit": "pJ",
            "model_mj": millijoules(self.model),
            "simulation_mj": millijoules(self.simulation),
            **_told(self.model, self.simulation, self.rows),
            "components": sides,
            "operators": [line.to_dict() for line in self.lines],
        }


def energy_ledger(prediction: Prediction, result: Result) -> EnergyLedger | None:
    """Of a prediction and a run of the same; None where the model says nothing of energy.

    Raises InputError for charges of what no simulation has, and LawBroken if a pJ were left over.
    """
    said = prediction.components
    if said is None:
        return None
    return _Books(prediction, result, said).ledger()


class _Books:
    def __init__(self, prediction: Prediction, result: Result, said: Energies) -> None:
        right = prediction.righted or prediction
        self.prediction, self.right, self.energy = prediction, right, result.energy()
        self.end, self.said = result.ticks, said
        self.known = {*said, *(right.components or {})}
        self.tariff = Tariff(self.energy.prices, right.charges or Charges(), self.known)
        self.tariff.check(prediction.model)
        told = self.tariff.priced_homes() if right.charges else set[str]()
        self.kind = _Kinds(self.known, told)

    def ledger(self) -> EnergyLedger:
        lines = (*self._lines(), *self._terms())
        found = EnergyLedger(self._components(), self._rows(lines), lines)
        self._check(found)
        return found

    # -- lines -----------------------------------------------------------------------------------------------------
    def _lines(self) -> Iterator[EnergyLine]:
        said, right = (
            {op.name: estimate for op, estimate in one.operators} for one in (self.prediction, self.right)
        )
        for one in self.energy.operators:
            model, righted = (_summed(by_name[name] for name in one.names) for by_name in (said, right))
            yield self._line(one, model, righted)

    def _line(self, one: OperatorEnergy, model: Energies, righted: Energies) -> EnergyLine:
        charged = self.tariff.charged(one.counts)
        rows = {row(name, kind): value for name, kind, value in self.kind.rows(charged, model, righted)}
        for name, rate in self.tariff.static.items():
            steady = charged[name].steady if name in charged and self.kind.is_told(name) else NONE
            rows[row(name, STEADY)] = rate * one.ticks - steady
        return EnergyLine(one.names[-1], one.names, _sum(model), one.total, tidy([rows]))

    def _terms(self) -> Iterator[EnergyLine]:
        for name, estimate in self.prediction.terms.items():
            model = _summed([estimate])
            righted = _summed([self.right.terms[name]] if name in self.right.terms else [])
            rows = {row(of, kind): value for of, kind, value in self.kind.rows({}, model, righted)}
            yield EnergyLine(name, (), _sum(model), NONE, tidy([rows]))

    # -- the whole -------------------------------------------------------------------------------------------------
    def _rows(self, lines: Iterable[EnergyLine]) -> Energies:
        """Those of all lines, their static power by cause."""
        of_lines = [
            {name: pj for name, pj in line.rows.items() if not name.endswith(f".{STEADY}")} for line in lines
        ]
        return tidy([*of_lines, *self._static()])

    def _static(self) -> Iterator[Energies]:
        counted = self.tariff.charged(_counts(self.energy.operators))
        for name, charge in counted.items():
            if self.kind.is_told(name):
                yield {row(name, SHOTS): -charge.steady}
        for component, share in self.energy.components.items():
            name = home(component, True, self.known)
            fired = share.useful + sum((share.dark.get(cause, NONE) for cause in IN_SHOTS), NONE)
            yield {row(name, self.kind.of_shots(name)): fired}
            yield {row(name, DARK, cause): pj for cause, pj in share.dark.items() if cause not in IN_SHOTS}

    def _components(self) -> dict[str, tuple[Fraction, Fraction]]:
        simulated: Energies = {}
        for component, share in self.energy.components.items():
            for static, pj in ((False, share.dynamic), (True, share.static)):
                name = home(component, static, self.known)
                simulated[name] = simulated.get(name, NONE) + pj
        names = ordered([*self.said, *simulated])
        sides = {name: (self.said.get(name, NONE), simulated.get(name, NONE)) for name in names}
        return {name: side for name, side in sides.items() if any(side)}

    def _check(self, found: EnergyLedger) -> None:
        for name, (model, simulation) in found.components.items():
            of_lines = sum(
                (pj for line in found.lines for of, pj in line.rows.items() if component_of(of) == name), NONE
            )
            if not model + _sum(found.of(name)) == model + of_lines == simulation:
                raise LawBroken("ledger", self.end, f"the energy of {name} does not add up")
        for line in found.lines:
            if line.model + _sum(line.rows) != line.simulation:
                raise LawBroken("ledger", self.end, f"the energy of {line.name} does not add up")
        if (found.model, found.simulation) != (_sum(self.said), self.energy.total_pj):
            raise LawBroken(
                "ledger", self.end, "the components are not the energy of the model and of the run"
            )


@frozen
class _Kinds:
    """Which rows a component has. `known`: components of the model; `told`: those of which it says what it charges."""

    known: Collection[str]
    told: Collection[str]

    def is_told(self, name: str) -> bool:
        return name in self.known and name in self.told

    def of_shots(self, name: str) -> str:
        """The kind of static power while shots are fired."""
        return SHOTS if self.is_told(name) else OTHERWISE if name in self.known else ABSENT

    def rows(
        self, charged: Mapping[str, Charged], model: Energies, righted: Energies
    ) -> Iterator[tuple[str, str, Fraction]]:
        """(component, kind, pJ) of events against the model."""
        for name in {**charged, **model, **righted}:
            charge = charged.get(name, Charged())
            right = righted.get(name, NONE)
            yield name, ARITHMETIC, right - model.get(name, NONE)
            if self.is_told(name):
                yield name, COUNTS, charge.events + charge.steady - right
                yield name, PRICES, charge.dynamic - charge.events
            else:
                yield name, self.of_shots(name), charge.dynamic - right


def _counts(operators: Iterable[OperatorEnergy]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for operator in operators:
        for name, quantity in operator.counts.items():
            counts[name] = counts.get(name, 0) + quantity
    return counts


def _summed(estimates: Iterable[Estimate]) -> Energies:
    sums: Energies = {}
    for estimate in estimates:
        for name, pj in (estimate.energy_pj or {}).items():
            sums[name] = sums.get(name, NONE) + pj
    return sums


def _sum(energies: Mapping[str, Fraction]) -> Fraction:
    return sum(energies.values(), NONE)


def _told(model: Fraction, simulation: Fraction, rows: Mapping[str, Fraction]) -> dict[str, Any]:
    numbers = {name: json_number(pj) for name, pj in rows.items()}
    return {"model": json_number(model), "simulation": json_number(simulation), "rows": numbers}
