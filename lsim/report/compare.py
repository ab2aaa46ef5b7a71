"""Runs side by side: what they come to, in what they differ, and where their ticks went. The first is what the others are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from lsim.report.background import machine_values, option_text
from lsim.report.blocks import (
    Block,
    Cell,
    Figure,
    Number,
    Prose,
    Run,
    Section,
    Table,
    Term,
    count,
    rounded,
    share,
)
from lsim.report.causes import OperatorGroup, grouped
from lsim.report.definitions import meaning
from lsim.report.energy import mj
from lsim.report.figures import stack, term, used
from lsim.results.palette import SHADES
from lsim.units import ticks_as_time

SHOWN = 14  # operators that have bars


def side_by_side(runs: Sequence[Run]) -> Section:
    rows: list[list[Cell]] = [
        ["trace", *(run.result.trace.name for run in runs)],
        ["architecture", *(run.result.arch.name for run in runs)],
        _row(
            "seconds", "time", runs, lambda r: Number(r.result.seconds, _time(r), f"{_at(runs, r)}.seconds")
        ),
        _row("ticks", "ticks", runs, lambda r: count(r.result.ticks, f"{_at(runs, r)}.ticks")),
        ["time, of the first", *(share(r.result.seconds / (runs[0].result.seconds or 1)) for r in runs)],
        _row("macs", "MACs", runs, lambda r: count(r.result.macs, f"{_at(runs, r)}.macs")),
    ]
    rows += [_row(name, name, runs, _utilization(runs, name)) for name in runs[0].result.utilization()]
    rows.append(["mJ", *(mj(run.result.energy().total_pj, f"{_at(runs, run)}.energy.total") for run in runs)])
    rows.append(["pJ a MAC", *(rounded(float(_a_mac(run))) for run in runs)])
    rows += [
        [f"bytes of {memory}", *(count(sum(run.result.bytes()[memory].values())) for run in runs)]
        for memory in ("hbm", "global_sram")
    ]
    said = (
        f"What is held against each other: {', '.join(run.name for run in runs)}. Shares and differences are to the first. "
        "What one of them did over time, its roofline and its assumptions: lsim report of that run alone."
    )
    return Section(
        "side-by-side", "Side by side", [Prose(said), Table(["", *(run.name for run in runs)], rows)]
    )


def _row(name: str, label: str, runs: Sequence[Run], cell: Callable[[Run], Cell]) -> list[Cell]:
    return [Term(label, meaning(name)), *(cell(run) for run in runs)]


def _utilization(runs: Sequence[Run], name: str) -> Callable[[Run], Cell]:
    return lambda run: share(run.result.utilization()[name], f"{_at(runs, run)}.utilization.{name}")


def _a_mac(run: Run) -> Fraction:
    return run.result.energy().total_pj / max(1, run.result.macs)


def _time(run: Run) -> str:
    return ticks_as_time(run.result.ticks, run.result.arch.core.clock)


def _at(runs: Sequence[Run], run: Run) -> str:
    """Where the run's JSON is among those of all."""
    return str(next(i for i, one in enumerate(runs) if one is run))


# -- in what they differ -------------------------------------------------------------------------------------------
def differences(runs: Sequence[Run]) -> Section:
    machines = [machine_values(run.result) for run in runs]
    values = [{key: f"{value} [{tag}]" for key, (value, tag) in machine.items()} for machine in machines]
    options = [{key: option_text(value) for key, value in run.result.options.items()} for run in runs]
    digests = [{"trace, SHA-256": run.result.trace.sha256[:16], "architecture, SHA-256": run.result.arch.sha256[:16]} for run in runs]  # fmt: skip
    if any(run.result.arch.operands.mixed for run in runs):
        digests = [
            {"widths": run.result.arch.operands.widths.spelled, **one}
            for run, one in zip(runs, digests, strict=True)
        ]
    rows = [*_differing(digests), *_differing(options, "option "), *_differing(values)]
    if not rows:
        return Section(
            "differences", "In what they differ", [Prose("In nothing: the same trace, machine and options.")]
        )
    said = f"{len(rows)} of the {len(values[0]) + len(options[0]) + len(digests[0])} values that define these runs differ; all others are equal. [P] published, [R] of the released estimator, [A] assumed."
    table = Table(["value", *(run.name for run in runs)], rows)
    return Section("differences", "In what they differ", [Prose(said), table])


