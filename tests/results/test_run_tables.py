"""What do reports of runs and of generations say above their tables?"""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

import pytest
from attrs import evolve
from generations import COARSE, generation
from rich.console import Console
from small import attention, machine, trace, vector

from lsim import simulate, simulate_generation
from lsim.results import generation_tables, run_tables
from lsim.results.tables import not_known
from lsim.trace import Kind, Trace
from lsim.trace.ir import UNKNOWN


def printed(blocks: Iterable[object]) -> list[str]:
    """The lines of a report, one space between words."""
    file = StringIO()
    console = Console(file=file, width=300)
    for block in blocks:
        console.print(block)
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(("ideal", "said"), [((), "none"), (("hbm", "adc"), "adc, hbm")])
def test_is_it_told_what_was_run_how_long_it_took_and_how(ideal: tuple[str, ...], said: str) -> None:
    arch = machine(ideal, **COARSE)
    run = simulate(attention(), arch, mapping="lockstep")
    steps = simulate_generation(generation("llama", 4, 2), arch, mapping="lockstep")
    for result, tables in ((run, run_tables), (steps, generation_tables)):
        lines = printed(tables.report(result))
        assert lines[0].endswith(f" on {arch.name}")
        assert f"time {1e3 * result.seconds:.6g} ms = {result.ticks:,} ticks" in lines
        assert "1 tick = 1 ns, a cycle of the photonic clock of 1 GHz" in lines
        assert f"policies mapping lockstep, dependencies barrier, ideal: {said}" in lines
        (work,) = (line for line in lines if line.startswith("work "))
        assert work.startswith(f"work {result.macs:,} MACs")
        (simulation,) = (line for line in lines if line.startswith("simulation "))
        assert f"{result.cpu_s:.2f} CPU s" in simulation


@pytest.mark.parametrize(
    ("count", "more"),
    [(1, ""), (4, ", op3 (Odd)"), (5, ", op3 (Odd) and 1 more"), (9, ", op3 (Odd) and 5 more")],
)
def test_are_four_operators_named_that_were_not_known_and_the_others_counted(count: int, more: str) -> None:
    told = not_known(opaque(count))
    assert told.startswith("op0 (Odd)")
    assert told.endswith(f"{more}: only bytes moved, no arithmetic")
    assert told.count("(Odd)") == min(count, 4)
    (line,) = (
        line
        for line in printed(run_tables.report(simulate(opaque(count), machine())))
        if "(Odd)" in line and "not known" in line
    )
    assert line == f"not known {told}"


def opaque(count: int) -> Trace:
    """Operators one after the other that nobody knows."""
    one = [vector(Kind.OPAQUE, [f"x{i}"], f"x{i + 1}", 4, 4) for i in range(count)]
    return trace(*(evolve(o, name=f"op{i}", label=f"{UNKNOWN}Odd") for i, o in enumerate(one)))
