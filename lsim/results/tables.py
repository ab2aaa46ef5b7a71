"""What reports for people are made of, as renderables of rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lsim.results.meanings import CAUSES, UTILIZATION
from lsim.results.names import Name
from lsim.trace.ir import UNKNOWN, Role
from lsim.trace.zoo.step import CHUNK
from lsim.units import plural, ticks_as_time

if TYPE_CHECKING:
    from lsim.arch import Arch, Assumption
    from lsim.results.generation import GenerationResult
    from lsim.results.result import Result
    from lsim.results.statistics import PartTime
    from lsim.trace import Generation
    from lsim.trace.ir import Trace
    from lsim.trace.masks import Masked

Row = tuple[str, str]
"""A name and what it is."""

LEAST_BUSY = 0.005  # parts that are busy for less than this share are left out
WRAPPED = 16  # columns that text is given to wrap in, at least


# -- pieces --------------------------------------------------------------------------------------------------------
def heading(title: str, *lines: str) -> Text:
    """A title in bold and what stands under it."""
    text = Text(title, style="bold")
    for line in lines:
        text.append(f"\n{line}", style="not bold")
    return text


def plain(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> Table:
    """A table with a rule under its head. Columns are as wide as they must be, but the last, which wraps, or the first, of names, if the last
    are numbers, to the right: those are never cut, in a terminal of any width."""
    numeric = len(columns) - 1 in right
    padding = (0, 1, 0, 0) if numeric else (0, 1)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=padding, show_edge=False)
    wraps = 0 if numeric else len(columns) - 1
    lines = list(rows)
    for i, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if i in right else "left"
        widest = max(cell_len(line[i]) for line in (columns, *lines))
        if i == wraps and widest > WRAPPED:
            table.add_column(column, justify=justify, overflow="fold", min_width=WRAPPED)
        else:  # of a known width, for which rich need not measure every cell thrice
            table.add_column(column, justify=justify, overflow="fold", no_wrap=True, width=widest)
    for line in lines:
        table.add_row(*(Name(cell) if numeric and i == wraps else Text(cell) for i, cell in enumerate(line)))
    return table


def pairs(rows: Iterable[Row]) -> Table:
    """Names and what they are, without a head."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def section(title: str, table: Table, note: str = "") -> Iterator[object]:
    yield ""
    yield heading(title, *([note] if note else []))
    yield Padding(table, (0, 0, 0, 1))


def percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def number(value: float) -> str:
    return f"{round(value):,}"


# -- parts of reports ----------------------------------------------------------------------------------------------
def headline(
    result: Result | GenerationResult, of: Trace | Generation, work: Iterable[Row], simulation: str
) -> Iterator[object]:
    """What was run on what, how long it took, and under which policies; `work` is what was done, `simulation` what that cost."""
    arch = result.arch
    yield heading(f"{of.name} on {arch.name}", of.description, arch.description)
    yield ""
    time = ("time", f"{1e3 * result.seconds:.6g} ms = {number(result.ticks)} ticks")
    yield pairs([time, ("", tick_of(arch)), *work, policies(result.options), ("simulation", simulation)])


def policies(options: Mapping[str, Any]) -> Row:
    """The policies of a run, and what of its machine is ideal."""
    ideal = ", ".join(options["ideal"]) or "none"
    return "policies", f"mapping {options['mapping']}, dependencies {options['deps']}, ideal: {ideal}"


def masks(masked: Masked, conventions: Sequence[str]) -> Iterator[Row]:
    """What of the work causal attention needs nothing of; no line where nothing is causal."""
    more = "" if masked.queries else " (--skip-masked computes fewer)"
    told = [masked.words + more] if masked.words else []
    if set(CHUNK) <= set(conventions):
        told.append("chunks of prompts are dense over their cache, and what is masked of them is not counted")
    if told:
        yield "masks", "; ".join(told)


def widths_of(arch: Arch, trace: Trace | None = None) -> list[Row]:
    """How wide what is stored is: nothing to say where all is as wide as what converters resolve."""
    told, widths = arch.operands.told, arch.operands.widths
    if (
        trace
        and widths.kv != widths.activation
        and all(t.role is not Role.KV for t in trace.tensors.values())
    ):
        told += "; the trace has no KV cache"
    return [("widths", told)] if arch.operands.mixed else []