def _differing(values: Sequence[Mapping[str, str]], prefix: str = "") -> list[list[Cell]]:
    keys = dict.fromkeys(key for one in values for key in one)
    told = [(key, [one.get(key, "none") for one in values]) for key in keys]
    return [[f"{prefix}{key}", *these] for key, these in told if len(set(these)) > 1]


# -- where their ticks went ----------------------------------------------------------------------------------------
def tiles_aligned(runs: Sequence[Run]) -> Section:
    """Time of a tile by cause; in ticks over all tiles in the table, which are whole numbers."""
    sums = [_tile_ticks(run) for run in runs]
    mean = [
        {cause: 1e3 * n / len(run.result.tiles()) / run.result.arch.core.clock for cause, n in ticks.items()}
        for run, ticks in zip(runs, sums, strict=True)
    ]
    note = "Each bar is a run, as long as it took; its colours are the root causes of a tile's time, the mean of all tiles."
    figure = stack(
        "tiles", "Time of a tile, by root cause", note, [run.name for run in runs], mean, axis="ms"
    )
    rows: list[list[Cell]] = [
        [term(cause), *_both([ticks.get(cause, 0) for ticks in sums])] for cause in used(sums)
    ]
    rows.append(["sum", *_both([sum(ticks.values()) for ticks in sums])])
    columns = ["cause", *_columns(runs)]
    return Section(
        "tiles",
        "Where the ticks went",
        [figure, Table(columns, rows, "Ticks of all tiles, by root cause", total=True)],
    )


def _tile_ticks(run: Run) -> dict[str, int]:
    sums: dict[str, int] = {}
    for tile in run.result.tiles().values():
        for cause, ticks in tile.items():
            sums[cause] = sums.get(cause, 0) + ticks
    return sums


def operators_aligned(runs: Sequence[Run]) -> Section:
    groups = [_by_name(run) for run in runs]
    names = list(dict.fromkeys(name for mine in groups for name in mine))
    names.sort(key=lambda name: -max(mine[name].prolongs if name in mine else 0 for mine in groups))
    rows: list[list[Cell]] = [
        [name, *_both([mine[name].prolongs if name in mine else None for mine in groups])] for name in names
    ]
    rows.append(["sum", *_both([sum(group.prolongs for group in mine.values()) for mine in groups])])
    said = f"Operators of one name, but for the number of their layer. Prolongs: {meaning('prolongs')}."
    blocks: list[Block] = [_bars(runs, groups, names[:SHOWN], said)]
    blocks.append(Table(["operator", *_columns(runs)], rows, "Ticks by operator", total=True))
    return Section("operators", "Operator by operator", blocks)


def _by_name(run: Run) -> dict[str, OperatorGroup]:
    return {f"{g.name} ({g.kind})": g for g in grouped(run, 0)}


def _bars(
    runs: Sequence[Run], groups: Sequence[Mapping[str, OperatorGroup]], names: Sequence[str], note: str
) -> Figure:
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": run.name,
            "y": list(names),
            "x": [1e3 * mine[n].prolongs / run.result.arch.core.clock if n in mine else 0 for n in names],
            "marker": {"color": SHADES[i % len(SHADES)]},
            "hovertemplate": f"%{{y}}<br>{run.name} %{{x:,.6~g}} ms<extra></extra>",
        }
        for i, (run, mine) in enumerate(zip(runs, groups, strict=True))
    ]
    layout = {
        "barmode": "group",
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
        "xaxis": {"title": {"text": "ms"}},
        "legend": {"traceorder": "normal"},
    }
    return Figure(
        "operators", "Time by operator", note, traces, layout, 160 + 14 * len(names) * (len(runs) + 1)
    )


def _columns(runs: Sequence[Run]) -> list[str]:
    first, *others = (run.name for run in runs)
    return [first, *(column for name in others for column in (name, "difference"))]


def _both(ticks: Sequence[int | None]) -> list[Cell]:
    """The ticks of each run, and of all but the first how many more that is than the first has."""
    first, *others = ticks
    cells: list[Cell] = ["none" if first is None else count(first)]
    for one in others:
        more = (one or 0) - (first or 0)
        cells += ["none" if one is None else count(one), Number(more, f"{more:+,}")]
    return cells
