"""The roofline: every operator's rate over its intensity, under what the machine could do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from lsim.report.blocks import Block, Cell, Figure, Prose, Run, Section, Table, Term, count, rounded, share
from lsim.report.definitions import meaning
from lsim.report.figures import term
from lsim.report.occupancy import full_rates
from lsim.results.folded import Ints
from lsim.results.grouping import layerless
from lsim.results.palette import INKS
from lsim.results.result import Result
from lsim.results.spans import Span, tile_ticks
from lsim.results.states import COLUMNS
from lsim.results.traffic import Traffic, traffic

NAMES = {"hbm": "HBM", "global_sram": "the global SRAM"}


@frozen
class Point:
    """An operator with MACs: its rate in MAC/s in its own time, its bytes, and the root cause of most of the ticks in which the
    cores of tile 0 were not busy ("busy" if there are none)."""

    span: Span
    rate: float
    moved: Traffic
    lost_to: str


def roofline(run: Run) -> Section | None:
    result = run.result
    points = _points(run)
    if not points:
        return None
    peak = float(result.arch.peak_macs_per_tick * result.arch.core.clock)
    blocks: list[Block] = [Prose(_explained(result))]
    for memory, bandwidth in full_rates(result).items():
        blocks.append(_figure(memory, NAMES[memory], points, peak, bandwidth))
    return Section("roofline", "Roofline", [*blocks, _table(points, peak)])


def _explained(result: Result) -> str:
    said = (
        f"Intensity: {meaning('intensity')}; the bytes are those of the operator's own transfers as planned, which sum exactly to "
        f"the bytes that the log counted. Rate: MACs over the operator's own time, {meaning('own')}. Weights are prefetched "
        "while the operator before still has the cores, so a point may lie above the slanted roof."
    )
    without = sum(not unit.is_gemm for unit in result.plan.units)
    said += f" {without:,} of {len(result.plan.units):,} units are vector operators: they have no MACs and no place here."
    if result.options["deps"] == "chunked":
        said += (
            " With chunked dependencies operators overlap: own time counts from the issue, and what two operators whose row passes"
            " take turns move may count for either."
        )
    return said


def _points(run: Run) -> list[Point]:
    result = run.result
    found, moved = run.spans, traffic(result.plan)
    chosen = [i for i, span in enumerate(found) if span.macs and span.ticks]
    stretches = [found[i].own for i in chosen], [found[i].end for i in chosen]
    points = []
    for i, ticks in zip(chosen, tile_ticks(result, 0, *stretches), strict=True):
        rate = found[i].macs / found[i].ticks * result.arch.core.clock
        points.append(Point(found[i], rate, moved[i], _lost_to(ticks)))
    return points


def _lost_to(ticks: Ints) -> str:
    """The largest column but for the first, which is busy."""
    return COLUMNS[1 + int(np.argmax(ticks[1:]))] if ticks[1:].any() else COLUMNS[0]


def _intensity(point: Point, memory: str) -> float:
    return point.span.macs / getattr(point.moved, memory) if getattr(point.moved, memory) else 0.0


def _figure(memory: str, name: str, points: Sequence[Point], peak: float, bandwidth: float) -> Figure:
    placed = [point for point in points if _intensity(point, memory)]
    aside = len(points) - len(placed)
    lows = [_intensity(point, memory) for point in placed] + [peak / bandwidth]
    low, high = min(lows) / 3, max(lows) * 3
    floor = min(min((p.rate for p in placed), default=peak) / 3, peak / 10) / 1e12
    note = (
        f"Every GEMM is a point. Slanted: {bandwidth / 1e9:,.4g} GB/s of {name}; flat: the peak of all engines, "
        f"{peak / 1e12:,.4g} TMAC/s; they meet at {peak / bandwidth:,.4g} MACs a byte. The colour is "
        "the root cause of most of the ticks in which tile 0 was in no block (feed and ADC within a block count as busy)."
    )
    if aside:
        note += f" {aside:,} operators move no byte through {name} and are not shown."
    roof = {
        "type": "scatter",
        "mode": "lines",
        "name": "roof",
        "x": [low, peak / bandwidth, high],
        "y": [low * bandwidth / 1e12, peak / 1e12, peak / 1e12],
        "line": {"color": "#888888", "width": 2},
        "hoverinfo": "skip",
    }
    traces = [
        roof,
        *(_cloud(memory, placed, cause) for cause in INKS if any(p.lost_to == cause for p in placed)),
    ]
    layout = {
        "xaxis": {**_decades(low, high), "title": {"text": f"MACs per byte of {name}"}},
        "yaxis": {**_decades(floor, 1.5 * peak / 1e12), "title": {"text": "TMAC/s"}, "automargin": True},
        "hovermode": "closest",
    }
    return Figure(f"roofline-{memory}", f"Roofline of {name}", note, traces, layout, 420)


def _cloud(memory: str, points: Sequence[Point], cause: str) -> dict[str, Any]:
    mine = [point for point in points if point.lost_to == cause]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"loses most to {cause}" if cause != "busy" else "loses nothing",
        "x": [_short(_intensity(point, memory)) for point in mine],
        "y": [_short(point.rate / 1e12) for point in mine],
        "text": [point.span.name for point in mine],
        "marker": {
            "color": INKS[cause].colour,
            "size": 9,
            "opacity": 0.75,
            "line": {"width": 1, "color": "#333333"},
        },
        "hovertemplate": "%{text}<br>%{x:.4~g} MACs/byte<br>%{y:.4~g} TMAC/s<extra></extra>",
    }


def _decades(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis with a tick at 1, 2 and 5 of each power of ten; at 1 alone where there are many."""
    steps = (1, 2, 5) if high / low < 1e3 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
    return {
        "type": "log",
        "range": [_short(math.log10(low)), _short(math.log10(high))],
        "tickvals": [_short(tick) for tick in ticks],
        "ticktext": [f"{tick:,.6g}" for tick in ticks],
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _table(points: Sequence[Point], peak: float) -> Table:
    """Points of one name and the same numbers to four digits are one row."""
    rows: dict[tuple[object, ...], list[Point]] = {}
    for p in points:
        key = (layerless(p.span.name), f"{p.rate:.4g}", p.moved, p.lost_to)
        rows.setdefault(key, []).append(p)
    cells: list[list[Cell]] = []
    for (name, *_), group in rows.items():
        p = group[0]
        cells.append([
            f"{name} ×{len(group)}" if len(group) > 1 else p.span.name,
            count(p.span.macs),
            count(p.moved.hbm),
            count(p.moved.global_sram),
            rounded(_intensity(p, "hbm")) if p.moved.hbm else "none",
            rounded(_intensity(p, "global_sram")) if p.moved.global_sram else "none",
            rounded(p.rate / 1e12),
            share(p.rate / peak),
            term(p.lost_to),
        ])  # fmt: skip
    intensity, own = meaning("intensity"), meaning("own")
    columns: list[str | Term] = [
        "operator", "MACs", "HBM bytes", "SRAM bytes", Term("MACs per HBM byte", intensity), Term("MACs per SRAM byte", intensity),
        Term("TMAC/s", own), "of peak", "loses most to",
    ]  # fmt: skip
    return Table(columns, cells, "Every operator with MACs (equal ones of all layers together)")
