"""Are all ticks of a run put down to an operator and a row, each to the one that a look at every single tick says?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import unfold
from hypothesis import given, settings
from hypothesis import strategies as st
from small import attention, machine, trace, vector
from strategies import runs

from lsim import Result, simulate
from lsim.errors import LawBroken
from lsim.kernel.labels import Cause
from lsim.kernel.labels import Kind as State
from lsim.ledger import attribution
from lsim.ledger.attribution import attribute
from lsim.ledger.blocks import DIVIDED, divided_before
from lsim.parts.readout import Pattern
from lsim.results.cumulative import Measure, cumulative
from lsim.results.folded import FoldedLog, Ints
from lsim.trace import Kind


class Straight:
    """The same from the unfolded run: at each tick the speaker is asked for whom it waits, one part after another."""

    def __init__(self, result: Result) -> None:
        self.result, self.plan, self.log = result, result.plan, result.log
        parts = self.log.parts
        self.cores = [parts.index(group.part("core")) for group in self.plan.groups]
        self.codes = unfold.codes(result)
        self.begins, self.units = zip(*(self._course(part) for part in range(len(parts))), strict=True)

    def _course(self, part: int) -> tuple[list[int], list[int]]:
        """At each tick: when the part's state began, and the unit that it is at; −1 if it has no program."""
        ends = self.plan.ends.get(self.log.parts[part].removesuffix(".land").removesuffix(".ack"))
        changes = [(0, 0, 0), *unfold.records(self.result, part), (self.log.end, 0, 0)]
        begins, units = [], []
        for (tick, _, position), (later, *_) in pairwise(changes):
            unit = -1 if ends is None else sum(end <= position for end in ends)
            begins += [tick] * (later - tick)
            units += [unit] * (later - tick)
        return begins, units

    def totals(self) -> dict[str, Counter[str]]:
        sums: dict[str, Counter[str]] = {}
        for tick in range(self.log.end):
            unit, row = self.at(tick)
            first, second = self.plan.turns.get(unit, (unit, unit))
            names = [self.plan.units[u].operators[-1].name for u in dict.fromkeys((first, second))]
            sums.setdefault(" + ".join(names), Counter())[row] += 1
        return sums

    def at(self, tick: int) -> tuple[int, str]:
        labels = self.log.labels
        said = [(self.cores[i], labels[self.codes[self.cores[i], tick]]) for i in range(len(self.cores))]
        working = [(part, label) for part, label in said if label.cause is not Cause.DONE]
        in_order = sorted(working, key=lambda s: s[1].kind)  # stable: busy, waiting, idle, each by rank
        speaker = in_order[0][0] if in_order else self.log.parts.index("retire")
        last, here = speaker, speaker
        while (label := labels[self.codes[here, tick]]).kind is not State.BUSY and label.target is not None:
            here = label.target
            last = here if self.units[here][tick] >= 0 else last
        cause = str(label.cause)
        if label.pattern and label.pattern[0]:
            cause = label.pattern[0].cause_at(tick - self.begins[here][tick])
        unit = self.units[last][tick]
        stall = bool(in_order) and self._same(unit, self.units[speaker][tick])
        return unit, cause if stall or cause == "dispatch" else f"serial.{cause}"

    def _same(self, one: int, other: int) -> bool:
        return one == other or self.plan.turns.get(one, (one,)) == self.plan.turns.get(other, (other,))


def found(result: Result) -> dict[str, dict[str, int]]:
    return {entry.account.name: dict(entry.rows) for entry in attribute(result).entries if entry.rows}


@settings(max_examples=30)
@given(runs())
def test_does_each_tick_go_where_a_look_at_it_says(result: Result) -> None:
    assert found(result) == Straight(result).totals()


@pytest.mark.parametrize("step", ["block", "shot"])
@pytest.mark.parametrize("deps", ["barrier", "chunked"])
@pytest.mark.parametrize("groups", ["1", "2"])
def test_is_it_so_where_groups_contend_and_passes_take_turns(groups: str, deps: str, step: str) -> None:
    """Blocks of which only some ticks are spoken, and pairs of GEMMs: both occur here."""
    arch = machine(
        broadcast__groups=groups, global_sram__capacity="64 KiB", controller__lag="1", encoder__sample_rate="500 MHz"
    )  # fmt: skip
    work = attention(tokens=14, heads=3, blocks=2)
    result = simulate(work, arch, mapping="head-parallel", deps=deps, step=step)
    assert found(result) == Straight(result).totals()
    assert any(" + " in name for name in found(result)) == (deps == "chunked" and groups == "1")


@settings(max_examples=15)
@given(runs())
def test_is_work_what_the_lanes_were_busy_for(result: Result) -> None:
    entries = attribute(result).entries
    assert sum(entry.work for entry in entries) == result.parts()["dpu.lanes"].busy
    assert all(entry.rows.get("serial.dpu", 0) <= entry.work for entry in entries)


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9))
def test_do_the_ticks_of_a_block_divide_as_its_pattern_says(
    steps: int, feed: int, integrate: int, conversion: int, carry: int
) -> None:
    pattern = Pattern(steps, feed, integrate, conversion, carry)
    causes = [pattern.cause_at(tick) for tick in range(pattern.ticks)]
    numbers = np.array([[steps], [feed], [integrate], [conversion], [carry]])
    for tick in range(pattern.ticks + 1):
        expected = [causes[:tick].count(cause) for cause in DIVIDED]
        assert divided_before(numbers, np.array([tick])).tolist() == [expected]


def test_is_a_tick_that_is_lost_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def less(log: FoldedLog, ticks: Ints, measure: Measure) -> Ints:
        return np.maximum(cumulative(log, ticks, measure) - 1, 0)

    result = simulate(attention(), machine())
    monkeypatch.setattr(attribution, "cumulative", less)
    with pytest.raises(LawBroken, match=r"ledger, tick \d+: \d+ ticks are put down to operators"):
        attribute(result)


def test_do_ticks_after_the_last_gemm_go_to_what_the_run_still_waits_for() -> None:
    """A norm at the end: nobody's cores wait for it, and the run does; so does a run without any GEMM."""
    for result in (
        simulate(attention(), machine()),
        simulate(trace(vector(Kind.NORM, ["x"], "y", 8, 8)), machine()),
    ):
        last = attribute(result).entries[-1]
        assert 0 < last.rows["serial.dpu"] <= last.work
        assert last.ticks >= result.operators[-1].end - result.operators[-1].start
