"""What the published model leaves out of a run, row by row; and what lies between runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from lsim.errors import InputError
from lsim.ledger.diff import Difference, diff
from lsim.ledger.energy import EnergyLedger
from lsim.ledger.ledger import Ledger
from lsim.ledger.ledger import ledger as between
from lsim.ledger.tables import by_group
from lsim.ledger.waterfall import bars, steps
from lsim.models import load_model, predict
from lsim.report.blocks import Block, Cell, Figure, Number, Prose, Run, Section, Table, Term, share
from lsim.report.energy import PICOJOULES_A_MILLIJOULE, mj, said_of
from lsim.report.figures import waterfall
from lsim.results.energy.ledger_rows import DARK, KINDS, by_kind, component_of, dark_causes, kind_of
from lsim.results.energy.meanings import COMPONENTS
from lsim.results.energy.tables import Millijoules
from lsim.results.ledger_rows import cause_of
from lsim.results.meanings import MEANINGS
from lsim.results.result import Result

MODEL = "published"
TITLE = "What the published model leaves out"
Rows = Mapping[str, Fraction]


def ledger(run: Run) -> Section:
    """Against the published model of the run's kind of core, as faithful as it comes."""
    try:
        found = _found(run.result)
    except InputError as error:
        return Section("ledger", TITLE, [Prose(f"It does not apply: {error}.")])
    blocks: list[Block] = [Prose(_about(found)), *_ticks(found)]
    if found.energy is not None:
        blocks += _energy(found.energy)
    return Section("ledger", TITLE, blocks)


def _found(result: Result) -> Ledger:
    model = load_model(MODEL, result.arch)
    return between(predict(model, result.trace, result.arch), result)


def _about(found: Ledger) -> str:
    model, simulation = found.model, found.simulation
    ratio = f", {float(simulation / model):.3f} times as many" if model else ""
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in found.prediction.notes)
    return (
        f"The closed form of the publication says {float(model):,.0f} ticks, the simulation {simulation:,}{ratio}. Each row is what the "
        f"form leaves out, or counts and should not; the rows sum to the difference exactly.{notes}"
    )


def _ticks(found: Ledger) -> list[Figure | Table]:
    note = "From the model's ticks down to the run's. A bar to the left is a credit; rows too small to be seen are one bar."
    figure = waterfall("ledger-ticks", "Ticks, from the model to the simulation", note, bars(found), "ticks")
    whole = Fraction(found.simulation)
    rows = [*_ends(MODEL, found.model), *_rows(found.rows), *_ends("simulation", whole)]
    return [figure, Table(["row", "ticks", "what it is"], rows, "Ticks by row", total=True)]


def _ends(name: str, value: Fraction) -> list[list[Cell]]:
    return [[name, _number(value), ""]]


def _rows(rows: Rows, show: str = "") -> list[list[Cell]]:
    """With what each is; `show`: the unit of seconds, where ticks are not of one length."""
    told = [(name, value, said) for name, value, said in by_group(rows) if value is not None]
    return [
        [Term(name, said, cause_of(name) or ""), _number(value, show, "+"), said]
        for name, value, said in told
    ]


def _number(value: Fraction, unit: str = "", sign: str = "") -> Number:
    if unit:
        return Number(float(value), f"{float(value) * 1e6:{sign},.4f}".replace("-", "−"))
    if value.denominator == 1:
        return Number(int(value), f"{int(value):{sign},}".replace("-", "−"))
    return Number(float(value), f"{float(value):{sign},.2f}".replace("-", "−"))


