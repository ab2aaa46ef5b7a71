"""Where the energy went: by component, dark by cause, over time; and runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from lsim.report.blocks import Block, Cell, Figure, Number, Prose, Run, Section, Table, Term, share
from lsim.report.figures import AROUND, stack
from lsim.results.energy.account import Energy
from lsim.results.energy.bill import Share
from lsim.results.energy.meanings import COMPONENTS, DARK
from lsim.results.meanings import CAUSES
from lsim.results.palette import SHADES
from lsim.results.result import Result

BINS = 400  # of the power over time
LAYERS = len(SHADES)  # components that have a layer of their own
PICOJOULES_A_MILLIJOULE = 10**9


def energy(run: Run) -> Section | None:
    """None for a run that took no energy."""
    result, of = run.result, run.result.energy()
    if not of.total_pj:
        return None
    blocks: list[Block] = [Prose(_about(result)), *_components(of), *_dark(of)]
    if result.ticks:
        blocks.append(_power(result))
    return Section("energy", "Where the energy went", blocks)


def _about(result: Result) -> str:
    total = result.energy().total_pj
    each = f", {float(total / result.macs):,.4g} pJ a MAC" if result.macs else ""
    seconds = Fraction(result.ticks, result.arch.core.clock)
    mean = f", a mean of {float(total / 10**12 / seconds):,.4g} W" if seconds else ""
    return (
        f"{mj(total).text} mJ{each}{mean}. Dynamic: of events. Static power is drawn all the time: useful while MACs are done, "
        "dark in the rest. What no component counts: lsim inspect --energy."
    )


def mj(picojoules: Fraction, path: str = "") -> Number:
    """A number of pJ, read in mJ."""
    return Number(float(picojoules), f"{float(picojoules / PICOJOULES_A_MILLIJOULE):,.4g}", path)


def _three(of: Share) -> dict[str, float]:
    """In mJ."""
    split = {"dynamic": of.dynamic, "useful": of.useful, "dark": of.static - of.useful}
    return {name: float(pj / PICOJOULES_A_MILLIJOULE) for name, pj in split.items()}


def _ranked(of: Energy) -> list[tuple[str, Share]]:
    return sorted(of.components.items(), key=lambda component: -component[1].total)


# -- one run -------------------------------------------------------------------------------------------------------
def _components(of: Energy) -> list[Figure | Table]:
    ranked = _ranked(of)
    note = "Each bar is a component of the chip, or its HBM."
    names, bars = [name for name, _ in ranked], [_three(component) for _, component in ranked]
    figure = stack("energy-components", "Energy by component", note, names, bars, axis="mJ")
    rows: list[list[Cell]] = [
        [
            Term(name, COMPONENTS[name].definition),
            mj(component.dynamic, f"energy.components.{name}.dynamic"),
            mj(component.useful, f"energy.components.{name}.useful"),
            mj(component.static - component.useful),
            mj(component.total),
            share(float(component.total / of.total_pj)),
        ]
        for name, component in ranked
    ]
    every = of.all
    rows.append(
        [
            "sum",
            mj(every.dynamic, "energy.dynamic"),
            mj(every.useful, "energy.useful"),
            mj(every.static - every.useful),
            mj(every.total, "energy.total"),
            share(1.0),
        ]
    )
    columns = ["component, in mJ", "dynamic", "useful", "dark", "all", "share"]
    return [figure, Table(columns, rows, "Energy by component", total=True)]


def _dark(of: Energy) -> list[Figure | Table]:
    dark = sorted(of.all.dark.items(), key=lambda cause: -cause[1])
    if not dark:
        return []
    bars = [{cause: float(pj / PICOJOULES_A_MILLIJOULE) for cause, pj in tile.dark.items()} for tile in of.tiles.values()]  # fmt: skip
    note = "Each tile has an equal share of all static power; what it drew while no MAC was done, by the root cause of that tile."
    figure = stack("energy-dark", "Dark energy of each tile, by cause", note, list(of.tiles), bars, axis="mJ")
    rows: list[list[Cell]] = [
        [
            Term(cause, said_of(cause), cause),
            mj(pj, f"energy.dark.{cause}"),
            share(float(pj / of.total_pj)),
            said_of(cause),
        ]
        for cause, pj in dark
    ]
    total = sum((pj for _, pj in dark), Fraction(0))
    rows.append(["sum", mj(total), share(float(total / of.total_pj)), ""])
    columns = ["dark, by cause", "mJ", "of all energy", "what happens meanwhile"]
    return [figure, Table(columns, rows, "Dark energy by cause", total=True)]


def said_of(cause: str) -> str:
    return DARK[cause].definition if cause in DARK else {str(c): said for c, said in CAUSES.items()}[cause]


def _power(result: Result) -> Figure:
    series = result.power(BINS)
    ranked = [name for name, _ in _ranked(result.energy())]
    watts = {name: series.milliwatts[name] / 1000 for name in ranked}
    layers = {name: watts[name] for name in ranked[:LAYERS]}
    if ranked[LAYERS:]:
        layers[f"{len(ranked) - LAYERS} others"] = np.sum([watts[name] for name in ranked[LAYERS:]], axis=0)
    cuts = series.cuts.tolist()
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "stackgroup": "power",
            "x": cuts,
            "y": [float(f"{value:.4g}") for value in (*values, values[-1])],
            "line": {"shape": "hv", "width": 0},
            "fillcolor": (*SHADES, "#999999")[i],
            "hovertemplate": f"from tick %{{x:,}}<br>{name} %{{y:,.4~g}} W<extra></extra>",
        }
        for i, (name, values) in enumerate(layers.items())
    ]
    layout = {
        "xaxis": {"title": {"text": "ticks"}},
        "yaxis": {"title": {"text": "W"}, "rangemode": "tozero", "automargin": True},
        "legend": {"traceorder": "reversed"},
    }
    note = (
        f"Means of {len(cuts) - 1} bins. The energy of an event is spread over the ticks of the state that counts it (a block, a "
        "transaction); static power is drawn evenly. Bin by bin this is all the energy of the run."
    )
    return Figure("power", "Power over time", note, traces, layout, AROUND + 320)


# -- several -------------------------------------------------------------------------------------------------------
def energies(runs: Sequence[Run]) -> Section | None:
    """Runs side by side; None where none took any energy."""
    found = {run.name: run.result.energy() for run in runs}
    if not any(of.total_pj for of in found.values()):
        return None
    note = (
        "Each bar is a run. Dynamic: of events. Static power is useful while MACs are done, dark in the rest."
    )
    bars = [_three(of.all) for of in found.values()]
    figure = stack("energies", "Energy of each run", note, list(found), bars, axis="mJ")
    return Section("energies", "Where the energy went", [figure, _aligned(found)])


def _aligned(found: Mapping[str, Energy]) -> Table:
    names = [name for name in COMPONENTS if any(name in of.components for of in found.values())]
    none = Share(Fraction(0), Fraction(0), {})
    totals = {name: [of.components.get(name, none).total for of in found.values()] for name in names}
    names.sort(key=lambda name: [-pj for pj in totals[name]])
    rows: list[list[Cell]] = [
        [Term(name, COMPONENTS[name].definition), *_with_ratio(totals[name])] for name in names
    ]
    rows.append(["sum", *_with_ratio([of.total_pj for of in found.values()])])
    first, *others = found
    columns = ["component, in mJ", first, *(column for name in others for column in (name, "of the first"))]
    return Table(columns, rows, total=True)


def _with_ratio(energies: Sequence[Fraction]) -> list[Cell]:
    """The energy of each run, and of all but the first what share of the first's it is."""
    first, *others = energies
    cells: list[Cell] = [mj(first)]
    for one in others:
        cells += [mj(one), share(float(one / first)) if first else "none"]
    return cells
