"""The numbers that a run comes down to."""

from __future__ import annotations

from lsim.arch import Arch
from lsim.report.blocks import Card, Cards, Number, Prose, Run, Section, count, share
from lsim.report.definitions import meaning
from lsim.results.tables import not_known
from lsim.trace.positions import told_beyond
from lsim.units import ticks_as_time


def headline(run: Run) -> Section:
    result = run.result
    clock = result.arch.core.clock
    tick = f"1 tick = {ticks_as_time(1, clock)}, a cycle of the photonic clock"
    rate = result.macs / result.seconds / 1e12 if result.ticks else 0.0
    peak = result.arch.peak_macs_per_tick * clock / 1e12
    cards = [
        Card("time", Number(result.seconds, ticks_as_time(result.ticks, clock), "seconds"), "", meaning("seconds")),
        Card("ticks", count(result.ticks, "ticks"), tick, meaning("ticks")),
        Card("work", count(result.macs, "macs"), f"MACs in {len(result.trace.operators):,} operators", meaning("macs")),
        Card("rate", Number(rate, f"{rate:,.4g} TMAC/s"), f"of a peak of {peak:,.4g} TMAC/s", meaning("macs_a_second")),
    ]  # fmt: skip
    cards += [
        Card(name, share(value, f"utilization.{name}"), "utilization", meaning(name))
        for name, value in result.utilization().items()
    ]
    said = [Prose(_about(run))]
    if result.trace.unknown:
        said.append(Prose(f"Operators of this trace that were not known: {not_known(result.trace)}."))
    said += [Prose(f"{line}.") for _, line in told_beyond(result.trace.conventions)]
    return Section("headline", "In short", [*said, Cards(cards)])


def _about(run: Run) -> str:
    result, options = run.result, run.result.options
    ideal = ", ".join(options["ideal"]) or "none"
    masks = f"Masks: {result.masked.words}. " if result.masked.words else ""
    return (
        f"{result.trace.description}. {result.arch.description}. {_widths(result.arch)}Mapping {options['mapping']}, "
        f"dependencies {options['deps']}, idealised: {ideal}. {masks}Every number is of a simulated machine of which part is "
        "assumed (see Assumptions), and exact for that machine."
    )


def _widths(arch: Arch) -> str:
    return f"{arch.operands.told}. " if arch.operands.mixed else ""
