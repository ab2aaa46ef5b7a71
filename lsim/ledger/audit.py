"""The published model against the simulation over its workloads and machines, and what each known fault of it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from typing import Any

from attrs import frozen

from lsim.arch import Arch, load_arch
from lsim.ledger.faults import ENERGY, FAULTS, SOURCE, Fault, Figure
from lsim.ledger.ledger import Ledger
from lsim.ledger.validate import validate
from lsim.models import Prediction, load_model, predict
from lsim.results.ledger_rows import SERIAL
from lsim.trace import load_trace

TRACES = ("deit-tiny", "deit-small", "deit-base", "bert-base", "bert-large")
ARCHS = ("lt-b-4bit", "lt-b-8bit", "lt-l-4bit", "lt-l-8bit")


@frozen
class Finding:
    """A known figure of a fault, and the same from here, in percent of what the model says.

    `corrected`: by the model with the fault corrected, None without such a switch. `simulated`: the rows that show it in the ledger of
    the same workload, None where none does.
    """

    fault: Fault
    known: Figure
    corrected: float | None
    simulated: float | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        fault, known = self.fault, self.known
        return {
            "fault": fault.number,
            "what": fault.text,
            "quantity": known.quantity,
            "trace": known.trace,
            "arch": known.arch,
            "settings": dict(known.settings),
            "known_percent": known.percent,
            "known_exact": known.exact,
            "how": known.how,
            "corrections": list(fault.corrections),
            "corrected_percent": self.corrected,
            "rows": list(fault.rows),
            "simulated_percent": self.simulated,
        }


@frozen
class Audit:
    """A ledger for each workload on each machine, and the findings."""

    ledgers: tuple[Ledger, ...]
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `lsim audit --json` prints."""
        runs = [{key: value for key, value in one.of_time().items() if key in _TOLD} for one in self.ledgers]
        return {"runs": runs, "faults": [one.to_dict() for one in self.findings], "source": SOURCE}


_TOLD = ("trace", "arch", "model", "simulation", "rows", "clock_hz")


def audit(
    traces: Iterable[str] = TRACES,
    archs: Iterable[str] = ARCHS,
    progress: Callable[[float], None] | None = None,
) -> Audit:
    """Validates the published model on every one of these, and finds out what its known faults come to.

    `progress`: called with the fraction of runs done. Raises InputError for an unknown name.
    """
    runs = [(trace, arch, ()) for arch in archs for trace in traces]
    figures = [(fault, figure) for fault in FAULTS for figure in fault.figures]
    also = [(f.trace, f.arch, f.settings) for fault, f in figures if fault.rows]
    every = dict.fromkeys([*runs, *also])
    found = {}
    for done, (trace, arch, settings) in enumerate(every):
        found[trace, arch, settings] = validate(load_trace(trace), _machine(arch, settings))
        if progress is not None:
            progress((done + 1) / len(every))
    ledgers = tuple(found[run] for run in runs)
    return Audit(
        ledgers, tuple(_finding(fault, f, found.get((f.trace, f.arch, f.settings))) for fault, f in figures)
    )


def _finding(fault: Fault, known: Figure, simulated: Ledger | None) -> Finding:
    corrected = _percent_more(known, fault.corrections) if fault.corrections else None
    shown = _percent_of_rows(simulated, fault.rows) if simulated and fault.rows else None
    return Finding(fault, known, corrected, shown)


def _percent_more(known: Figure, corrections: tuple[str, ...]) -> float:
    faithful, corrected = (_total(_said(known, names), known) for names in ((), corrections))
    return float(100 * (corrected - faithful) / faithful)


def _percent_of_rows(ledger: Ledger, names: Iterable[str]) -> float:
    rows = ledger.rows
    ticks = sum(rows.get(name, 0) + rows.get(f"{SERIAL}{name}", 0) for name in names)
    return float(100 * ticks / ledger.model)


def _total(said: Prediction, known: Figure) -> Fraction:
    if known.quantity == ENERGY:
        return sum((said.components or {}).values(), Fraction(0))
    return said.ticks


@cache
def _said(known: Figure, corrected: tuple[str, ...]) -> Prediction:
    machine = _machine(known.arch, known.settings)
    return predict(load_model("published", machine, corrected=corrected), load_trace(known.trace), machine)


def _machine(name: str, settings: tuple[tuple[str, str], ...]) -> Arch:
    return load_arch(name).with_settings(dict(settings))