def not_known(trace: Trace) -> str:
    """What of a run's work is not counted, because nobody knew what it was."""
    names = [f"{o.name} ({o.label.removeprefix(UNKNOWN)})" for o in trace.unknown]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return f"{shown}: only bytes moved, no arithmetic"


def tick_of(arch: Arch) -> str:
    """How long a tick is."""
    from lsim.units import FREQUENCY, format_quantity

    clock = arch.core.clock
    tick, hertz = ticks_as_time(1, clock), format_quantity(clock, FREQUENCY)
    return f"1 tick = {tick}, a cycle of the photonic clock of {hertz}"


def utilization(told: Mapping[str, float]) -> Iterator[object]:
    """Shares by name, with what they mean."""
    rows = [(name, percent(share), UTILIZATION[name]) for name, share in told.items()]
    yield from section("Utilization", plain(("name", "share", "definition"), rows, right=(1,)))


def causes_of_tiles(sums: Mapping[str, int], ticks: int, tiles: int) -> Iterator[object]:
    """Where the ticks of so many tiles went: `sums` by root cause."""
    total = max(1, ticks * tiles)
    ranked = sorted((c for c in CAUSES if sums.get(c.value)), key=lambda c: -sums[c.value])
    rows = [
        (c.value, number(sums[c.value] / tiles), percent(sums[c.value] / total), CAUSES[c]) for c in ranked
    ]
    never = [c.value for c in CAUSES if not sums.get(c.value)]
    title = f"Where the ticks of a tile went, by root cause (mean of {tiles} {plural(tiles, 'tile')})"
    columns = ("cause", "ticks", "share", "what happens meanwhile")
    yield from section(title, plain(columns, rows, right=(1, 2)))
    if never:
        yield Padding(Text(f"No tick: {', '.join(never)}"), (0, 0, 0, 1))


def parts(told: Mapping[str, PartTime], ticks: int) -> Iterator[object]:
    """What the parts did in so many ticks."""
    total = max(1, ticks)
    rows, small = [], 0
    for name, part in told.items():
        if part.busy < LEAST_BUSY * total:
            small += 1
            continue
        shares = (percent(n / total) for n in (part.busy, sum(part.waiting.values()), part.idle))
        worst = sorted(part.waiting.items(), key=lambda wait: -wait[1])[:3]
        rows.append((name, *shares, ", ".join(f"{cause} {percent(n / total)}" for cause, n in worst)))
    columns = ("part", "busy", "waiting", "idle", "waits mostly for")
    note = "Busy: serves. Waiting: for another part, for work or for room, by root cause. Idle: until the controller issues work."
    yield from section("What the parts did", plain(columns, rows, right=(1, 2, 3)), note)
    if small:
        few = f"{plural(small, 'part')} that {'was' if small == 1 else 'were'} busy"
        yield Padding(Text(f"and {small} {few} for less than {percent(LEAST_BUSY)}"), (0, 0, 0, 1))


def memories(told: Mapping[str, Mapping[str, int]]) -> Iterator[object]:
    """Bytes into and out of each memory."""
    rows = [(name, number(ways["in"]), number(ways["out"])) for name, ways in told.items()]
    yield from section("Bytes", plain(("memory", "in", "out"), rows, right=(1, 2)))


def assumptions(arch: Arch) -> Iterator[object]:
    """What is assumed of a machine and of its devices."""
    where = f"Their sources, and those of the others: lsim arch show {arch.name}"
    yield from _assumed("Assumptions [A]", arch.assumptions, len(arch.describe()), where)
    devices = arch.describe_devices()
    yield from _assumed("Of the devices, for energies", arch.device_assumptions, len(devices), "")


def _assumed(title: str, assumed: Sequence[Assumption], of: int, note: str) -> Iterator[object]:
    parts = dict[str, list[str]]()
    for assumption in assumed:
        part, _, key = assumption.key.partition(".")
        changed = "*" if assumption.source.startswith("--set") else ""
        parts.setdefault(part, []).append(f"{key}{changed} = {assumption.value}")
    title = f"{title}: {len(assumed)} of {of} values are not published"
    if any(assumption.source.startswith("--set") for assumption in assumed):
        note = f"{note}. * by --set" if note else "* by --set"
    yield from section(title, pairs((part, ", ".join(values)) for part, values in parts.items()), note)
