"""`lsim export`: the timeline of a run for another tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.window import check_parts, window_of
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.export.rows import Window

FORMATS = ("perfetto", "csv", "parquet", "vcd")


def _file(name: str, said: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", type=click.Path(path_type=Path), metavar="FILE", help=said)


@click.command(short_help="Write a run's timeline for another tool.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_file(
    "perfetto", "A trace for ui.perfetto.dev. A window of too many intervals is shown operator by operator."
)
@_file("csv", "A table, a line an interval.")
@_file("parquet", "The same table as Parquet.")
@_file("vcd", "A value change dump for waveform viewers (GTKWave, Surfer).")
@click.option("--window", metavar="A:B", help="Only the ticks [A, B); the whole run if not given.")
@click.option("--part", "parts", multiple=True, metavar="P", help="Only this part. May be given again.")
def export(folder: Path, window: str | None, parts: Sequence[str], **files: Path | None) -> None:
    """Writes the timeline of the run in DIR, which `lsim run … --out DIR` wrote, as one file.

    An interval is a part in one state: busy, waiting for a part, or idle. Every interval of the window is there, to the tick;
    what a Perfetto trace merges is said on standard error and in the trace.
    """
    chosen = [(name, file) for name in FORMATS if (file := files[name]) is not None]
    if len(chosen) != 1:
        raise InputError("takes one of --perfetto, --csv, --parquet, --vcd", place="lsim export")
    from lsim.export.rows import Window
    from lsim.results.store import load_result

    result = load_result(folder)
    check_parts(parts, result.timeline.parts)
    _write(*chosen[0], Window.of(result, *window_of(window, result.ticks), parts))


def _write(name: str, file: Path, window: Window) -> None:
    from lsim.export.perfetto import write_perfetto
    from lsim.export.power import power_counters
    from lsim.export.tables import write_csv, write_parquet
    from lsim.export.vcd import write_vcd

    if name == "perfetto":
        about = write_perfetto(window, file, power_counters(window))
        click.echo(f"{file}: {about['time']}\n{file}: {about['detail']}", err=True)
    else:
        {"csv": write_csv, "parquet": write_parquet, "vcd": write_vcd}[name](window, file)
