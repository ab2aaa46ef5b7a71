"""`lsim trace from-… and to-…`: the files of others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.trace import Trace

HEADS = ("rows", "batch")

_FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
_TRACE = click.argument("name", metavar="TRACE")
_OUT = click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT",
    help="File to write.",
)


@click.command("from-csv", short_help="A SCALE-Sim GEMM topology as a trace.")
@_FILE
@_OUT
def from_csv(file: Path, out: Path) -> None:
    """Makes a trace of FILE, a SCALE-Sim GEMM topology: a chain of its GEMMs.

    What is assumed is printed on stderr, and stands in the trace.
    """
    from lsim.extract.scalesim import read_topology

    try:
        workload, notes = read_topology(_text(file), file.stem)
    except InputError as error:
        raise error.at(file=file) from None
    _save(workload, out, notes)


@click.command("to-csv", short_help="A trace as a SCALE-Sim GEMM topology.")
@_TRACE
@_OUT
@click.option(
    "--heads",
    type=click.Choice(HEADS),
    default="rows",
    show_default=True,
    help="A GEMM of several heads as so many lines, or as one line with a batch, which older releases ignore.",
)
def to_csv(name: str, out: Path, heads: str) -> None:
    """Writes the GEMMs of TRACE, a name or a file, as a SCALE-Sim topology. What is lost is printed on stderr."""
    from lsim.extract.scalesim import topology
    from lsim.trace import load_trace

    text, notes = topology(load_trace(name), heads)
    _write(out, text.encode(), notes)
    click.echo(f"{out}: {len(text.splitlines()) - 1:,} layers")


def _text(file: Path) -> str:
    try:
        return _bytes(file).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text: byte {error.start}", file=file) from None


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from None


def _save(workload: Trace, out: Path, notes: Iterable[str]) -> None:
    from lsim.trace import dumps

    _write(out, dumps(workload).encode(), notes)
    click.echo(f"{out}: {len(workload.operators):,} operators, {workload.macs:,} MACs")


def _write(out: Path, content: bytes, notes: Iterable[str]) -> None:
    """The file, whole or not at all; then what a reader of it must know, on stderr."""
    from lsim.trace.files import write_bytes

    try:
        write_bytes(out, content)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=out) from None
    for note in notes:
        click.echo(f"note: {note}", err=True)
