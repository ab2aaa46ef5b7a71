"""`lsim trace`: the workloads, what is in them, and how they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli import formats, generations
from lsim.cli.archs import as_json
from lsim.cli.extract import from_config, from_torch
from lsim.cli.making import make
from lsim.cli.skipping import skip_masked
from lsim.cli.text import print_json, print_tables
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.trace import Generation, Operator, Trace
    from lsim.trace.layers import Stretch
    from lsim.widths import Widths

UNIFORM = ("4", "8", "16")  # bits an element, for sizes in bytes


@click.group(short_help="List, show and make traces.")
def trace() -> None:
    """Lists, shows and makes traces."""


for command in (
    skip_masked,
    formats.from_csv,
    formats.to_csv,
    formats.from_chakra,
    formats.to_chakra,
    formats.from_onnx,
):
    trace.add_command(command)


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
            (t["name"], f"{t['operators']:,}", _short(t["macs"]), _short(t["parameters"]), t["description"])
            for t in traces
        ]
        columns = ("trace", "operators", "MACs", "parameters", "what it is")
        print_tables([plain(columns, rows, right=(1, 2, 3))])


@trace.command()
@click.argument("name", metavar="TRACE")
@click.option(
    "--graph",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="SVG",
    help="File for a picture: repeated layers once, shapes at the arrows. Needs the extra lsim[graph].",
)
@click.option(
    "--widths", metavar="W4A8KV4", help="Bytes with weights, activations and KV entries so wide, too."
)
@as_json
def show(name: str, graph: Path | None, widths: str | None, as_json: bool) -> None:
    """Prints the operators of TRACE, a name or a file, with their sizes, and what repeats."""
    from lsim.trace import Generation, load_workload

    workload = load_workload(name)
    if isinstance(workload, Generation):
        _show_generation(workload, {"--graph": graph, "--widths": widths}, as_json)
        return
    asked = _widths(widths)
    if graph is not None:
        _draw(workload, graph)
    if as_json:
        print_json(_content(workload, asked))
    else:
        print_tables(_tables(workload, asked))


def _widths(spelled: str | None) -> dict[str, Widths]:
    """The widths that bytes are shown for, by what they are called: all of one, and those asked for."""
    from lsim.widths import Widths

    asked = {name: Widths(int(name), int(name), int(name)) for name in UNIFORM}
    if spelled is not None:
        widths = Widths.parse(spelled)
        asked[widths.spelled] = widths
    return asked


def _show_generation(workload: Generation, of_a_trace: dict[str, object], as_json: bool) -> None:
    from lsim.results import generation_tables

    for option, given in of_a_trace.items():
        if given is not None:
            raise InputError("is a generation: `lsim trace step` writes the trace of a step", place=option)
    if as_json:
        print_json(generations.content(workload))
    else:
        print_tables(generation_tables.content(workload))


def _draw(workload: Trace, path: Path) -> None:
    from lsim.results.picture import picture
    from lsim.results.svg import svg
    from lsim.trace.files import write_text

    if path.suffix.lower() != ".svg":
        raise InputError(
            f"is a picture in SVG: name it {path.with_suffix('.svg').name}", place=f"--graph {path}"
        )
    try:
        write_text(path, svg(picture(workload)))
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from None


trace.add_command(from_config)
trace.add_command(from_torch)
trace.add_command(generations.step)
trace.add_command(make)


def _summary(workload: Trace) -> dict[str, Any]:
    return {
        "name": workload.name,
        "description": workload.description,
        "operators": len(workload.operators),
        "macs": workload.macs,
        "parameters": workload.parameters,
    }


def _content(workload: Trace, asked: Mapping[str, Widths]) -> dict[str, Any]:
    """All of a trace. `masked_macs`, `skipped_macs`: see `lsim.trace.masks`. `bytes` of the tensors of each role and `intensity`, MACs per byte of the weights and KV entries that
    GEMMs read, each fetched once, by bits an element or by widths; null where nothing is fetched. `repeats`: what is in it several times.
    """
    from lsim.trace.layers import stretches
    from lsim.trace.masks import masked

    return {
        "name": workload.name,
        "macs": workload.macs,
        **masked(workload).to_dict(),
        "parameters": workload.parameters,
        "bytes": {name: _bytes(workload, widths) for name, widths in asked.items()},
        "intensity": {name: _intensity(workload, widths) for name, widths in asked.items()},
        "repeats": [_repeat(stretch) for stretch in stretches(workload) if stretch.count > 1],
        "operators": [_operator(operator) for operator in workload.operators],
    }


def _bytes(workload: Trace, widths: Widths) -> dict[str, int]:
    own = {"weight": widths.weight, "kv": widths.kv}
    sizes = {bits: workload.bytes_by_role(bits) for bits in dict.fromkeys(widths)}
    return {role.value: sizes[own.get(role.value, widths.activation)][role] for role in sizes[widths.kv]}


def _intensity(workload: Trace, widths: Widths) -> float | None:
    value = workload.intensity(widths.weight, widths.kv)
    return value if isfinite(value) else None


def _repeat(stretch: Stretch) -> dict[str, Any]:
    return {
        "count": stretch.count,
        "start": stretch.start,
        "operators": [operator.name for operator in stretch.first],
        "macs": sum(operator.macs for operator in stretch.first),
    }


def _short(count: int) -> str:
    """Three digits and a decimal prefix."""
    for factor, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if count >= factor:
            return f"{count / factor:.3g} {prefix}"
    return f"{count:,}"


def _tables(workload: Trace, asked: Mapping[str, Widths]) -> Iterator[object]:
    from lsim.results.tables import heading, plain, section
    from lsim.trace.masks import masked

    yield heading(workload.name, workload.description)
    yield f"{workload.macs:,} MACs in {len(workload.operators):,} operators, {workload.parameters:,} parameters"
    told = masked(workload)
    if told.words:
        dense = workload.macs + told.skipped
        yield f"{told.words}: {told.masked:,} computed though masked, {dense:,} of the dense products"
    columns = ("bytes, by role", *(f"{name} bit" if name in UNIFORM else name for name in asked))
    yield from section("Tensors", plain(columns, _sizes(workload, asked), right=range(1, len(columns))))
    columns = ("operator", "kind", "heads", "rows", "depth", "columns", "MACs", "share")
    note = "A GEMM is heads × (rows × depth) · (depth × columns); other kinds visit heads × rows × columns elements."
    rows = [row for piece in _pieces(workload) for row in piece]
    yield from section("Operators", plain(columns, rows, right=range(2, len(columns))), note)
    for title, lines in (("Conventions", workload.conventions), ("Sources", workload.sources)):
        if lines:
            yield ""
            yield heading(title, *(f"- {line}" for line in lines))


def _sizes(workload: Trace, asked: Mapping[str, Widths]) -> Iterator[list[str]]:
    sizes = [_bytes(workload, widths) for widths in asked.values()]
    for role in sizes[0]:
        yield [role, *(f"{size[role]:,}" for size in sizes)]
    stored = (f"{workload.intensity(widths.weight, widths.kv):,.1f}" for widths in asked.values())
    yield ["MACs per byte of weights and KV", *stored]


def _pieces(workload: Trace) -> Iterator[list[tuple[str, ...]]]:
    """The rows of the operators, those of repeated layers once."""
    from lsim.trace.layers import stretches

    for stretch in stretches(workload):
        named = zip(stretch.names, stretch.first, strict=True)
        rows = [_row(name, operator, stretch.count, workload.macs) for name, operator in named]
        yield [(f"{stretch.count} times:", *[""] * 7), *rows] if stretch.count > 1 else rows


def _row(name: str, operator: Operator, count: int, total: int) -> tuple[str, ...]:
    window = f", window {operator.window:,}" if operator.window else ""
    band = f" {operator.band.begin:,} to {operator.band.end - 1:,}" if operator.band else ""
    kind = f"{operator.kind.value}{', causal' if operator.causal else ''}{band}{window}"
    sizes = (operator.heads, operator.rows, operator.depth, operator.columns)
    share = f"{100 * operator.macs * count / total:.1f} %" if operator.macs else ""
    return (
        name if count == 1 else f"  {name}",
        kind,
        *(f"{size:,}" if size else "" for size in sizes),
        f"{operator.macs:,}" if operator.macs else "",
        share,
    )


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
        "window": operator.window or None,
        "band": operator.band,
        "operands": [list(operand) for operand in operator.operands],
        "outputs": list(operator.outputs),
    }
