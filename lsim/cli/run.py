"""`lsim run`: a trace and an architecture in, a report out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.options import as_json, names, of_machine, policies
from lsim.cli.settings import machine_of
from lsim.cli.text import print_json, print_tables
from lsim.errors import InputError, TraceError

if TYPE_CHECKING:
    from lsim.arch import Arch
    from lsim.results.generation import GenerationResult
    from lsim.results.result import Result
    from lsim.trace import Generation, Trace


@click.command(short_help="Replay a trace on an architecture.")
@of_machine
@policies
@click.option(
    "--skip-masked",
    type=click.IntRange(1),
    metavar="QUERIES",
    help="Cut causal attention into bands of so many queries, and leave out the keys that no query of a band needs. "
    "Else it is computed dense.",
)
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
    "--only",
    type=int,
    metavar="STEP",
    help="Of a generation, run this step alone, from 0: its result is that of a trace, with all its timeline.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write the result, with its whole timeline, into a folder, all or nothing. Of a generation: the "
    "table of its steps, and no timeline.",
)
@as_json
@click.option("--quiet", is_flag=True, help="No tables and no progress bar.")
def run(
    trace: str,
    arch: str,
    settings: Mapping[str, str],
    mapping: str | None,
    deps: str,
    ideal: str,
    skip_masked: int | None,
    no_fold: bool,
    step: str,
    only: int | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Replays TRACE, a name in `lsim trace list` or a file, and says where the time goes.

    Time is in ticks of the photonic clock, and exact. A run that takes more than two seconds shows its
    progress on stderr.
    """
    from lsim.cli.progress import Progress
    from lsim.results.output import check_folder
    from lsim.trace import load_workload

    workload = load_workload(trace)
    if skip_masked is not None:
        workload = _skipping(workload, skip_masked)
    if only is not None:
        workload = _step(workload, only)
    machine = machine_of(arch, settings)
    if out is not None:
        check_folder(out)
    options = {
        "mapping": mapping,
        "deps": deps,
        "ideal": names(ideal),
        "fold": not no_fold,
        "step": step,
    }
    with Progress(workload.name, shown=not (quiet or as_json)) as progress:
        result = _replayed(workload, machine, {**options, "progress": progress})
    if out is not None:
        _write(result, out)
    if as_json:
        print_json(result.to_dict())
    elif not quiet:
        print_tables(_report(result))


def _replayed(
    workload: Trace | Generation, machine: Arch, options: dict[str, Any]
) -> Result | GenerationResult:
    from lsim.trace import Generation

    if isinstance(workload, Generation):
        from lsim.generate import simulate_generation

        return simulate_generation(workload, machine, **options)
    from lsim.simulate import simulate

    return simulate(workload, machine, **options)


def _skipping(workload: Trace | Generation, queries: int) -> Trace | Generation:
    from lsim.trace.skip import skip_masked

    made = skip_masked(workload, queries)
    if made is workload:
        click.echo(f"note: bands of {queries:,} queries cut nothing: no causal attention has more", err=True)
    return made


def _step(workload: Trace | Generation, number: int) -> Trace:
    from lsim.trace import Generation

    if not isinstance(workload, Generation):
        raise InputError(f"{workload.name} is one trace and has no steps", place="--only")
    try:
        return workload.trace(number)
    except TraceError as error:
        raise error.at(place="--only") from None


def _write(result: Result | GenerationResult, out: Path) -> None:
    from lsim.results.output import write_generation, write_result
    from lsim.results.result import Result

    if isinstance(result, Result):
        write_result(result, out)
    else:
        write_generation(result, out)


def _report(result: Result | GenerationResult) -> Iterator[object]:
    from lsim.results import generation_tables, run_tables
    from lsim.results.result import Result

    return run_tables.report(result) if isinstance(result, Result) else generation_tables.report(result)
