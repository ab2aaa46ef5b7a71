"""`lsim trace` of generations: how they are made, what is in them, and the trace of a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.trace import Generation


def make_generation(
    names: tuple[str, ...], prompt: int | None, new: int | None, batch: int | None, out: Path | None
) -> Path:
    """Writes the file of a generation, and returns its path."""
    from lsim.trace.files import SUFFIX
    from lsim.trace.text import text_of
    from lsim.trace.zoo.generate import generation

    if len(names) != 1:
        raise InputError("takes the name of one model", place="--phase generate")
    if prompt is None or new is None:
        raise InputError(
            "is missing: a generation has a prompt and new tokens", place="--new" if prompt else "--prompt"
        )
    document = generation(names[0], prompt, new, 1 if batch is None else batch)
    return save(out or Path(f"{document.name}{SUFFIX}"), text_of(document))


def refuse_sizes(**sizes: object) -> None:
    """Refuses the options that only a generation has."""
    for name, value in sizes.items():
        if value is not None:
            raise InputError("says the size of a generation: add --phase generate", place=f"--{name}")


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
        "parameters": generation.parameters,
        "steps": len(generation.steps),
        "tokens": generation.tokens,
        "phases": generation.phases(),
    }
