"""The report of a generation, and what is in one, as renderables of rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from lsim.kernel.labels import Cause
from lsim.results.energy.tables import Millijoules, energy_by_component
from lsim.results.tables import (
    Row,
    assumptions,
    causes_of_tiles,
    heading,
    headline,
    masks,
    memories,
    number,
    parts,
    percent,
    plain,
    section,
    utilization,
    widths_of,
)
from lsim.trace.positions import told_beyond
from lsim.units import plural

if TYPE_CHECKING:
    from lsim.results.generation import GenerationResult
    from lsim.results.steps import StepRun
    from lsim.trace import Generation


PHASES = REQUESTS = 24  # that a report shows


def report(result: GenerationResult) -> Iterator[object]:
    """All of a report, from the time to the assumptions."""
    generation, arch = result.generation, result.arch
    useful = result.utilization()["useful_macs"]
    work = [
        *_speeds(result),
        ("work", f"{number(result.macs)} MACs, {percent(useful)} of the peak"),
        *masks(generation.masked, generation.document.conventions),
        *told_beyond(generation.document.conventions),
        *widths_of(arch),
    ]
    events = sum(step.events for step in result.simulated)
    simulation = f"{_simulated(result)}; {number(events)} events, {result.cpu_s:.2f} CPU s"
    yield from headline(result, generation, work, simulation)
    yield from _phases(result)
    yield from _requests(result)
    yield from utilization(result.utilization())
    yield from causes_of_tiles(result.sums.causes, result.ticks, arch.core.tiles)
    yield from energy_by_component(result.energy(), result.macs)
    yield from parts(result.parts(), result.ticks)
    yield from memories(result.bytes())
    yield from assumptions(arch)


def _simulated(result: GenerationResult) -> str:
    simulated, steps = len(result.simulated), len(result.steps)
    if simulated == steps:
        return "every step" if steps > 1 else "its one step"
    return f"{simulated:,} of {steps:,} steps, the others take as long as one of them"


def _speeds(result: GenerationResult) -> Iterator[Row]:
    first, later, energy = result.time_to_first_token, result.time_per_output_token, result.energy_per_token
    yield (
        "tokens/s",
        f"{result.tokens_per_second:,.6g}: {result.tokens:,} new {plural(result.tokens, 'token')} over the time",
    )
    if first is not None:
        yield "first token", f"{1e3 * first:.6g} ms: to the end of the first step that gives one"
    if later is not None:
        yield "next tokens", f"{1e3 * later:.6g} ms each, mean of the steps after that one"
    if energy is not None:
        yield "energy", f"{float(energy / 10**9):.4g} mJ a new token"


def _phases(result: GenerationResult) -> Iterator[object]:
    mj = Millijoules(result.energy().total_pj)
    steps = result.by_phase
    rows = [_phase(name, of, result, mj) for name, of in list(steps.items())[:PHASES]]
    columns = (
        "phase",
        "steps",
        "ticks, first",
        "ticks, last",
        "ticks, all",
        "share",
        "core_busy",
        "waits mostly for",
        "mJ",
    )
    note = "A step begins when the one before has ended; each step's ticks are in --json."
    yield from section("Steps", plain(columns, rows, right=(1, 2, 3, 4, 5, 6, 8)), note)
    yield from _more(len(steps) - PHASES, "phase")


def _requests(result: GenerationResult) -> Iterator[object]:
    if not result.requests:
        return
    clock = result.arch.core.clock

    def milliseconds(ticks: int | Fraction | None) -> str:
        return "" if ticks is None else f"{float(1000 * ticks / clock):.6g}"

    rows = [
        (
            name,
            number(one.tokens),
            *map(milliseconds, (one.start, one.to_first_token, one.per_output_token, one.end)),
        )
        for name, one in list(result.requests.items())[:REQUESTS]
    ]
    columns = ("request, in ms", "new tokens", "begins at", "to first token", "per next token", "ends at")
    note = "A request begins with the first step that it is in."
    if any(not one.tokens for one in result.requests.values()):
        note += " One without a new token has not read all of its prompt."
    yield from section("Requests", plain(columns, rows, right=range(1, len(columns))), note)
    yield from _more(len(result.requests) - REQUESTS, "request")


def _more(left: int, what: str) -> Iterator[object]:
    """How many rows of a table are left out, if any."""
    if left > 0:
        yield Padding(Text(f"and {left} more {plural(left, what)}, see --json"), (0, 0, 0, 1))


def _phase(name: str, steps: Sequence[StepRun], result: GenerationResult, mj: Millijoules) -> tuple[str, ...]:
    tally = result.phases[name]
    sizes = (len(steps), steps[0].ticks, steps[-1].ticks, tally.ticks)
    waits = {cause: ticks for cause, ticks in tally.causes.items() if cause != Cause.COMPUTE}
    return (
        name,
        *(number(size) for size in sizes),
        percent(tally.ticks / result.ticks),
        percent(tally.utilization(result.arch)["core_busy"]),
        max(waits, key=lambda cause: waits[cause], default=""),
        mj.text(result.energy(name).total_pj),
    )


def content(generation: Generation) -> Iterator[object]:
    """What `lsim trace show` says of a generation."""
    yield heading(generation.name, generation.description)
    operators, steps = generation.operators, len(generation.steps)
    yield (
        f"{generation.total_macs:,} MACs in {operators:,} {plural(operators, 'operator')} of {steps:,} {plural(steps, 'step')}, "
        f"{generation.parameters:,} parameters"
    )
    if generation.masked.words:
        yield generation.masked.words
    columns = ("phase", "steps", "tokens each", "operators each", "MACs, first step", "MACs, all steps")
    rows = [
        (
            phase["phase"],
            *(number(phase[name]) for name in ("steps", "tokens", "operators", "first_macs", "macs")),
        )
        for phase in generation.phases()
    ]
    yield from section("Phases", plain(columns, rows, right=range(1, len(columns))))
    document = generation.document
    for title, lines in (("Conventions", document.conventions), ("Sources", document.sources)):
        if lines:
            yield ""
            yield heading(title, *(f"- {line}" for line in lines))
