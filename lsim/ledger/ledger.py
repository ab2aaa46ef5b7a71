"""The ledger between a model and a simulation: model + rows = simulation, operator by operator, exactly, nothing left over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

from attrs import field, frozen

from lsim.errors import InputError, LawBroken
from lsim.ledger.accounts import Account
from lsim.ledger.attribution import Attribution, Entry, attribute
from lsim.ledger.energy import EnergyLedger, energy_ledger
from lsim.models.base import Estimate, Prediction, json_number
from lsim.results.ledger_rows import ARITHMETIC, COMPUTE, MAPPING, MODEL, OVERLAP, SERIAL, WORK, summed
from lsim.results.result import Result

TERM = "term"
DPU = f"{SERIAL}dpu"


@frozen
class Line:
    """An operator of a ledger, or a chain or pair that the log cannot tell apart: model + Σ rows = simulation, in ticks.

    `operators`: their names; none for a term, which the model adds for the whole trace. Rows that are 0 are left out.
    """

    name: str
    kind: str
    operators: tuple[str, ...]
    model: Fraction
    simulation: int
    rows: Mapping[str, Fraction]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        numbers = {name: json_number(ticks) for name, ticks in self.rows.items()}
        also = {"operators": list(self.operators)} if len(self.operators) > 1 else {}
        told = {"name": self.name, "kind": self.kind, **also, "model": json_number(self.model)}
        return {**told, "simulation": self.simulation, "rows": numbers}


@frozen
class Ledger:
    """What a model says of a run, what the run took, and every tick between, by operator and row.

    `lines`: operators in trace order, then the terms of the model. See `lsim.results.ledger_rows.ROWS` for what the rows are.
    """

    prediction: Prediction = field(repr=False)
    result: Result = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)

    @property
    def model(self) -> Fraction:
        """Ticks that the model says."""
        return sum((line.model for line in self.lines), Fraction(0))

    @property
    def simulation(self) -> int:
        """Ticks that the run took."""
        return sum(line.simulation for line in self.lines)

    @property
    def rows(self) -> dict[str, Fraction]:
        """The rows of all lines, summed; those that are 0 left out."""
        return summed(line.rows for line in self.lines)

    @cached_property
    def energy(self) -> EnergyLedger | None:
        """The same of energy; None where the model says nothing of it. Raises LawBroken if a pJ were left over."""
        return energy_ledger(self.prediction, self.result)

    def to_dict(self) -> dict[str, Any]:
        """What `lsim validate --json` prints; numbers are ints, or "p/q" where they are not whole."""
        return {**self.of_time(), "energy": None if self.energy is None else self.energy.to_dict()}

    def of_time(self) -> dict[str, Any]:
        """The same without energy."""
        said, result = self.prediction, self.result
        return {
            "model": json_number(self.model),
            "simulation": self.simulation,
            "rows": {name: json_number(ticks) for name, ticks in self.rows.items()},
            "operators": [line.to_dict() for line in self.lines],
            "by": {"model": said.model, **said.options},
            "trace": result.trace.name,
            "arch": result.arch.name,
            **result.arch.operands.to_dict(),
            "options": result.options,
            "clock_hz": result.arch.core.clock,
            "notes": list(said.notes),
        }


def ledger(prediction: Prediction, result: Result) -> Ledger:
    """The ledger between a prediction and a run of the same trace on the same architecture.

    Raises InputError if they are not, and LawBroken if a tick were left over.
    """
    for what in ("trace", "arch"):
        if getattr(prediction, what).sha256 != getattr(result, what).sha256:
            raise InputError(f"{prediction.model} and the run are of different {what}s", place="ledger")
    divided = attribute(result)
    said = {operator.name: estimate for operator, estimate in prediction.operators}
    peak = result.arch.peak_macs_per_tick
    right = _righted(prediction)
    lines = [_line(entry, said, right, peak) for entry in divided.entries]
    lines += [_term(name, estimate, right) for name, estimate in prediction.terms.items()]
    found = Ledger(prediction, result, tuple(lines))
    _check(found, divided)
    return found


def _righted(prediction: Prediction) -> dict[str, Fraction]:
    """Ticks of each operator and term with the model's own arithmetic right."""
    right = prediction.righted or prediction
    terms = dict.fromkeys(prediction.terms, Fraction(0)) | {
        name: term.ticks for name, term in right.terms.items()
    }
    return terms | {operator.name: estimate.ticks for operator, estimate in right.operators}


def _line(entry: Entry, said: Mapping[str, Estimate], right: Mapping[str, Fraction], peak: int) -> Line:
    account, estimates = entry.account, [said[operator.name] for operator in entry.account.operators]
    model = sum((estimate.ticks for estimate in estimates), Fraction(0))
    righted = sum((right[operator.name] for operator in account.operators), Fraction(0))
    compute = _compute(account, estimates, peak)
    rows = {name: Fraction(ticks) for name, ticks in entry.rows.items()}
    shots, exposed = rows.pop(COMPUTE, Fraction(0)), rows.pop(DPU, Fraction(0))
    rows |= {ARITHMETIC: righted - model, MODEL: compute - righted}
    if account.is_gemm:
        rows[MAPPING] = shots - compute
    else:
        rows |= {WORK: entry.work - compute, OVERLAP: exposed - entry.work}
    names = tuple(operator.name for operator in account.operators)
    kind = account.operators[-1].kind.value
    return Line(account.name, kind, names, model, entry.ticks, summed([rows]))


def _compute(account: Account, estimates: Iterable[Estimate], peak: int) -> Fraction:
    """What the model says of shots, or of the DPU's lanes; where it tells no more than a sum, MACs over the peak."""
    parts = (
        Fraction(operator.macs, peak) if estimate.compute is None else estimate.compute
        for operator, estimate in zip(account.operators, estimates, strict=True)
    )
    return sum(parts, Fraction(0))


def _term(name: str, estimate: Estimate, right: Mapping[str, Fraction]) -> Line:
    rows = {ARITHMETIC: right[name] - estimate.ticks, MODEL: -right[name]}
    return Line(name, TERM, (), estimate.ticks, 0, summed([rows]))


def _check(found: Ledger, divided: Attribution) -> None:
    for line in found.lines:
        if line.model + sum(line.rows.values()) != line.simulation:
            raise LawBroken("ledger", divided.ticks, f"the rows of {line.name} do not add up")
    if found.model != found.prediction.ticks or found.simulation != divided.ticks:
        raise LawBroken("ledger", divided.ticks, "the operators do not add up to the model or to the run")
