"""`lsim trace` of generations: what is in them, and the trace of a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.trace import Generation


def save(path: Path, text: str) -> Path:
    """Writes a trace file, and returns its path."""
    from lsim.trace.files import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from None
    return path


@click.command(short_help="Write the trace of one step of a generation.")
@click.argument("name", metavar="GENERATION")
@click.argument("number", metavar="STEP", type=int)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
def step(name: str, number: int, out: Path) -> None:
    """Writes the trace of STEP, from 0, of a generation file."""
    from lsim.trace import Generation, dumps, load_workload

    workload = load_workload(name)
    if not isinstance(workload, Generation):
        raise InputError("is one trace and has no steps", file=name)
    trace = workload.trace(number)
    click.echo(f"{save(out, dumps(trace))}  {trace.name}")


def content(generation: Generation) -> dict[str, Any]:
    """What `lsim trace show --json` prints of a generation."""
    return {
        "name": generation.name,
        "macs": generation.total_macs,
        **generation.masked.to_dict(),
        "parameters": generation.parameters,
        "steps": len(generation.steps),
        "tokens": generation.tokens,
        "phases": generation.phases(),
    }
