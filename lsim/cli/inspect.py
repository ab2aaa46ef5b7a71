"""`lsim inspect`: any tick or window of a run that was written with `lsim run --out`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.text import print_json, print_tables, width
from lsim.cli.window import check_parts, window_of
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.results.result import Result
    from lsim.results.timeline import Timeline

Answer = tuple[Any, Iterable[object]]
"""What is printed with `--json`, and what without."""


@click.command(short_help="Look inside a run, at any tick.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--at", "tick", type=int, metavar="T", help="What every part does at tick T.")
@click.option("--blame", metavar="PART", help="With --at: who waits for whom, from PART on.")
@click.option("--window", metavar="A:B", help="Where the ticks of [A, B) went; the whole run by default.")
@click.option("--bins", type=click.IntRange(min=1), metavar="N", help="The same in N bins of the window.")
@click.option("--chart", is_flag=True, help="The window drawn: a row a part, a letter and a colour a cause.")
@click.option(
    "--waits", type=click.IntRange(min=1), metavar="K", help="The K longest single waits of the run."
)
@click.option("--energy", "energy", is_flag=True, help="What the run spent, by component, operator and tile.")
@click.option("--part", "parts", multiple=True, metavar="P", help="Only this part. May be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def inspect(
    folder: Path,
    tick: int | None,
    blame: str | None,
    window: str | None,
    bins: int | None,
    chart: bool,
    waits: int | None,
    energy: bool,
    parts: Sequence[str],
    as_json: bool,
) -> None:
    """Looks inside the run in DIR, which `lsim run … --out DIR` wrote, without running it again.

    Nothing is sampled or merged: every tick of a run of any length is there.
    """
    from lsim.results.store import load_result

    _check_choice(tick, blame, window, waits, energy, (bins, chart or None), as_json)
    if energy and parts:
        raise InputError("--energy has every part: leave out --part", place="lsim inspect")
    result = load_result(folder)
    timeline = result.timeline
    check_parts(parts, timeline.parts)
    check_parts([] if blame is None else [blame], timeline.parts, "--blame")
    shown = [name for name in timeline.parts if not parts or name in parts]
    if tick is not None:
        told, tables = _at(timeline, tick, blame, shown)
    elif waits is not None:
        told, tables = _waits(timeline, waits, parts)
    elif energy:
        told, tables = _energy(result)
    else:
        told, tables = _window(timeline, window_of(window, timeline.ticks), bins, chart, shown)
    if as_json:
        print_json(told)
    else:
        print_tables(tables)


def _at(timeline: Timeline, tick: int, blame: str | None, shown: Sequence[str]) -> Answer:
    from lsim.results import views

    if blame is not None:
        chain = [(name, views.state(said)) for name, said in timeline.blame(blame, tick)]
        return [{"part": name, **said} for name, said in chain], [views.states_table(chain, tick)]
    states = timeline.at(tick)
    told = {name: views.state(states[name]) for name in shown}
    return told, [views.states_table(told.items(), tick)]


def _waits(timeline: Timeline, count: int, parts: Sequence[str]) -> Answer:
    from lsim.results import views

    found = [wait for part in parts for wait in timeline.longest_waits(count, part)]
    found = (
        sorted(found, key=lambda w: (-w.ticks, w.begin))[:count] if parts else timeline.longest_waits(count)
    )
    told = [views.wait(wait) for wait in found]
    return told, [views.waits_table(told)]


def _energy(result: Result) -> Answer:
    from lsim.results.energy.tables import energy_in_full

    return result.energy().to_dict(), energy_in_full(result)


def _window(
    timeline: Timeline, bounds: tuple[int, int], bins: int | None, chart: bool, shown: Sequence[str]
) -> Answer:
    from lsim.results import views

    if chart:
        return None, _chart(timeline, bounds, shown)
    if bins is not None:
        told = views.bins(timeline, bins, *bounds, shown)
        return told, views.bins_table(told)
    told = views.window(timeline, *bounds, shown)
    shares = timeline.utilization(*bounds)
    return told, [views.window_table(told), "", views.utilization_table(shares)]


def _chart(timeline: Timeline, bounds: tuple[int, int], shown: Sequence[str]) -> Iterator[object]:
    from lsim.results.chart import chart

    return chart(timeline, *bounds, shown, width())


def _check_choice(
    tick: int | None,
    blame: str | None,
    window: str | None,
    waits: int | None,
    energy: bool,
    of_window: tuple[object, object],
    as_json: bool,
) -> None:
    """One question at a time."""
    about_window = window is not None or any(of_window)
    problem = None
    if (tick is not None) + (waits is not None) + energy + about_window > 1:
        problem = "takes one of --at, --waits, --energy and --window (with --bins or --chart)"
    elif blame is not None and tick is None:
        problem = "takes --blame with --at, the tick to explain"
    elif all(of_window):
        problem = "takes either --bins or --chart"
    elif of_window[1] and as_json:
        problem = "takes --bins with --json; a chart is text"
    if problem:
        raise InputError(problem, place="lsim inspect")
