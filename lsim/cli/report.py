"""`lsim report`: a page of HTML about a run, or about several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lsim.errors import InputError


@click.command(short_help="Write a page of HTML about runs.")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="The file to write, all or nothing.",
)
def report(folders: Sequence[Path], output: Path) -> None:
    """Writes one file of HTML about the run in DIR, which `lsim run … --out DIR` wrote: where its ticks went, every part over time,
    the roofline, what is assumed. It needs no network. Given several runs, it holds them side by side.

    Needs plotly and Jinja2: pip install 'lsim[report]'.
    """
    from lsim.report.page import check_libraries, page
    from lsim.report.runs import load_runs
    from lsim.trace.files import write_text

    check_libraries()
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is not a folder", file="--output", place=str(output))
    text = page(load_runs(folders))
    try:
        write_text(output, text)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file="--output", place=str(output)) from None
    click.echo(f"{output}: {len(text.encode()) / 1e6:.1f} MB")
