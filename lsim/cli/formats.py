"""`lsim trace from-… and to-…`: the files of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

_UNKNOWN = click.option(
    "--allow-unknown", is_flag=True, help="Keep operators that are not known as opaque data movement."
)


@click.command("from-csv", short_help="A SCALE-Sim GEMM topology as a trace.")
@_FILE
@_OUT
def from_csv(file: Path, out: Path) -> None:
    """Makes a trace of FILE, a SCALE-Sim GEMM topology: a chain of its GEMMs.

    What is assumed is printed on stderr, and stands in the trace.
    """
    from lsim.extract.scalesim import read_topology

    with naming(file):
        workload, notes = read_topology(_text(file), file.stem)
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


@click.command("from-chakra", short_help="A Chakra execution trace as a trace.")
@_FILE
@_OUT
@_UNKNOWN
def from_chakra(file: Path, out: Path, allow_unknown: bool) -> None:
    """Makes a trace of FILE, an execution trace of MLCommons Chakra (.et).

    One that `lsim trace to-chakra` wrote comes back whole. Of others, PyTorch's operations with shapes are read.
    """
    from lsim.extract.chakra import from_chakra

    with naming(file):
        workload, notes = from_chakra(_bytes(file), file.stem, allow_unknown)
    _save(workload, out, notes)


@click.command("to-chakra", short_help="A trace as a Chakra execution trace.")
@_TRACE
@_OUT
def to_chakra(name: str, out: Path) -> None:
    """Writes TRACE, a name or a file, as an execution trace of MLCommons Chakra. Nothing is lost."""
    from lsim.extract.chakra import to_chakra
    from lsim.trace import load_trace

    workload = load_trace(name)
    content = to_chakra(workload)
    _write(
        out,
        content,
        ["An element is one byte there: Chakra has whole bytes, and no width that a run could choose."],
    )
    click.echo(f"{out}: {len(workload.operators):,} nodes, {len(content):,} bytes")


@click.command("from-onnx", short_help="An ONNX model as a trace.")
@_FILE
@_OUT
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="INPUT=1,3,224,224",
    help="Shape of an input that has none in the file. Give several times for several inputs.",
)
@_UNKNOWN
def from_onnx(file: Path, out: Path, shapes: tuple[str, ...], allow_unknown: bool) -> None:
    """Makes a trace of FILE, an ONNX model; its weights need not be there. Needs the extra lsim[onnx].

    Convolutions are GEMMs by im2col. What is assumed is printed on stderr, and stands in the trace.
    """
    from lsim.extract.onnx_model import from_onnx

    given = dict(map(_shape, shapes))
    with naming(file):
        workload, notes = from_onnx(file, given, allow_unknown)
    _save(workload, out, notes)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """A name and the sizes after the last `=`."""
    name, _, sizes = text.rpartition("=")
    parts = [part.strip() for part in sizes.split(",")]
    if not name or not all(part.isdecimal() and int(part) for part in parts):
        raise InputError(f"must be INPUT=1,3,224,224, not {text!r}", place="--shape")
    return name, tuple(map(int, parts))


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Errors name the file that they are about."""
    try:
        yield
    except InputError as error:
        raise error.at(file=file) from None


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