# -- energy --------------------------------------------------------------------------------------------------------
def _energy(found: EnergyLedger) -> list[Figure | Table]:
    ends = (MODEL, found.model), ("simulation", found.simulation)
    note = (
        "Each bar is a component and why it differs; what is dark of a component, of all causes, is one bar."
    )
    drawn = steps(*ends, _by_component(found.rows))
    figure = waterfall(
        "ledger-energy",
        "Energy, from the model to the simulation",
        note,
        drawn,
        "mJ",
        PICOJOULES_A_MILLIJOULE,
    )
    unit = Millijoules(max(found.model, found.simulation))
    kinds = [kind for kind in (*KINDS, DARK) if any(kind_of(name) == kind for name in found.rows)]
    rows: list[list[Cell]] = [
        [_component(name), _mj(model, unit), *_of_kinds(found.of(name), kinds, unit), _mj(simulation, unit)]
        for name, (model, simulation) in found.components.items()
    ]
    rows.append(
        ["sum", _mj(found.model, unit), *_of_kinds(found.rows, kinds, unit), _mj(found.simulation, unit)]
    )
    said = [
        Term(kind, KINDS[kind].definition if kind in KINDS else "static power while no shot is fired")
        for kind in kinds
    ]
    columns: list[str | Term] = ["component, in mJ", MODEL, *said, "simulation"]
    table = Table(columns, rows, "Energy by component, from the model to the simulation", total=True)
    return [figure, table, _dark(found)]


def _mj(picojoules: Fraction, unit: Millijoules) -> Number:
    return Number(float(picojoules), unit.text(picojoules))


def _by_component(rows: Rows) -> dict[str, Fraction]:
    """What is dark of a component as one."""
    sums: dict[str, Fraction] = {}
    for name, value in rows.items():
        short = f"{component_of(name)}.{kind_of(name)}"
        sums[short] = sums.get(short, Fraction(0)) + value
    return sums


def _component(name: str) -> Cell:
    known = COMPONENTS.get(name) or MEANINGS.get(f"components.{name}")
    return name if known is None else Term(name, known.definition)


def _of_kinds(rows: Rows, kinds: Iterable[str], unit: Millijoules) -> list[Cell]:
    sums = by_kind(rows)
    return [Number(float(sums[kind]), unit.signed(sums[kind])) if sums.get(kind) else "" for kind in kinds]


def _dark(found: EnergyLedger) -> Table:
    causes = dark_causes(found.rows)
    rows: list[list[Cell]] = [
        [Term(cause, said_of(cause), cause), mj(pj), share(float(pj / found.simulation)), said_of(cause)]
        for cause, pj in causes
    ]
    columns = ["dark, by cause", "mJ", "of all energy", "static power while no shot is fired, and"]
    return Table(columns, rows, "Dark energy by cause, shots aside")


# -- several -------------------------------------------------------------------------------------------------------
def rows_apart(runs: Sequence[Run]) -> Section:
    """What lies between the first run and each other."""
    blocks: list[Block] = []
    for place, run in enumerate(runs[1:], 1):
        blocks += _apart(runs[0].name, run.name, diff(runs[0].result, run.result), place)
    return Section("rows", "What lies between them, row by row", blocks)


def _apart(a: str, b: str, found: Difference, place: int) -> list[Block]:
    seconds = "" if found.unit == "ticks" else found.unit
    axis, scale = ("µs", 1e-6) if seconds else ("ticks", 1)
    before, after = found.times
    note = "Operators of a name are taken for the same; the rows sum to the difference exactly."
    title = f"From {a} to {b}"
    drawn = waterfall(f"rows-{place}", title, note, steps((a, before), (b, after), found.rows), axis, scale)
    rows: list[list[Cell]] = [
        *_rows(found.rows, seconds),
        ["sum", _number(found.difference, seconds, "+"), f"{b} − {a}"],
    ]
    table = Table(["row", axis, "what it is"], rows, f"{title}, {axis} by row", total=True)
    return [drawn, table, *_energy_apart(a, b, found, place)]


def _energy_apart(a: str, b: str, found: Difference, place: int) -> list[Block]:
    of = found.energy
    before, after = of.sides
    if before == after == 0:
        return []
    title, unit = f"Energy, from {a} to {b}", Millijoules(max(before, after))
    note = "Each bar is a component: its events (dynamic), its static power while MACs are done (useful), and in the rest (dark)."
    drawn = steps((a, before), (b, after), _by_component(of.rows))
    figure = waterfall(f"rows-energy-{place}", title, note, drawn, "mJ", PICOJOULES_A_MILLIJOULE)
    rows: list[list[Cell]] = [[name, Number(float(pj), unit.signed(pj))] for name, pj in of.rows.items()]
    rows.append(["sum", Number(float(of.difference), unit.signed(of.difference))])
    return [figure, Table(["row", "mJ"], rows, f"{title}, by row", total=True)]
