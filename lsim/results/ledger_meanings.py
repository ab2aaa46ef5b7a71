"""What the numbers of `lsim validate`, `lsim diff` and `lsim audit` mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lsim.kernel.labels import Cause
from lsim.results.energy.ledger_rows import DARK, DYNAMIC, KINDS, STEADY, USEFUL
from lsim.results.ledger_rows import ALL, ROWS, cause_of
from lsim.results.meaning import PHOTONIC, Meaning, in_ticks

_UNIT, _PJ = "ticks, or s", "pJ"

_NUMBERS = (
    in_ticks("model", "what a model says of a run", "Σ operators and terms of the model", "", "validate: model", "validate: operators.*.model", "audit: runs.*.model"),
    in_ticks("simulation", "what the simulation says of it", "model + Σ rows", "all records", "validate: simulation", "validate: operators.*.simulation", "audit: runs.*.simulation"),
    Meaning("clock_hz", "cycles a second of the photonic clock: ticks / clock_hz are seconds", "Hz", also=("validate: clock_hz", "diff: a.clock_hz", "diff: b.clock_hz", "audit: runs.*.clock_hz")),
    Meaning("difference", "what run b took more than run a; in seconds where the photonic clocks differ, each run's ticks over its own clock", _UNIT, PHOTONIC, "b − a = Σ rows", "all records", ("diff: difference", "diff: operators.*.difference")),
    Meaning("a", "what an operator took of run a, in the unit of the difference; null where it is not there", _UNIT, PHOTONIC, "Σ rows of its attribution", "all records", ("diff: operators.*.a",)),
    Meaning("b", "the same of run b", _UNIT, PHOTONIC, "Σ rows of its attribution", "all records", ("diff: operators.*.b",)),
    Meaning("a.time", "length of a run, in the unit of the difference", _UNIT, PHOTONIC, "ticks, or ticks / clock_hz", "", ("diff: a.time", "diff: b.time")),
    in_ticks("a.ticks", "length of a run of a difference", "", "", "diff: a.ticks", "diff: b.ticks"),
    Meaning("a.seconds", "length of a run of a difference", "s", PHOTONIC, "ticks / clock_hz", "", ("diff: a.seconds", "diff: b.seconds")),
    Meaning("faults.*.known_percent", "what a fault of the published model comes to, as it was worked out before: time (T) or energy (E) more without it", "% of the model", "", "", "none: recomputed from the released estimator", ("audit: faults.*.known_percent",)),
    Meaning("faults.*.corrected_percent", "the same by the model itself, with the fault corrected", "% of the model", "", "(corrected − faithful) / faithful", "none", ("audit: faults.*.corrected_percent",)),
    Meaning("faults.*.simulated_percent", "what the rows of the ledger that show the fault add", "% of the model", "", "Σ rows, stalls and dependencies / model", "as the rows", ("audit: faults.*.simulated_percent",)),
)  # fmt: skip

_OF_ENERGY = (
    Meaning("ledger.energy.model", "energy that a model says", _PJ, "", "Σ components, or operators and terms", "", ("validate: energy.model", "validate: energy.operators.*.model", "validate: energy.components.*.model")),
    Meaning("ledger.energy.simulation", "energy that the run took: of an operator its events, and the static power of the ticks by which it prolongs the run", _PJ, "", "model + Σ rows", "as energy.total", ("validate: energy.simulation", "validate: energy.operators.*.simulation", "validate: energy.components.*.simulation")),
    Meaning("ledger.energy.mj", "either of both, rounded", "mJ", "", "pJ / 10⁹", "", ("validate: energy.model_mj", "validate: energy.simulation_mj", "diff: energy.a_mj", "diff: energy.b_mj")),
    Meaning("diff.energy", "what run b took more energy than run a", _PJ, "", "b − a = Σ rows", "as energy.total", ("diff: energy.difference", "diff: energy.components.*.difference")),
    Meaning("diff.energy.a", "energy of a run of a difference, or of a component", _PJ, "", "Σ components", "as energy.total", tuple(f"diff: energy.{where}{side}" for where in ("", "components.*.") for side in "ab")),
)  # fmt: skip


def _energy_rows() -> Iterator[Meaning]:
    for name, kind in KINDS.items():
        shown = (f"validate: energy.rows.*.{name}", f"validate: energy.operators.*.rows.*.{name}")
        yield Meaning(f"energy.rows.*.{name}", kind.definition, _PJ, "", kind.formula, kind.entries, shown)
    tiles = "states of the tiles' cores"
    yield Meaning(f"energy.rows.*.{STEADY}", "all static power of an operator beyond what the model charges with its events", _PJ, "", "static power · ticks by which it prolongs the run − Σ events · steady charge of the model; over operators the rows shots and dark, and the static part of otherwise and absent", "records of retire", (f"validate: energy.operators.*.rows.*.{STEADY}",))  # fmt: skip
    yield Meaning(f"energy.rows.*.{DARK}.*", "static power of the component in the time in which no shot was fired, by the root cause of the tile; between two runs, in which no MAC was done", _PJ, "", "static power / T · ticks of the cause / f, summed over tiles", tiles, (f"validate: energy.rows.*.{DARK}.*", f"diff: energy.rows.*.{DARK}.*"))  # fmt: skip
    yield Meaning(f"energy.rows.*.{DYNAMIC}", "energy of events of the component, b − a", _PJ, "", "Σ events · price", "records that count events", (f"diff: energy.rows.*.{DYNAMIC}",))  # fmt: skip
    yield Meaning(f"energy.rows.*.{USEFUL}", "static power of the component while MACs were done, b − a", _PJ, "", "as energy.useful", tiles, (f"diff: energy.rows.*.{USEFUL}",))  # fmt: skip


def of_ledgers(causes: Mapping[Cause, str]) -> Iterator[Meaning]:
    """The numbers, then the rows between a model and a simulation or between two runs. `causes`: what happens meanwhile."""
    yield from _NUMBERS
    yield from _OF_ENERGY
    yield from _energy_rows()
    for name, row in ALL.items():
        cause = cause_of(name)
        said = row.definition.format("" if cause is None else causes[Cause(cause)])
        also = [f"diff: rows.{name}", f"diff: operators.*.rows.{name}"]
        if name in ROWS:
            also += [
                f"validate: rows.{name}",
                f"validate: operators.*.rows.{name}",
                f"audit: runs.*.rows.{name}",
            ]
        yield in_ticks(f"rows.{name}", said, row.formula, row.entries, *also)
