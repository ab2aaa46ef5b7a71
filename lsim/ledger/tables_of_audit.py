"""The report of an audit for people, as renderables of rich."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from lsim.ledger.audit import Audit, Finding
from lsim.ledger.faults import SOURCE
from lsim.ledger.ledger import Ledger
from lsim.results.ledger_rows import ALL
from lsim.results.tables import heading, plain, section

GROUPS = {
    "MODEL": "model",
    "CORES": "cores",
    "WAITS": "waits",
    "DPU": "DPU",
    "DEPENDENCIES": "deps",
    "CONTROLLER": "issue",
}
"""Titles of the groups of rows, by how the rows name them."""


def audit_report(found: Audit) -> Iterator[object]:
    """All of a report: every run in a line, then the faults."""
    yield heading("The published model of Lightening-Transformer against the simulation")
    rows = [_run(ledger) for ledger in found.ledgers]
    columns = ("trace", "arch", "model", "simul.", "ratio", *GROUPS.values())
    note = (
        "Times of the model and of the simulation in µs; then what each group of rows adds, in percent of the model: bounds of the "
        "model itself, work and waits of the cores, the DPU, dependencies between operators, issue. `lsim validate` has the rows."
    )
    yield from section("Runs", plain(columns, rows, right=range(2, len(columns))), note)
    shown, before = [], ""
    for finding in found.findings:
        shown.append(_line(finding, before))
        before = finding.fault.text
    head = ("fault", "", "of", "known", "corrected", "simulated", "what is wrong")
    note = (
        f"In percent of the model's time (T) or energy (E). known: {SOURCE}, = exact, ~ a scenario. corrected: the model without the "
        "fault. simulated: the rows of the ledger that show it, where other causes may add to it or hide it."
    )
    yield from section("Known faults", plain(head, shown, right=(3, 4, 5)), note)


def _run(ledger: Ledger) -> tuple[str, ...]:
    result, said = ledger.result, ledger.prediction
    groups = dict.fromkeys(GROUPS, Fraction(0))
    for name, value in ledger.rows.items():
        groups[ALL[name].group.partition(" ")[0].rstrip(":")] += value
    times = (said.milliseconds(Fraction(n)) * 1000 for n in (ledger.model, ledger.simulation))
    return (
        result.trace.name,
        result.arch.name,
        *(f"{time:,.1f}" for time in times),
        f"{float(ledger.simulation / ledger.model):.2f}",
        *(f"{float(100 * value / ledger.model):+.1f}".replace("-", "−") for value in groups.values()),
    )


def _line(finding: Finding, before: str) -> tuple[str, ...]:
    """A figure; what is wrong is not said again if it was said before."""
    known, fault = finding.known, finding.fault
    how = f" ({known.how})" if known.how else ""
    text = f"{fault.text}{how}" if fault.text != before else "”"
    return (
        fault.number,
        known.quantity,
        f"{known.trace} {known.arch}",
        f"{'=' if known.exact else '~'} {percent_of(known.percent)}",
        *("" if value is None else percent_of(value) for value in (finding.corrected, finding.simulated)),
        text,
    )


def percent_of(value: float) -> str:
    """A percentage with its sign, and as many digits as its size bears."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:+.{digits}f}".replace("-", "−")
