"""Reports of ledgers for people, as renderables of rich: from the model's number down to the simulation's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction

from lsim.kernel.labels import Cause
from lsim.ledger.ledger import Ledger, Line
from lsim.ledger.tables_of_energy import energy_report
from lsim.results.grouping import layerless
from lsim.results.ledger_rows import ALL, cause_of, summed
from lsim.results.meanings import CAUSES
from lsim.results.tables import heading, pairs, percent, plain, policies, section, widths_of

MOSTLY = 3  # rows that are told of an operator
OPERATORS = 16


def ledger_report(found: Ledger) -> Iterator[object]:
    """All of a report, from the two times to the operators."""
    yield from _headline(found)
    yield from _steps(found)
    yield from energy_report(found.energy, found.prediction.model)
    yield from _operators(found)
    if found.prediction.notes:
        yield from section("Notes on the model", pairs(("·", note) for note in found.prediction.notes))
    if found.prediction.faults:
        note = "Each is counted as it was published; --correct NAME,... counts it as said here."
        yield from section("Known faults of this model", pairs(found.prediction.faults.items()), note)


def ticks(value: Fraction | int) -> str:
    """A number of ticks; two decimals where it is not whole."""
    number = Fraction(value)
    return f"{number.numerator:,}" if number.denominator == 1 else f"{float(number):,.2f}"


def signed(value: Fraction | int) -> str:
    """The same with its sign; a credit has a minus."""
    size = value if value >= 0 else -value
    return ("+" if value >= 0 else "−") + ticks(size)


def _headline(found: Ledger) -> Iterator[object]:
    said, result = found.prediction, found.result
    options, model = result.options, found.model
    ratio = f", {found.simulation / float(model):.3f} times the model" if model else ""
    yield heading(
        f"{result.trace.name} on {result.arch.name}: {said.model} against the simulation",
        result.trace.description,
        result.arch.description,
    )
    yield ""
    yield pairs(
        [
            (said.model, f"{said.milliseconds(model):.6g} ms = {ticks(model)} ticks"),
            ("simulation", f"{said.milliseconds(Fraction(found.simulation)):.6g} ms = {found.simulation:,} ticks{ratio}"),
            *widths_of(result.arch),
            policies(options),
            *((name, str(value)) for name, value in said.options.items() if value),
        ]
    )  # fmt: skip


def _steps(found: Ledger) -> Iterator[object]:
    """One row under the other, with the sum so far: from the model to the simulation."""
    whole, sum_so_far = found.simulation, found.model
    lines = [
        (found.prediction.model, "", ticks(found.model), _share(found.model, whole), "what the model says")
    ]
    for name, value, said in by_group(found.rows):
        sum_so_far += value or 0
        shown = ("", "", "") if value is None else (signed(value), ticks(sum_so_far), _share(value, whole))
        lines.append((name, *shown, said))
    lines.append(("simulation", "", f"{whole:,}", percent(1.0), "what the run took; nothing is left over"))
    columns = ("row", "ticks", "sum so far", "share", "what it is")
    note = "Ticks of the photonic clock; shares are of the simulation. A minus is a credit."
    yield from section("From the model to the simulation", plain(columns, lines, right=(1, 2, 3)), note)


def _operators(found: Ledger) -> Iterator[object]:
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in found.lines:
        groups.setdefault((layerless(line.name), line.kind), []).append(line)
    told = [(_title(name, lines), _sum(lines), lines) for (name, _), lines in groups.items()]
    told.sort(key=lambda group: -abs(group[1][1] - group[1][0]))
    rows = [
        (
            title,
            ticks(model),
            f"{simulated:,}",
            signed(simulated - model),
            mostly(summed(line.rows for line in lines)),
        )
        for title, (model, simulated), lines in told[:OPERATORS]
    ]
    columns = ("operator", "model", "simulation", "between", "mostly")
    note = "Of all layers together, the largest difference first."
    yield from section("Operators", plain(columns, rows, right=(1, 2, 3)), note)
    if len(told) > OPERATORS:
        yield f" and {len(told) - OPERATORS} more, see --json"


def mostly(rows: Mapping[str, Fraction], show: Callable[[Fraction], str] = signed) -> str:
    """The rows that count most."""
    largest = sorted(rows.items(), key=lambda row: -abs(row[1]))[:MOSTLY]
    return ", ".join(f"{name} {show(value)}" for name, value in largest if value)


def _title(name: str, lines: list[Line]) -> str:
    return f"{name} ×{len(lines)}" if len(lines) > 1 else lines[0].name


def _sum(lines: Iterable[Line]) -> tuple[Fraction, int]:
    lines = list(lines)
    return sum((line.model for line in lines), Fraction(0)), sum(line.simulation for line in lines)


def by_group(rows: Mapping[str, Fraction]) -> Iterator[tuple[str, Fraction | None, str]]:
    """(row, its value, what it is), and before each group of rows ("", None, what they have in common)."""
    group = ""
    for name, value in rows.items():
        if ALL[name].group != group:
            group = ALL[name].group
            yield "", None, group
        cause = cause_of(name)
        yield name, value, ALL[name].definition if cause is None else CAUSES[Cause(cause)]


def _share(part: Fraction, whole: int) -> str:
    return percent(float(part / whole)).replace("-0.0", "0.0").replace("-", "−") if whole else ""
