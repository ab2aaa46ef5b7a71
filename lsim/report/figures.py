"""Pieces of plotly figures that several sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsim.ledger.waterfall import Bar
from lsim.report.blocks import Figure, Number, Table, Term, count, share
from lsim.report.definitions import meaning
from lsim.results.palette import ENERGY_INKS, INKS, STEPS

ALL_INKS = {**ENERGY_INKS, **INKS}
BAR = 26  # pixels of a row of bars
AROUND = 60  # pixels of the axis


def term(name: str) -> Term:
    """A state or cause with its definition and colour."""
    return Term(name, meaning(name), name)


def used(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """The states and causes that have anything in any row, in the order of the palette."""
    return [name for name in ALL_INKS if any(row.get(name) for row in rows)]


def stack(
    id: str,
    title: str,
    note: str,
    names: Sequence[str],
    rows: Sequence[Mapping[str, float]],
    axis: str = "ticks",
) -> Figure:
    """Horizontal bars, one a row, divided by state and cause; the first row on top."""
    form = "," if axis == "ticks" else ",.4~g"
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": column,
            "y": list(names),
            "x": [row.get(column, 0) for row in rows],
            "marker": {
                "color": ALL_INKS[column].css,
                "pattern": {
                    "shape": ALL_INKS[column].hatch,
                    "size": 6,
                    "solidity": 0.2,
                    "fillmode": "overlay",
                },
                "line": {"width": 0},
            },
            "hovertemplate": f"%{{y}}<br>{column} %{{x:{form}}} {axis}<extra></extra>",
        }
        for column in used(rows)
    ]
    layout = {
        "barmode": "stack",
        "bargap": 0.25,
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
        "xaxis": {
            "title": {"text": axis},
            "range": [0, max((sum(row.values()) for row in rows), default=0) or 1],
        },
        "showlegend": False,
    }
    return Figure(id, title, note, traces, layout, AROUND + BAR * len(names), used(rows))


def waterfall(id: str, title: str, note: str, bars: Sequence[Bar], axis: str, scale: float = 1) -> Figure:
    """From one total to another, the first on top; `scale`: of the unit of the axis in that of the bars."""
    form = "," if scale == 1 else ",.4~g"
    trace = {
        "type": "waterfall",
        "orientation": "h",
        "measure": ["absolute" if bar.is_total else "relative" for bar in bars],
        "y": [bar.name for bar in bars],
        "x": [float(bar.value) / scale for bar in bars],
        "totals": {"marker": {"color": STEPS["total"]}},
        "increasing": {"marker": {"color": STEPS["more"]}},
        "decreasing": {"marker": {"color": STEPS["less"]}},
        "connector": {"line": {"width": 1, "color": STEPS["total"]}},
        "hovertemplate": f"%{{y}}<br>%{{delta:{form}}} {axis}, %{{final:{form}}} so far<extra></extra>",
    }
    layout = {
        "bargap": 0.25,
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
        "xaxis": {"title": {"text": axis}, "rangemode": "tozero"},
        "showlegend": False,
    }
    return Figure(id, title, note, [trace], layout, AROUND + BAR * len(bars))


def stack_table(
    summary: str, first: str, names: Sequence[str | Term], rows: Sequence[Mapping[str, Number]]
) -> Table:
    """The numbers of a stack, one row a bar, each with its sum."""
    columns = [name for name in INKS if any(name in row and row[name].value for row in rows)]
    cells = []
    for name, row in zip(names, rows, strict=True):
        total = sum(int(row[column].value) for column in columns if column in row)
        cells.append([name, *(row.get(column, count(0)) for column in columns), count(total)])
    return Table([first, *(term(column) for column in columns), "sum"], cells, summary)


def of_run(ticks: float, total: int) -> Number:
    """A share of the run's ticks."""
    return share(ticks / max(1, total))
