"""Reports of differences between runs for people, as renderables of rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from lsim.ledger.diff import Aligned, Difference
from lsim.ledger.tables import OPERATORS, by_group, mostly, signed, ticks
from lsim.ledger.tables_of_energy import energy_difference_report
from lsim.results.grouping import layerless
from lsim.results.ledger_rows import summed
from lsim.results.tables import heading, pairs, plain, section

Number = Callable[[Fraction], str]
MISSING = "–"


def difference_report(found: Difference, a: str, b: str) -> Iterator[object]:
    """All of a report: what differs of the inputs, then of the time by row and by operator."""
    yield heading(f"{b} against {a}")
    yield ""
    yield pairs([("A", _run(found, 0, a)), ("B", _run(found, 1, b)), ("B − A", _more(found))])
    if found.unit == "s":
        yield " The photonic clocks differ, and so the length of a tick: below are µs, each run's ticks over its own clock."
    if found.inputs:
        rows = [(name, *values) for name, values in found.inputs.items()]
        yield from section("What differs of the inputs", plain(("input", "A", "B"), rows))
    else:
        yield from section("What differs of the inputs", pairs([("nothing", "")]))
    yield from _rows(found)
    yield from energy_difference_report(found.energy)
    yield from _operators(found)


def _run(found: Difference, side: int, folder: str) -> str:
    result = (found.a, found.b)[side]
    return f"{folder}: {result.trace.name} on {result.arch.name}, {1e3 * result.seconds:.6g} ms = {result.ticks:,} ticks"


def _more(found: Difference) -> str:
    before, after = found.times
    ratio = f", {float(after / before):.4f} times" if before else ""
    return f"{_signed(found)(found.difference)} {_unit(found)}{ratio}"


def _rows(found: Difference) -> Iterator[object]:
    show = _signed(found)
    rows = [(name, "" if value is None else show(value), said) for name, value, said in by_group(found.rows)]
    rows.append(("B − A", show(found.difference), "the sum of these"))
    yield from section("By cause", plain(("row", _unit(found), "what it is"), rows, right=(1,)))


def _operators(found: Difference) -> Iterator[object]:
    groups: dict[tuple[str, bool, bool], list[Aligned]] = {}
    for operator in found.operators:
        key = layerless(operator.name), operator.a is None, operator.b is None
        groups.setdefault(key, []).append(operator)
    told = sorted(groups.values(), key=lambda group: -abs(_total(group)))
    rows = [
        (_title(group), *_sides(found, group), _signed(found)(_total(group)), _mostly(found, group))
        for group in told[:OPERATORS]
    ]
    note = (
        f"Of all layers together, the largest difference first; {MISSING} where a run has no such operator."
    )
    columns = ("operator", "A", "B", f"B − A, {_unit(found)}", "mostly")
    yield from section("By operator", plain(columns, rows, right=(1, 2, 3)), note)
    if len(told) > OPERATORS:
        yield f" and {len(told) - OPERATORS} more, see --json"


def _title(group: list[Aligned]) -> str:
    return f"{layerless(group[0].name)} ×{len(group)}" if len(group) > 1 else group[0].name


def _total(group: list[Aligned]) -> Fraction:
    return sum((one.difference for one in group), Fraction(0))


def _sides(found: Difference, group: list[Aligned]) -> tuple[str, str]:
    show = ticks if found.unit == "ticks" else _micro
    a, b = ([one.a for one in group if one.a is not None], [one.b for one in group if one.b is not None])
    shown = (show(sum(values, Fraction(0))) if values else MISSING for values in (a, b))
    return next(shown), next(shown)


def _mostly(found: Difference, group: list[Aligned]) -> str:
    return mostly(summed(one.rows for one in group), _signed(found))


def _unit(found: Difference) -> str:
    return "ticks" if found.unit == "ticks" else "µs"


def _signed(found: Difference) -> Number:
    return signed if found.unit == "ticks" else _signed_micro


def _micro(seconds: Fraction) -> str:
    return f"{float(seconds * 10**6):,.4f}"


def _signed_micro(seconds: Fraction) -> str:
    return ("+" if seconds >= 0 else "−") + _micro(abs(seconds))
