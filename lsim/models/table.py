"""A model that is a table: estimates for each operator, read from a CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from fractions import Fraction
from io import StringIO
from pathlib import Path

from lsim.arch import Arch
from lsim.errors import InputError, closest
from lsim.models.base import Estimate, exact
from lsim.trace import Operator, Trace

COLUMNS = ("operator", "ticks", "energy_pj")


class Table:
    """Estimates read from a CSV of `operator,ticks[,energy_pj]`, one line for each operator of the trace.

    Numbers are decimals or "p/q". An energy that is empty is not known.
    """

    def __init__(self, path: Path) -> None:
        self.name, self.path = path.name, path
        self.lines: dict[str, int] = {}
        self.estimates: dict[str, Estimate] = {}
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path) from None
        except UnicodeDecodeError:
            raise InputError("cannot be read: no UTF-8", file=path) from None
        rows = csv.reader(StringIO(text, newline=""))
        columns = self._head(next(rows, []))
        for row in rows:
            if row:
                self._row(row, columns, rows.line_num)

    def bind(self, trace: Trace) -> Table:
        """The table itself, if its operators are those of the trace; raises InputError."""
        known = [operator.name for operator in trace.operators]
        for name, line in self.lines.items():
            if name not in known:
                near = closest(name, known)
                mean = f"; did you mean {near!r}?" if near else ""
                raise self._error(f"{trace.name} has no operator {name!r}{mean}", line)
        missing = [name for name in known if name not in self.lines]
        if missing:
            more = f", nor for {len(missing) - 1} more" if len(missing) > 1 else ""
            raise self._error(f"has no line for operator {missing[0]!r} of {trace.name}{more}")
        return self

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        """What the line of the operator says."""
        return self.estimates[operator.name]

    def _head(self, row: Sequence[str]) -> int:
        names = tuple(name.strip() for name in row)
        if names not in (COLUMNS, COLUMNS[:2]):
            raise self._error(f"the first line is {','.join(names)!r}, not 'operator,ticks[,energy_pj]'", 1)
        return len(names)

    def _row(self, row: Sequence[str], columns: int, line: int) -> None:
        if len(row) != columns:
            raise self._error(f"{len(row)} values where {columns} belong", line)
        name, *numbers = (text.strip() for text in row)
        if name in self.lines:
            raise self._error(f"operator {name!r} stands twice, first in line {self.lines[name]}", line)
        try:
            ticks, energy = (*map(_number, numbers), None)[:2]
        except InputError as error:
            raise error.at(file=self.path, line=line, place=name) from None
        if ticks is None:
            raise self._error(f"operator {name!r} has no ticks", line)
        self.lines[name], self.estimates[name] = line, Estimate(ticks, energy)

    def _error(self, problem: str, line: int | None = None) -> InputError:
        return InputError(problem, file=self.path, line=line)


def _number(text: str) -> Fraction | None:
    if not text:
        return None
    try:
        return exact(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{text!r} is not a finite number") from None
