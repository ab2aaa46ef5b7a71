"""The report of a run, as renderables of rich."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from lsim.results.energy.tables import energy_by_component
from lsim.results.grouping import grouped
from lsim.results.meanings import CAUSES
from lsim.results.tables import (
    assumptions,
    causes_of_tiles,
    headline,
    masks,
    memories,
    not_known,
    number,
    parts,
    percent,
    plain,
    section,
    utilization,
    widths_of,
)
from lsim.trace.positions import told_beyond
from lsim.units import plural

if TYPE_CHECKING:
    from lsim.results.result import Result

OPERATORS = 12  # that a report shows


def report(result: Result) -> Iterator[object]:
    """All of a report, from the time to the assumptions."""
    yield from _headline(result)
    yield from utilization(result.utilization())
    yield from _causes(result)
    yield from energy_by_component(result.energy().bill, result.macs)
    yield from parts(result.parts(), result.ticks)
    yield from _operators(result)
    yield from memories(result.bytes())
    yield from assumptions(result.arch)


def _headline(result: Result) -> Iterator[object]:
    trace, options = result.trace, result.options
    changed = ", ".join(f"{row.key} = {row.value}" for row in result.arch.replaced)
    operators = len(trace.operators)
    work = [
        ("work", f"{number(result.macs)} MACs in {operators:,} {plural(operators, 'operator')}"),
        *([("not known", not_known(trace))] if trace.unknown else []),
        *([("settings", f"{changed}, in place of the architecture's")] if changed else []),
        *masks(result.masked, trace.conventions),
        *told_beyond(trace.conventions),
        *widths_of(result.arch, trace),
    ]
    how = "folded" if options["fold"] else "unfolded"
    simulation = (
        f"{number(result.events)} events, {number(result.folds)} {plural(result.folds, 'fold')}, "
        f"{result.cpu_s:.2f} CPU s ({how}, step {options['step']})"
    )
    return headline(result, trace, work, simulation)


def _causes(result: Result) -> Iterator[object]:
    tiles = result.tiles()
    sums = {cause.value: sum(tile.get(cause.value, 0) for tile in tiles.values()) for cause in CAUSES}
    return causes_of_tiles(sums, result.ticks, len(tiles))


def _operators(result: Result) -> Iterator[object]:
    groups = sorted(grouped(result.operators), key=lambda group: -group.ticks)
    rows = [
        (
            group.title,
            group.kind,
            number(group.start),
            number(group.end),
            number(group.ticks / group.count),
            percent(group.ticks / max(1, result.ticks)),
        )
        for group in groups[:OPERATORS]
    ]
    columns = ("operator", "kind", "first start", "last end", "ticks each", "share")
    note = "From issue to last result. Operators overlap, so shares may add up to more than 100 %."
    yield from section("Slowest operators", plain(columns, rows, right=(2, 3, 4, 5)), note)
    if len(groups) > OPERATORS:
        yield Padding(Text(f"and {len(groups) - OPERATORS} more, see --json"), (0, 0, 0, 1))
