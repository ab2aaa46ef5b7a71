"""Reports of ledgers of energy for people, as renderables of rich: each component from the model's energy to the simulation's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from rich.padding import Padding

from lsim.ledger.energy import EnergyLedger
from lsim.ledger.energy_diff import EnergyDifference
from lsim.results.energy.ledger_rows import DARK, DYNAMIC, KINDS, USEFUL, by_kind, dark_causes, kind_of
from lsim.results.energy.tables import SAID, Millijoules
from lsim.results.tables import pairs, plain, section

CAUSES_SHOWN = 6
_OF_RUNS = (DYNAMIC, USEFUL, DARK)
TITLE = "Energy, from the model to the simulation"


def energy_report(found: EnergyLedger | None, model: str) -> Iterator[object]:
    """A line for each component, what its columns are, and what was dark by cause."""
    if found is None:
        yield from section(
            TITLE, pairs([("not told", f"{model} says nothing of energy, so there is no ledger of it")])
        )
        return
    mj = Millijoules(max(found.model, found.simulation))
    kinds = [kind for kind in (*KINDS, DARK) if any(kind_of(name) == kind for name in found.rows)]
    lines = [
        (name, mj.text(model_pj), *_cells(by_kind(found.of(name)), kinds, mj), mj.text(simulated))
        for name, (model_pj, simulated) in found.components.items()
    ]
    whole = _cells(by_kind(found.rows), kinds, mj)
    lines.append(("all", mj.text(found.model), *whole, mj.text(found.simulation)))
    columns = ("component, in mJ", model, *kinds, "simulation")
    note = "Each line adds up, exactly before it is rounded: nothing is left over. A minus is less than the model counts."
    yield from section(TITLE, plain(columns, lines, right=range(1, len(columns))), note)
    yield ""
    yield Padding(pairs((kind, KINDS[kind].definition) for kind in kinds if kind in KINDS), (0, 0, 0, 1))
    yield from _dark(found.rows, mj, "static power while no shot is fired, and")


def energy_difference_report(found: EnergyDifference) -> Iterator[object]:
    """A line for each component of two runs, and what was dark by cause."""
    mj = Millijoules(max(found.sides))
    lines = [
        (name, mj.text(a), mj.text(b), *_cells(by_kind(found.of(name)), _OF_RUNS, mj), mj.signed(b - a))
        for name, (a, b) in found.components.items()
    ]
    whole = (
        *map(mj.text, found.sides),
        *_cells(by_kind(found.rows), _OF_RUNS, mj),
        mj.signed(found.difference),
    )
    columns = ("component, in mJ", "A", "B", *_OF_RUNS, "B − A")
    note = "dynamic, useful, dark: what each adds to B − A. Static power is useful while MACs are done, else dark."
    yield from section(
        "Energy by component", plain(columns, [*lines, ("all", *whole)], right=range(1, 7)), note
    )
    yield from _dark(found.rows, mj, "static power while no MAC is done, and")


def _cells(kinds: Mapping[str, Fraction], shown: Sequence[str], mj: Millijoules) -> list[str]:
    return [mj.signed(kinds[kind]) if kinds.get(kind) else "" for kind in shown]


def _dark(of: Mapping[str, Fraction], mj: Millijoules, title: str) -> Iterator[object]:
    causes = dark_causes(of)
    rows = [(cause, mj.signed(pj), SAID[cause]) for cause, pj in causes[:CAUSES_SHOWN]]
    if rows:
        yield ""
        columns = ("dark, by cause", "mJ", title)
        yield Padding(plain(columns, rows, right=(1,)), (0, 0, 0, 1))
    if len(causes) > CAUSES_SHOWN:
        yield f" and {len(causes) - CAUSES_SHOWN} more causes, see --json"
