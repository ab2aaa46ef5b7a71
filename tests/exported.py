"""What the rows of a window must be: from a run that was simulated without folding, record after record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import strategies as st
from strategies import Machine, machines, traces
from unfold import records

from lsim import Result, simulate
from lsim.errors import InputError
from lsim.export.rows import Row, Window
from lsim.kernel.labels import Kind
from lsim.plan.places import item_at
from lsim.trace import Trace


class Case(NamedTuple):
    """A window of a folded run, and the same run not folded."""

    window: Window
    unfolded: Result

    @property
    def names(self) -> list[str]:
        return [self.window.result.log.parts[part] for part in self.window.parts]

    def rows(self, name: str) -> list[Row]:
        """Every interval of a part, in the order of time."""
        return list(rows(self.unfolded, name, self.window.begin, self.window.end))


@st.composite
def cases(draw: st.DrawFn, layers: int = 4) -> Case | None:
    """A window of a random run; None for a machine that cannot hold the trace."""
    machine: Machine = draw(machines(groups=("1", "2")))
    trace: Trace = draw(traces(layers=layers))
    options = {
        "mapping": draw(st.sampled_from(["lockstep", "head-parallel"])),
        "deps": draw(st.sampled_from(["barrier", "chunked"])),
        "step": draw(st.sampled_from(["block", "block", "shot"])),
    }
    try:
        folded, unfolded = (simulate(trace, machine.arch, fold=fold, **options) for fold in (True, False))
    except InputError:
        return None
    if not folded.ticks:
        return None
    begin = draw(st.integers(0, folded.ticks - 1))
    end = draw(st.integers(begin + 1, folded.ticks))
    names = draw(st.lists(st.sampled_from(folded.log.parts), unique=True, max_size=4))
    return Case(Window.of(folded, begin, end, names), unfolded)


def rows(result: Result, name: str, begin: int, end: int) -> Iterator[Row]:
    """The intervals of a part in [begin, end), cut off at its edges."""
    log, part = result.log, result.log.parts.index(name)
    states = [(0, log.initial[part], 0), *records(result, part)]
    ends = [tick for tick, _, _ in states[1:]] + [result.ticks]
    for (start, code, position), stop in zip(states, ends, strict=True):
        a, b = max(start, begin), min(stop, end)
        if a < b:
            label = log.labels[code]
            operator, block = work(result, name, position) if label.kind is not Kind.IDLE else (None, None)
            waits_for = None if label.target is None else log.parts[label.target]
            cause = None if label.cause is None else label.cause.value
            yield Row(name, a, b, b - a, label.kind.name.lower(), cause, waits_for, operator, block)


def work(result: Result, name: str, position: int) -> tuple[str | None, int | None]:
    """The operator that a program is at, and how many items of it are done: unit after unit from the first.

    Where the row passes of two operators take turns, which of them it is is tested with the places of blocks.
    """
    before = 0
    for u, (unit, end) in enumerate(zip(result.plan.units, ends(result, name), strict=False)):
        if position < end:
            item = item_at(result.plan, name, position) if u in result.plan.turns else None
            return item.operator if item else unit.operators[-1].name, position - before
        before = end
    return None, None


def ends(result: Result, name: str) -> list[int]:
    """Items of its program that a part has done at the end of each unit."""
    for suffix in (".land", ".ack"):
        name = name.removesuffix(suffix)
    return list(result.plan.ends.get(name, []))
