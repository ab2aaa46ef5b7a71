"""The energy of a run for people, as renderables of rich."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor, log10
from typing import TYPE_CHECKING

from attrs import frozen
from rich.padding import Padding
from rich.text import Text

from lsim.results.energy.meanings import DARK, NOT_COUNTED
from lsim.results.grouping import layerless
from lsim.results.meanings import CAUSES
from lsim.results.tables import pairs, percent, plain, section

if TYPE_CHECKING:
    from lsim.results.energy.account import Energy
    from lsim.results.energy.bill import Bill, Share
    from lsim.results.energy.operators import OperatorEnergy
    from lsim.results.result import Result

CAUSES_SHOWN, OPERATORS_SHOWN = 6, 16
_DIGITS = 4  # that the whole has; its parts have as many decimals
SAID = {
    **{cause.value: said for cause, said in CAUSES.items()},
    **{name: meaning.definition for name, meaning in DARK.items()},
}


@frozen
class Millijoules:
    """Energies of one run as text: all with the decimals that make the whole four digits."""

    whole: Fraction

    def text(self, picojoules: Fraction) -> str:
        exponent = floor(log10(self.whole / 10**9)) if self.whole else 0
        return f"{float(picojoules / 10**9):,.{max(0, _DIGITS - 1 - exponent)}f}"

    def signed(self, picojoules: Fraction) -> str:
        """With its sign."""
        return ("−" if picojoules < 0 else "+") + self.text(abs(picojoules))

    def share(self, picojoules: Fraction) -> str:
        return percent(float(picojoules / self.whole)) if self.whole else ""

    def row(self, name: str, share: Share) -> tuple[str, ...]:
        energies = (share.dynamic, share.useful, sum(share.dark.values(), Fraction(0)), share.total)
        return name, *map(self.text, energies), self.share(share.total)


def energy_by_component(energy: Bill, work: int, causes: int = CAUSES_SHOWN) -> Iterator[object]:
    """For a report: components, and what was dark by cause. `work`: MACs."""
    mj = Millijoules(energy.total_pj)
    macs = f", {float(mj.whole / work):.4g} pJ a MAC" if work else ""
    ranked = sorted(energy.components.items(), key=lambda row: -row[1].total)
    rows = [mj.row(name, share) for name, share in [*ranked, ("all", energy.all)]]
    note = "Dynamic: of events. Static power is drawn all the time: useful while MACs are done, else dark."
    columns = ("component, in mJ", "dynamic", "useful", "dark", "all", "share")
    yield from section(
        f"Energy: {mj.text(mj.whole)} mJ{macs}", plain(columns, rows, right=(1, 2, 3, 4, 5)), note
    )
    yield from _dark(energy, mj, causes)


def energy_in_full(result: Result) -> Iterator[object]:
    """The same with all causes, operators and tiles, and what is not counted."""
    energy, mj = result.energy(), Millijoules(result.energy().total_pj)
    yield from energy_by_component(energy.bill, result.macs, len(SAID))
    yield from _operators(energy, mj)
    tiles = [mj.row(name, tile) for name, tile in energy.tiles.items()]
    tiles.append(("shared", mj.text(energy.shared), "", "", mj.text(energy.shared), mj.share(energy.shared)))
    columns = ("tile, in mJ", "dynamic", "useful", "dark", "all", "share")
    yield from section("Tiles", plain(columns, tiles, right=(1, 2, 3, 4, 5)))
    yield from section("Not counted", pairs(NOT_COUNTED.items()))


def _operators(energy: Energy, mj: Millijoules) -> Iterator[object]:
    groups: dict[str, list[OperatorEnergy]] = {}
    for one in energy.operators:
        groups.setdefault(" + ".join(map(layerless, one.names)), []).append(one)
    rows = []
    for name, members in groups.items():
        total = sum((one.total for one in members), Fraction(0))
        static = sum((one.static for one in members), Fraction(0))
        title = f"{name} ×{len(members)}" if len(members) > 1 else name
        row = (title, *map(mj.text, (total - static, static, total)), mj.share(total))
        rows.append((total, row))
    rows.sort(key=lambda row: -row[0])
    columns = ("operator, in mJ", "dynamic", "static", "all", "share")
    note = (
        "Static: of the time from the retirement of what stands before an operator in the trace to its own."
    )
    shown = [row for _, row in rows[:OPERATORS_SHOWN]]
    yield from section("Operators", plain(columns, shown, right=(1, 2, 3, 4)), note)
    yield from _more(len(rows) - len(shown), "operators")


def _dark(energy: Bill, mj: Millijoules, most: int) -> Iterator[object]:
    ranked = sorted(energy.all.dark.items(), key=lambda row: -row[1])
    rows = [(cause, mj.text(pj), mj.share(pj), SAID[cause]) for cause, pj in ranked[:most]]
    if rows:
        yield ""
        columns = ("dark, by cause", "mJ", "share", "what happens meanwhile")
        yield Padding(plain(columns, rows, right=(1, 2)), (0, 0, 0, 1))
        yield from _more(len(ranked) - len(rows), "causes")


def _more(count: int, what: str) -> Iterator[object]:
    if count > 0:
        yield Padding(Text(f"and {count} more {what}, see --json"), (0, 0, 0, 1))
