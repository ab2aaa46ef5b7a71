"""The roofline: every operator's rate over its intensity, under what the machine could do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from lsim.report.blocks import Block, Figure, Prose, Run, Section, Table, Term, count, rounded, share
from lsim.report.definitions import meaning
from lsim.report.figures import term
from lsim.report.palette import INKS
from lsim.results.grouping import layerless
from lsim.results.result import Result
from lsim.results.spans import Span, ticks_between
from lsim.results.states import COLUMNS
from lsim.results.traffic import Traffic, traffic


@frozen
class Point:
    """An operator with MACs: its rate in MAC/s while it has its cores for itself, its bytes, and what its cores did most."""

    span: Span
    rate: float
    moved: Traffic
    mostly: str


def roofline(run: Run) -> Section | None:
    result = run.result
    points = _points(run)
    if not points:
        return None
    peak = float(result.arch.peak_macs_per_tick * result.arch.core.clock)
    arch, sram = result.arch, result.arch.global_sram
    blocks: list[Block] = [Prose(_explained(result))]
    if "hbm" not in arch.ideal:
        blocks.append(_figure("hbm", "HBM", points, peak, float(arch.hbm.bandwidth)))
    if "gb" not in arch.ideal:
        most = float(sram.banks * sram.line * sram.ports * sram.clock)
        blocks.append(_figure("global_sram", "the global SRAM", points, peak, most))
    return Section("roofline", "Roofline", [*blocks, _table(points, peak)])


def _explained(result: Result) -> str:
    said = (
        f"Intensity: {meaning('intensity')}; the bytes are those of the operator's own transfers as planned, which sum exactly to "
        f"the bytes that the log counted. Rate: MACs over the operator's own time, {meaning('own')}. A GEMM that waits for the HBM "
        "transfers of its weights has them prefetched during the operator before, so a point may lie above the slanted roof."
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
    points = []
    for core in dict.fromkeys(found[i].core for i in chosen):
        mine = [i for i in chosen if found[i].core == core]
        (ticks,) = ticks_between(result, [core], [found[i].own for i in mine], [found[i].end for i in mine])
        for i, row in zip(mine, ticks, strict=True):
            rate = found[i].macs / found[i].ticks * result.arch.core.clock
            points.append((i, Point(found[i], rate, moved[i], COLUMNS[int(np.argmax(row))])))
    return [point for _, point in sorted(points, key=lambda p: p[0])]


def _intensity(point: Point, memory: str) -> float:
    return point.span.macs / getattr(point.moved, memory) if getattr(point.moved, memory) else 0.0


def _figure(memory: str, name: str, points: Sequence[Point], peak: float, bandwidth: float) -> Figure:
    placed = [point for point in points if _intensity(point, memory)]
    aside = len(points) - len(placed)
    lows = [_intensity(point, memory) for point in placed] + [peak / bandwidth]
    low, high = min(lows) / 3, max(lows) * 3
    note = (
        f"Every GEMM is a point. Slanted: {bandwidth / 1e9:,.4g} GB/s of {name}; flat: the peak of all engines, "
        f"{peak / 1e12:,.4g} TMAC/s; they meet at {peak / bandwidth:,.4g} MACs a byte. The colour is what the cores did most meanwhile."
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
        *(_cloud(memory, placed, mostly) for mostly in INKS if any(p.mostly == mostly for p in placed)),
    ]
    layout = {
        "xaxis": {"type": "log", "dtick": "D2", "title": {"text": f"MACs per byte of {name}"}},
        "yaxis": {"type": "log", "dtick": "D2", "title": {"text": "TMAC/s"}, "automargin": True},
        "hovermode": "closest",
    }
    return Figure(f"roofline-{memory}", f"Roofline of {name}", note, traces, layout, 420)


def _cloud(memory: str, points: Sequence[Point], mostly: str) -> dict[str, Any]:
    mine = [point for point in points if point.mostly == mostly]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"mostly {mostly}",
        "x": [_short(_intensity(point, memory)) for point in mine],
        "y": [_short(point.rate / 1e12) for point in mine],
        "text": [point.span.name for point in mine],
        "marker": {
            "color": INKS[mostly].colour,
            "size": 9,
            "opacity": 0.75,
            "line": {"width": 1, "color": "#333333"},
        },
        "hovertemplate": "%{text}<br>%{x:.4~g} MACs/byte<br>%{y:.4~g} TMAC/s<extra></extra>",
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _table(points: Sequence[Point], peak: float) -> Table:
    """Points of one name and the same numbers to four digits are one row."""
    rows: dict[tuple[object, ...], list[Point]] = {}
    for p in points:
        key = (layerless(p.span.name), f"{p.rate:.4g}", p.moved, p.mostly)
        rows.setdefault(key, []).append(p)
    cells = []
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
            term(p.mostly),
        ])  # fmt: skip
    intensity, own = meaning("intensity"), meaning("own")
    columns = [
        "operator", "MACs", "HBM bytes", "SRAM bytes", Term("MACs per HBM byte", intensity), Term("MACs per SRAM byte", intensity),
        Term("TMAC/s", own), "of peak", "cores mostly",
    ]  # fmt: skip
    return Table(columns, cells, "Every operator with MACs (equal ones of all layers together)")
