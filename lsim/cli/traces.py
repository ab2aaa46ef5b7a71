"""`lsim trace`: the workloads, what is in them, and how they are made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.archs import as_json
from lsim.cli.text import print_json, print_tables
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.trace import Operator, Trace


@click.group(short_help="List, show and make traces.")
def trace() -> None:
    """Lists, shows and makes traces."""


@trace.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Names the traces that come with lsim."""
    from lsim.trace import list_traces, load_trace

    traces = [_summary(load_trace(name)) for name in list_traces()]
    if as_json:
        print_json(traces)
    else:
        from lsim.results.tables import plain

        rows = [
            (t["name"], t["description"], f"{t['operators']:,}", f"{t['macs']:,}", f"{t['parameters']:,}")
            for t in traces
        ]
        columns = ("trace", "what it is", "operators", "MACs", "parameters")
        print_tables([plain(columns, rows, right=(2, 3, 4))])


@trace.command()
@click.argument("name", metavar="TRACE")
@as_json
def show(name: str, as_json: bool) -> None:
    """Prints the operators of TRACE, a name or a file, with their sizes."""
    from lsim.trace import load_trace

    workload = load_trace(name)
    if as_json:
        print_json(_content(workload))
    else:
        from lsim.results.tables import workload_tables

        print_tables(workload_tables(workload))


@trace.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("traces"),
    show_default=True,
    metavar="DIR",
    help="Folder to write to; made if it is not there.",
)
@as_json
def make(names: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Builds trace files from published sizes: those named, or all. The same bytes each time."""
    from lsim.trace.zoo import MODELS, make

    texts = {name: make(name) for name in names or MODELS}  # refuses an unknown name before it writes
    made = [_write(out, name, text) for name, text in texts.items()]
    if as_json:
        print_json(made)
        return
    for file in made:
        click.echo(f"{file['path']}  {file['was']}")


def _write(folder: Path, name: str, text: str) -> dict[str, str]:
    from lsim.trace.files import SUFFIX, write_text

    path = folder / f"{name}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        was = "new" if not path.exists() else "same" if path.read_bytes() == text.encode() else "changed"
        if was != "same":
            write_text(path, text)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from None
    return {"name": name, "path": str(path), "was": was}


def _summary(workload: Trace) -> dict[str, Any]:
    return {
        "name": workload.name,
        "description": workload.description,
        "operators": len(workload.operators),
        "macs": workload.macs,
        "parameters": workload.parameters,
    }


def _content(workload: Trace) -> dict[str, Any]:
    return {
        "name": workload.name,
        "macs": workload.macs,
        "parameters": workload.parameters,
        "operators": [_operator(operator) for operator in workload.operators],
    }


def _operator(operator: Operator) -> dict[str, Any]:
    return {
        "name": operator.name,
        "kind": operator.kind.value,
        "macs": operator.macs,
        "label": operator.label,
        "heads": operator.heads,
        "rows": operator.rows,
        "depth": operator.depth,
        "columns": operator.columns,
        "causal": operator.causal,
        "operands": [list(operand) for operand in operator.operands],
        "outputs": list(operator.outputs),
    }
