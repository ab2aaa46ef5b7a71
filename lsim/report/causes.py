"""Where the ticks went: by tile, by part and by operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen

from lsim.report.blocks import Cell, Figure, Run, Section, Table, Term, count
from lsim.report.definitions import meaning
from lsim.report.figures import of_run, stack, stack_table, term, used
from lsim.results.grouping import layerless
from lsim.results.result import Result
from lsim.results.spans import tile_ticks
from lsim.results.states import COLUMNS

SHOWN = 14  # groups of operators that have a bar of their own


@frozen
class OperatorGroup:
    """Operators of one name, but for the number of their layer. `ticks`: of a tile, by state and cause,
    while they prolong the run."""

    name: str
    kind: str
    members: int
    macs: int
    prolongs: int
    ticks: Mapping[str, int]

    @property
    def title(self) -> str:
        return f"{self.name} ×{self.members}" if self.members > 1 else self.name


def where(run: Run) -> Section:
    result = run.result
    blocks = [*_tiles(result), *_parts(result)]
    for tile in _unlike(result):
        blocks += _operators(tile, grouped(run, tile), result.ticks)
    return Section("where", "Where the ticks went", blocks)


def _unlike(result: Result) -> list[int]:
    """The first tile of each set of tiles that belong to the same groups."""
    first: dict[tuple[str, ...], int] = {}
    for tile in range(result.arch.core.tiles):
        first.setdefault(tuple(group.name for group in result.plan.groups if tile in group.tiles), tile)
    return list(first.values())


def _tiles(result: Result) -> list[Figure | Table]:
    tiles = result.tiles()
    note = (
        "Each bar is the whole run. A waiting tile's ticks go to the root cause: whom it waits for, whom that part waits for in "
        "turn, until somebody is busy. There is no “other”."
    )
    figure = stack("tiles", "Ticks of each tile, by root cause", note, list(tiles), list(tiles.values()))
    rows: list[list[Cell]] = []
    for cause in sorted(used(list(tiles.values())), key=lambda c: -sum(t.get(c, 0) for t in tiles.values())):
        ticks = [count(tile.get(cause, 0), f"tiles.{name}.{cause}" if cause in tile else "") for name, tile in tiles.items()]  # fmt: skip
        mean = sum(int(n.value) for n in ticks) / len(ticks)
        rows.append([term(cause), *ticks, of_run(mean, result.ticks), meaning(cause)])
    total = [count(sum(tile.values())) for tile in tiles.values()]
    rows.append(["sum", *total, of_run(result.ticks, result.ticks), ""])
    columns = ["cause", *tiles, "mean share", "what happens meanwhile"]
    return [figure, Table(columns, rows, "Ticks of each tile", total=True)]


def _parts(result: Result) -> list[Figure | Table]:
    parts = result.parts()
    rows = [{"busy": p.busy, **p.waiting, "idle": p.idle} for p in parts.values()]
    note = (
        "Each bar is the whole run. Busy: the part serves. Idle: no work was issued to it. The rest it waited for another "
        "part, for work or for room, by root cause. gb, hbm and broadcast are ports, which never wait. "
        "A core is busy throughout its blocks, with shots, feed and ADC; core_busy above counts the shots alone."
    )
    figure = stack("parts", "Ticks of each part", note, list(parts), rows)
    numbers = [
        {
            "busy": count(part.busy, f"parts.{name}.busy"),
            **{cause: count(n, f"parts.{name}.waiting.{cause}") for cause, n in part.waiting.items()},
            "idle": count(part.idle, f"parts.{name}.idle"),
        }
        for name, part in parts.items()
    ]
    return [figure, stack_table("Ticks of each part", "part", list(parts), numbers)]


# -- operators -----------------------------------------------------------------------------------------------------
def grouped(run: Run, tile: int) -> list[OperatorGroup]:
    """The operators by name without the number of their layer, the longest first."""
    found = run.spans
    ticks = tile_ticks(run.result, tile, [s.before for s in found], [s.retired for s in found])
    members: dict[tuple[str, str], list[int]] = {}
    for i, span in enumerate(found):
        members.setdefault((layerless(span.name), span.kind), []).append(i)
    groups = [
        OperatorGroup(
            name if len(rows) > 1 else found[rows[0]].name,
            kind,
            len(rows),
            sum(found[i].macs for i in rows),
            sum(found[i].prolongs for i in rows),
            {c: int(n) for c, n in zip(COLUMNS, np.sum(ticks[rows], axis=0), strict=True) if n},
        )
        for (name, kind), rows in members.items()
    ]
    return sorted(groups, key=lambda group: -group.prolongs)


def _operators(tile: int, groups: Sequence[OperatorGroup], total: int) -> list[Figure | Table]:
    shown = list(groups[:SHOWN])
    rows = [group.ticks for group in shown]
    names = [group.title for group in shown]
    rest = groups[SHOWN:]
    if rest:
        names.append(f"{len(rest)} other names")
        rows.append({c: sum(g.ticks.get(c, 0) for g in rest) for c in COLUMNS})
    note = (
        f"A bar is as long as the operators prolong the run, so the bars sum to the run; its colours are what "
        f"tile {tile} did meanwhile: busy is within a block of its cores; the rest waits, by root cause. Prolongs: {meaning('prolongs')}."
    )
    figure = stack(
        f"operators-tile{tile}", f"Ticks by operator, and what tile {tile} did meanwhile", note, names, rows
    )
    table_rows: list[list[Cell]] = [
        [
            g.title,
            g.kind,
            count(g.macs),
            count(g.prolongs),
            of_run(g.prolongs, total),
            _mostly(g.ticks, total),
        ]
        for g in groups
    ]
    sums = count(sum(g.prolongs for g in groups))
    table_rows.append(
        ["sum", "", count(sum(g.macs for g in groups)), sums, of_run(int(sums.value), total), ""]
    )
    columns: list[str | Term] = [
        "operator",
        "kind",
        "MACs",
        Term("prolongs the run by", meaning("prolongs")),
        "share",
        f"tile {tile} mostly",
    ]
    return [figure, Table(columns, table_rows, f"Ticks by operator (tile {tile})", total=True)]


def _mostly(ticks: Mapping[str, int], total: int) -> str:
    worst = sorted(ticks.items(), key=lambda cause: -cause[1])[:3]
    whole = max(1, sum(ticks.values()))
    return ", ".join(f"{cause} {100 * n / whole:.0f} %" for cause, n in worst)
