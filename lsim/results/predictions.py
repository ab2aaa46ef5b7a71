"""Reports for people of what a model says, as renderables of rich: time and energy of a trace, area and power of a chip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from rich.padding import Padding
from rich.text import Text

from lsim.arch import Arch
from lsim.models import Estimate, Prediction
from lsim.models.base import millijoules
from lsim.results.grouping import layerless
from lsim.results.tables import heading, pairs, percent, plain, section, widths_of

UNITS = {"area_mm2": ("Area", "mm²"), "power_mw": ("Peak power", "mW")}


def prediction(said: Prediction) -> Iterator[object]:
    """All of a report, from the time to what is known to be wrong."""
    yield from _headline(said)
    yield from _operators(said)
    yield from _components(said)
    if said.notes:
        yield from section("Notes", pairs(("·", note) for note in said.notes))
    if said.faults:
        note = "Each is counted as it was published; --correct NAME,... counts it as said here."
        yield from section("Known faults of this model", pairs(said.faults.items()), note)


def chip(arch: Arch, level: str, parts: Mapping[str, Mapping[str, Fraction]]) -> Iterator[object]:
    """Area and peak power of a chip by component."""
    widths = [f"widths {told}" for _, told in widths_of(arch)]
    yield heading(f"{arch.name}, as published, level {level}", arch.description, *widths)
    for what, of in parts.items():
        title, unit = UNITS[what]
        total = sum(of.values(), Fraction(0))
        rows = [(name, f"{float(value):,.4f}", _share(value, total)) for name, value in of.items()]
        rows.append(("total", f"{float(total):,.4f}", _share(total, total)))
        yield from section(title, plain(("component", unit, "share"), rows, right=(1, 2)))


def _headline(said: Prediction) -> Iterator[object]:
    components = said.components
    energy = "this model says nothing of energy"
    if components is not None:
        energy = f"{millijoules(sum(components.values())):.6g} mJ"
    how = [f"level {said.options['level']}"] if "level" in said.options else []
    if "corrected" in said.options:
        how.append(f"corrected: {', '.join(said.options['corrected']) or 'nothing'}")
    yield heading(
        f"{said.trace.name} on {said.arch.name}, by the model {said.model}",
        said.trace.description,
        said.arch.description,
    )
    yield ""
    rows = [
        ("time", f"{said.milliseconds(said.ticks):.6g} ms = {_ticks(said.ticks)} ticks"),
        ("energy", energy),
        ("work", f"{said.trace.macs:,} MACs in {len(said.trace.operators):,} operators"),
    ]
    yield pairs([*rows, *widths_of(said.arch), ("model", ", ".join([said.model, *how]))])


def _operators(said: Prediction) -> Iterator[object]:
    groups: dict[tuple[str, str, Fraction, float | None], list[str]] = {}
    for operator, estimate in said.operators:
        key = (layerless(operator.name), operator.kind.value, estimate.ticks, _energy(estimate))
        groups.setdefault(key, []).append(operator.name)
    for name, estimate in said.terms.items():
        groups[name, "term", estimate.ticks, _energy(estimate)] = [name]
    rows, nothing = [], []
    for (name, kind, ticks, energy), members in groups.items():
        count = len(members)
        title = f"{name} ×{count}" if count > 1 else members[0]
        if not (ticks or energy):
            nothing.append(title)
            continue
        shown = "" if energy is None else f"{energy * count:.6g}"
        rows.append((title, kind, _ticks(ticks), _share(ticks * count, said.ticks), shown))
    columns = ("operator", "kind", "ticks each", "share", "mJ, all")
    yield from section("Operators", plain(columns, rows, right=(2, 3, 4)))
    if nothing:
        yield Padding(Text(f"No tick and no energy: {', '.join(nothing)}"), (0, 0, 0, 1))


def _components(said: Prediction) -> Iterator[object]:
    components = said.components
    if not components:
        return
    total = sum(components.values(), Fraction(0))
    rows = [
        (name, f"{millijoules(energy):.6g}", _share(energy, total)) for name, energy in components.items()
    ]
    yield from section("Energy", plain(("component", "mJ", "share"), rows, right=(1, 2)))


def _energy(estimate: Estimate) -> float | None:
    return None if estimate.energy_pj is None else millijoules(sum(estimate.energy_pj.values()))


def _share(part: Fraction, total: Fraction) -> str:
    return percent(float(part / total)) if total else ""


def _ticks(ticks: Fraction) -> str:
    return f"{ticks.numerator:,}" if ticks.denominator == 1 else f"{float(ticks):,.2f}"
