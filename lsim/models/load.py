"""Models by name, by file and class, or as a table of estimates."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from io import StringIO
from pathlib import Path
from traceback import extract_tb
from typing import cast

from lsim.arch import Arch
from lsim.errors import InputError, closest
from lsim.models.base import Estimate, Model, TraceModel, exact
from lsim.trace import Operator, Trace

PUBLISHED, ROOFLINE = "published", "roofline"
NAMES = (PUBLISHED, ROOFLINE, "path.py:Class", "file.csv")
COLUMNS = ("operator", "ticks", "energy_pj")


def load_model(
    name: str, arch: Arch, *, level: str | None = None, corrected: Iterable[str] = ()
) -> Model | TraceModel:
    """The model of that name, `path.py:Class` or `file.csv`.

    `level` and `corrected` are those of the published model of the architecture's kind of core. Raises InputError for a name, a
    file or an option that will not do.
    """
    corrected = list(corrected)
    if name == PUBLISHED:
        from lsim.models.published import FORMS

        return FORMS[arch.core.kind](level, corrected)
    for option, given in (("--level", level), ("--correct", corrected)):
        if given:
            raise InputError(f"is for the model {PUBLISHED!r}, not for {name!r}", place=option)
    if name == ROOFLINE:
        from lsim.models.roofline import Roofline

        return Roofline()
    if name.endswith(".csv"):
        return Table(Path(name))
    if ":" in name:
        return _from_python(*name.rsplit(":", 1))
    raise InputError(f"{name!r} is not a model", place="--model", known=NAMES, given=name)


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


def _from_python(file: str, class_name: str) -> Model:
    """An instance of a class of a Python file, which is run as a module of its own."""
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise InputError("is no Python file", file=path)
    spec = spec_from_file_location(f"lsim_model_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"cannot be imported: {_what(error)}", file=path, line=_line(error, path)) from error
    cls = getattr(module, class_name, None)
    if not isinstance(cls, type) or not callable(getattr(cls, "estimate", None)):
        models = [n for n, v in vars(module).items() if isinstance(v, type) and hasattr(v, "estimate")]
        problem = f"has no class {class_name!r} with a method estimate(operator, arch)"
        raise InputError(problem, file=path, known=models, given=class_name)
    try:
        return cast(Model, cls())
    except Exception as error:
        problem = f"{class_name}() failed: {_what(error)}"
        raise InputError(problem, file=path, line=_line(error, path)) from error


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _line(error: Exception, path: Path) -> int | None:
    """The last line of the file that the error came through, or that it is about."""
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = [
        f.lineno
        for f in extract_tb(error.__traceback__)
        if Path(f.filename) == path.resolve() or Path(f.filename) == path
    ]
    return frames[-1] if frames else None
