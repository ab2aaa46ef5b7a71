"""Events at two prices: the simulation's, and what a model charges, by the component under which a ledger tells them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from attrs import frozen

from lsim.errors import InputError
from lsim.models.base import Charges
from lsim.results.energy.ledger_rows import home
from lsim.results.energy.operators import CORE_SHOTS
from lsim.results.energy.prices import COMPONENTS, STATIC, Prices

NONE = Fraction(0)


class Charged(NamedTuple):
    """What some events come to, in pJ. `dynamic`: in the simulation; `events`, `steady`: by the model, see Charges."""

    dynamic: Fraction = NONE
    events: Fraction = NONE
    steady: Fraction = NONE

    def plus(self, other: Charged, times: int) -> Charged:
        """With so many times the other."""
        return Charged(*(mine + times * theirs for mine, theirs in zip(self, other, strict=True)))


@frozen(eq=False)
class Tariff:
    """Both price lists. `model`: the components of the model."""

    prices: Prices
    charges: Charges
    model: Collection[str]

    def check(self, whose: str) -> None:
        """Raises InputError for a charge of an event or a component that no simulation has."""
        counters = [*self.prices.of, CORE_SHOTS]
        for what, known in (("events", COMPONENTS), ("steady", STATIC)):
            for counter, each in getattr(self.charges, what).items():
                if counter not in counters:
                    problem = f"{counter!r} is no event of a {self.prices.arch.core.kind}"
                    raise InputError(
                        problem, file=whose, place=f"charges: {what}", known=counters, given=counter
                    )
                for name in each.keys() - set(known):
                    problem = f"{name!r} is no component with {'energy of events' if what == 'events' else 'static power'}"
                    raise InputError(problem, file=whose, place=f"charges: {what}", known=known, given=name)

    @cached_property
    def of(self) -> dict[str, dict[str, Charged]]:
        """By counter, then by component of the ledger."""
        counters = dict.fromkeys([*self.prices.of, *self.charges.events, *self.charges.steady])
        return {counter: self._of(counter) for counter in counters}

    @cached_property
    def static(self) -> dict[str, Fraction]:
        """pJ a tick of static power by component of the ledger."""
        rates: dict[str, Fraction] = {}
        for component, rate in self.prices.static.items():
            name = home(component, True, self.model)
            rates[name] = rates.get(name, NONE) + rate
        return rates

    def charged(self, counts: Mapping[str, int]) -> dict[str, Charged]:
        """Of so many events, by component of the ledger."""
        found: dict[str, Charged] = {}
        for counter, quantity in counts.items():
            for name, each in self.of.get(counter, {}).items():
                found[name] = found.get(name, Charged()).plus(each, quantity)
        return found

    def priced_homes(self) -> set[str]:
        """Components of the ledger that have any price of an event."""
        return {name for homes in self.of.values() for name in homes}

    def _of(self, counter: str) -> dict[str, Charged]:
        own = dict(self.prices.of.get(counter, ()))
        events, steady = {**own, **self.charges.events.get(counter, {})}, self.charges.steady.get(counter, {})
        found: dict[str, Charged] = {}
        for component, static in [*((name, False) for name in events), *((name, True) for name in steady)]:
            name = home(component, static, self.model)
            each = (
                Charged(steady=steady[component])
                if static
                else Charged(own.get(component, NONE), events[component])
            )
            found[name] = found.get(name, Charged()).plus(each, 1)
        return found
