"""`lsim run`: a trace and an architecture in, a report out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lsim.cli.options import names, policies
from lsim.cli.settings import parse_settings, settings
from lsim.cli.text import print_json, print_tables


@click.command(short_help="Replay a trace on an architecture.")
@click.argument("trace", metavar="TRACE")
@click.option("--arch", required=True, metavar="ARCH", help="Name in `lsim arch list`, or a YAML file.")
@settings
@policies
@click.option(
    "--no-fold", is_flag=True, help="Simulate every period, to check the folding: same result, later."
)
@click.option(
    "--step",
    type=click.Choice(["block", "shot"]),
    default="block",
    show_default=True,
    help="What an event of a core stands for: a block in closed form, or a shot, to check that.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write the result, with its whole timeline, into a folder, all or nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option("--quiet", is_flag=True, help="No tables and no progress bar.")
def run(
    trace: str,
    arch: str,
    settings: Sequence[str],
    mapping: str | None,
    deps: str,
    ideal: str,
    no_fold: bool,
    step: str,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Replays TRACE, a name in `lsim trace list` or a file, and says where the time goes.

    Time is in ticks of the photonic clock, and exact. A run that takes more than two seconds shows its
    progress on stderr.
    """
    from lsim.arch import load_arch
    from lsim.cli.progress import Progress
    from lsim.results.output import check_folder, write_result
    from lsim.simulate import simulate
    from lsim.trace import load_trace

    workload = load_trace(trace)
    machine = load_arch(arch).with_settings(parse_settings(settings))
    if out is not None:
        check_folder(out)
    with Progress(workload.name, shown=not (quiet or as_json)) as progress:
        result = simulate(
            workload,
            machine,
            mapping=mapping,
            deps=deps,
            ideal=names(ideal),
            fold=not no_fold,
            step=step,
            progress=progress,
        )
    if out is not None:
        write_result(result, out)
    if as_json:
        print_json(result.to_dict())
    elif not quiet:
        from lsim.results.tables import report

        print_tables(report(result))
