"""What a run rests on: the values that are assumed, and what exactly was run."""

from __future__ import annotations

from lsim import __version__
from lsim.report.blocks import Cell, Number, Prose, Run, Section, Table
from lsim.results.result import Result


def assumptions(run: Run) -> Section:
    arch = run.result.arch
    assumed, known = arch.assumptions, len(arch.describe())
    said = (
        f"{len(assumed)} of the {known} values of this machine are not published: they are assumed [A], and every number above rests "
        "on them."
    )
    rows = [[a.key, a.value, a.source] for a in assumed]
    return Section(
        "assumptions", "Assumptions [A]", [Prose(said), Table(["parameter", "value", "why this value"], rows)]
    )


def provenance(run: Run) -> Section:
    result = run.result
    options: list[list[Cell]] = [
        [f"option {key}", option_text(value)] for key, value in result.options.items()
    ]
    values: list[list[Cell]] = [
        ["trace", result.trace.name],
        ["trace, SHA-256", result.trace.sha256],
        ["architecture", result.arch.name],
        ["architecture, SHA-256", result.arch.sha256],
        ["devices, SHA-256", result.arch.devices_sha256],
        ["widths", result.arch.operands.widths.spelled],
        *options,
        ["events simulated", Number(result.events, f"{result.events:,}", "events")],
        ["folds", Number(result.folds, f"{result.folds:,}", "folds")],
        ["lsim that made this page", __version__],
    ]
    files = [[name, digest] for name, digest in sorted(run.digests.items())]
    said = "The same trace, architecture, options and version give the same bytes, of the run's folder and of this page."
    blocks: list[Prose | Table] = [Prose(said), Table(["what", "which"], values)]
    if files:
        blocks.append(Table(["file of the run", "SHA-256"], files, "Digests of the run's files"))
    return Section("provenance", "Provenance", blocks)


def option_text(value: object) -> str:
    """An option as it is shown."""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def machine_values(result: Result) -> dict[str, tuple[str, str]]:
    """Every value of the machine and of its devices, with its provenance tag."""
    rows = [*result.arch.describe(), *result.arch.describe_devices()]
    return {row.key: (row.value, row.provenance) for row in rows}
