"""What a model is: something that says how many ticks an operator takes; and what it says of a whole trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import isfinite
from numbers import Rational, Real
from typing import Any, Protocol, cast

from attrs import field, frozen
from attrs.converters import optional

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.trace import Operator, Trace

Exact = int | Fraction | float
UNDIVIDED = "energy"
MILLIJOULES_A_PICOJOULE = Fraction(1, 10**9)


def exact(value: Exact) -> Fraction:
    """The number itself, a float's every bit.

    Raises InputError for what cannot be ticks or energy: NaN, an infinity, a negative number, no number.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{value!r} is not a number")
    if not isinstance(value, Rational) and not isfinite(value):
        raise InputError(f"{value} is not finite")
    number = Fraction(value)
    if number < 0:
        raise InputError(f"{value} is negative")
    return number


def _energies(value: Exact | Mapping[str, Exact] | None) -> dict[str, Fraction] | None:
    if value is None:
        return None
    parts = value if isinstance(value, Mapping) else {UNDIVIDED: value}
    return {name: exact(part) for name, part in parts.items()}


@frozen
class Estimate:
    """What a model says of an operator: ticks of the photonic clock and, if it knows, energy by component in pJ.

    All exact. An energy given as one number is the component `energy`. `compute`: how many of the ticks the shots of the cores
    take, for a model that tells them apart from what else it counts, as a bound by memory; never more than `ticks`.
    """

    ticks: Fraction = field(converter=exact)
    energy_pj: Mapping[str, Fraction] | None = field(default=None, converter=_energies)
    compute: Fraction | None = field(default=None, converter=optional(exact), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.compute is not None and self.compute > self.ticks:
            raise InputError(f"compute is {self.compute} of {self.ticks} ticks")


def _by_counter(prices: Mapping[str, Mapping[str, Exact]]) -> dict[str, dict[str, Fraction]]:
    return {counter: {name: exact(price) for name, price in each.items()} for counter, each in prices.items()}


@frozen
class Charges:
    """What a model charges for one event of the simulation, in pJ by counter of the log, then by component of the simulation.

    `events`: where it is not the simulation's own price. `steady`: what of power that is drawn all the time the model charges with
    an event, as a laser's with a shot.
    """

    events: Mapping[str, Mapping[str, Fraction]] = field(factory=dict, converter=_by_counter)
    steady: Mapping[str, Mapping[str, Fraction]] = field(factory=dict, converter=_by_counter)


class Model(Protocol):
    """A model of an accelerator: `estimate` is all it needs.

    It may also have a `name` (else it goes by that of its class), `righted`, the same model without the faults of its own arithmetic, and
      `terms(arch)`   what it adds for the whole trace, by name, each as `estimate` would say it,
      `notes(arch)`   what must be known to read its numbers, in sentences,
      `charges(arch)` what it charges for an event, as Charges: a ledger then tells how many there are from what each costs.
    """

    def estimate(self, operator: Operator, arch: Arch) -> Estimate | Exact:
        """What the operator takes on this architecture, in ticks of its photonic clock."""
        ...


class TraceModel(Protocol):
    """A model that must see more than an operator: `bind` gives the Model to ask about a trace."""

    def bind(self, trace: Trace) -> Model:
        """The model of this trace."""
        ...


@frozen
class Prediction:
    """What a model says of a trace: an Estimate for each operator, in trace order, and the terms of the whole.

    `options`: how the model was chosen. `faults`: what is known to be wrong with it and could be corrected, by name. `righted`: what it
    says without the faults of its own arithmetic; None where it knows of none. `charges`: for events; None where it does not tell.
    """

    model: str
    trace: Trace
    arch: Arch
    operators: tuple[tuple[Operator, Estimate], ...]
    terms: Mapping[str, Estimate]
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(factory=dict)
    faults: Mapping[str, str] = field(factory=dict)
    righted: Prediction | None = None
    charges: Charges | None = None

    @property
    def estimates(self) -> list[Estimate]:
        """Of operators, then of terms."""
        return [*(estimate for _, estimate in self.operators), *self.terms.values()]

    @property
    def ticks(self) -> Fraction:
        """The sum over operators and terms."""
        return sum((estimate.ticks for estimate in self.estimates), Fraction(0))

    @property
    def components(self) -> dict[str, Fraction] | None:
        """Energy of all, in pJ by component; None where the model says nothing of the energy of some operator."""
        sums: dict[str, Fraction] = {}
        for estimate in self.estimates:
            if estimate.energy_pj is None:
                return None
            for name, energy in estimate.energy_pj.items():
                sums[name] = sums.get(name, Fraction(0)) + energy
        return sums

    def milliseconds(self, ticks: Fraction) -> float:
        """Ticks of the photonic clock as a time, rounded once."""
        return float(ticks * 1000 / self.arch.core.clock)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it; `ticks` are ints, or "p/q" where they are no whole number."""
        components = self.components
        return {
            "model": self.model,
            **self.options,
            "trace": self.trace.name,
            "arch": self.arch.name,
            **self.arch.operands.to_dict(),
            "latency_ms": self.milliseconds(self.ticks),
            "ticks": json_number(self.ticks),
            "energy_mj": None if components is None else millijoules(sum(components.values())),
            "components": components and {name: millijoules(energy) for name, energy in components.items()},
            "operators": [
                {"name": op.name, "kind": op.kind.value, **self._entry(said)} for op, said in self.operators
            ],
            "terms": {name: self._entry(said) for name, said in self.terms.items()},
            "notes": list(self.notes),
        }

    def _entry(self, said: Estimate) -> dict[str, Any]:
        energies = said.energy_pj
        return {
            "latency_ms": self.milliseconds(said.ticks),
            "ticks": json_number(said.ticks),
            "energy_mj": None if energies is None else millijoules(sum(energies.values())),
        }


def predict(model: Model | TraceModel, trace: Trace, arch: Arch) -> Prediction:
    """Asks a model about every operator of a trace; raises InputError, with the operator, for what is no estimate."""
    name = str(getattr(model, "name", type(model).__name__))
    options = dict(getattr(model, "options", {}))
    bound: Any = cast(TraceModel, model).bind(trace) if hasattr(model, "bind") else model
    told = tuple((op, _said(name, op.name, partial(bound.estimate, op, arch))) for op in trace.operators)
    terms = bound.terms(arch) if hasattr(bound, "terms") else {}
    checked = {term: _said(name, term, partial(_itself, said)) for term, said in terms.items()}
    notes: Sequence[str] = bound.notes(arch) if hasattr(bound, "notes") else ()
    faults = dict(getattr(model, "faults", {}))
    right = getattr(model, "righted", None)
    righted = None if right is None else predict(right, trace, arch)
    charges = _charges(name, bound, arch)
    return Prediction(name, trace, arch, told, checked, tuple(notes), options, faults, righted, charges)


def _charges(model: str, bound: Any, arch: Arch) -> Charges | None:
    said = bound.charges(arch) if hasattr(bound, "charges") else None
    if said is None or isinstance(said, Charges):
        return said
    raise InputError(f"{said!r} is no Charges", file=model, place="charges")


def json_number(value: Fraction) -> int | str:
    """An int, or "p/q"."""
    return value.numerator if value.denominator == 1 else str(value)


def millijoules(picojoules: Fraction | int) -> float:
    """As a float, rounded once."""
    return float(picojoules * MILLIJOULES_A_PICOJOULE)


def as_estimate(said: object) -> Estimate:
    """What a model said of an operator; raises InputError for what is no estimate."""
    if said is None:
        raise InputError("has no estimate")
    return said if isinstance(said, Estimate) else Estimate(cast(Exact, said))


def _said(model: str, place: str, ask: Callable[[], object]) -> Estimate:
    """The answer as an Estimate; what is wrong with it is said of the model and the operator or term."""
    try:
        return as_estimate(ask())
    except InputError as error:
        raise error.at(file=model, place=place) from None


def _itself(said: object) -> object:
    return said
