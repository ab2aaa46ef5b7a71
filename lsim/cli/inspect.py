"""`lsim inspect`: any tick or window of a run that was written with `lsim run --out`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.text import print_json, print_tables
from lsim.cli.window import check_parts, window_of
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.results.result import Result


@click.command(short_help="Look inside a run, at any tick.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--at", "tick", type=int, metavar="T", help="What every part does at tick T.")
@click.option(
    "--window", metavar="A:B", help="Where the ticks of [A, B) went; the whole run if neither is given."
)
@click.option("--part", "parts", multiple=True, metavar="P", help="Only this part. May be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def inspect(folder: Path, tick: int | None, window: str | None, parts: Sequence[str], as_json: bool) -> None:
    """Looks inside the run in DIR, which `lsim run … --out DIR` wrote, without running it again.

    Nothing is sampled or merged: every tick of a run of any length is there.
    """
    from lsim.results.store import load_result

    if tick is not None and window is not None:
        raise InputError("takes either --at or --window", place="lsim inspect")
    result = load_result(folder)
    check_parts(parts, result.timeline.parts)
    told = _at(result, tick) if tick is not None else _window(result, *window_of(window, result.ticks))
    told = {name: said for name, said in told.items() if not parts or name in parts}
    if as_json:
        print_json(told)
    else:
        from lsim.results.tables import parts_at, parts_in

        print_tables([parts_at(told, tick) if tick is not None else parts_in(told)])


def _at(result: Result, tick: int) -> dict[str, Any]:
    return {
        name: {"state": s.state, "operator": s.operator, "cause": s.cause, "waits_for": s.waits_for}
        for name, s in result.timeline.at(tick).items()
    }


def _window(result: Result, begin: int, end: int) -> dict[str, Any]:
    return {
        name: {"busy": time.busy, "idle": time.idle, "waiting": dict(time.waiting)}
        for name, time in result.timeline.window(begin, end).items()
    }
