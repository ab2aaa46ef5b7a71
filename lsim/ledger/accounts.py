"""Accounts: what ticks are put down to, and at which of them a part is at any tick."""

from __future__ import annotations

import numpy as np
from attrs import field, frozen

from lsim.plan.places import ends_of
from lsim.plan.schedule import Plan
from lsim.results.folded import FoldedLog, Ints
from lsim.results.positions import reached
from lsim.trace import Operator


@frozen
class Account:
    """Operators whose ticks the log cannot tell apart: one, a fused chain, or two GEMMs whose row passes take turns.

    `name`: of the last operator of the chain; of two that take turns, both names.
    """

    name: str
    operators: tuple[Operator, ...] = field(repr=False)

    @property
    def is_gemm(self) -> bool:
        return self.operators[0].is_gemm


@frozen(eq=False)
class Accounts:
    """The accounts of a plan in trace order. `of_unit[u]`: the account of unit u of the plan."""

    all: tuple[Account, ...]
    of_unit: tuple[int, ...]

    @classmethod
    def of(cls, plan: Plan) -> Accounts:
        found: list[list[int]] = []
        of_unit: list[int] = []
        for u in range(len(plan.units)):
            first = plan.turns.get(u, (u, u))[0]
            of_unit.append(of_unit[first] if first < u else len(found))
            found.extend([] if first < u else [[]])
            found[of_unit[u]].append(u)
        return cls(tuple(_account(plan, units) for units in found), tuple(of_unit))


@frozen(eq=False)
class Course:
    """Which account a part is at: `accounts[i]` from tick `begins[i]` on. `begins` ascend, the first is 0."""

    begins: Ints
    accounts: Ints

    @classmethod
    def of(cls, plan: Plan, log: FoldedLog, part: int, accounts: Accounts) -> Course:
        """Of a part with a program: at the account that it works on, or comes to next; at the end at its last."""
        ends, course, done = [0], [0], 0
        for u, end in enumerate(ends_of(plan, log.parts[part])):
            if end == done:
                continue
            account = accounts.of_unit[u]
            if not done:
                course = [account]
            elif account != course[-1]:
                ends.append(done)
                course.append(account)
            done = end
        begins = reached(log, part, np.array(ends[1:], dtype=np.int64))
        return cls(np.concatenate(([0], begins)), np.array(course, dtype=np.int64))

    def at(self, ticks: Ints) -> Ints:
        """The account at each of these ticks."""
        return self.accounts[np.searchsorted(self.begins, ticks, side="right") - 1]


def _account(plan: Plan, units: list[int]) -> Account:
    name = " + ".join(plan.units[u].operators[-1].name for u in units)
    return Account(name, tuple(operator for u in units for operator in plan.units[u].operators))
