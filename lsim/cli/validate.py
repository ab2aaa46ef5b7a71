"""`lsim validate`: a model against the simulation, and every tick between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from lsim.cli.options import as_json, models, names, of_machine, policies
from lsim.cli.settings import machine_of
from lsim.cli.text import print_json, print_tables


@click.command(short_help="A model against the simulation, tick by tick.")
@of_machine
@models
@policies
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also draw the rows as a waterfall: FILE.svg or FILE.png.",
)
@as_json
def validate(
    trace: str,
    arch: str,
    settings: Mapping[str, str],
    model: str,
    level: str | None,
    correct: str,
    mapping: str | None,
    deps: str,
    ideal: str,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Says what a model leaves out of TRACE, a name in `lsim trace list` or a file, row by row: model + rows = simulation.

    Exact, operator by operator and in total: nothing is left over. Rows are read off the simulated timeline.
    """
    from lsim.cli.progress import Progress
    from lsim.ledger.validate import validate as run
    from lsim.ledger.waterfall import check_file, write_waterfall
    from lsim.trace import load_trace

    workload = load_trace(trace)
    machine = machine_of(arch, settings)
    if plot is not None:
        check_file(plot)
    with Progress(workload.name, shown=not as_json) as progress:
        found = run(
            workload,
            machine,
            model,
            level=level,
            corrected=names(correct),
            mapping=mapping,
            deps=deps,
            ideal=names(ideal),
            progress=progress,
        )
    if plot is not None:
        write_waterfall(found, plot)
    if as_json:
        print_json(found.to_dict())
    else:
        from lsim.ledger.tables import ledger_report

        print_tables(ledger_report(found))
