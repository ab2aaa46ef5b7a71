"""Are the sums over the folded log those of the run written out, tick by tick and record by record?"""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import attention, linear, machine
from strategies import Machine, machines, traces
from unfold import records

from lsim import Result, simulate
from lsim.errors import InputError, LawBroken
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.log import CUT, FOLD, Fold
from lsim.results.folded import FoldedLog
from lsim.results.positions import reached
from lsim.results.statistics import Statistics
from lsim.trace import Trace

RUNS = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
OPTIONS = st.fixed_dictionaries(
    {
        "mapping": st.sampled_from([None, "lockstep", "head-parallel", "m1-stationary"]),
        "deps": st.sampled_from(["barrier", "chunked"]),
        "step": st.sampled_from(["block", "shot"]),
    }
)


def ran(work: Trace, machine: Machine, options: dict[str, str]) -> Result:
    try:
        return simulate(work, machine.arch, **options)  # type: ignore[arg-type]
    except InputError:
        assume(False)
        raise


def spans(result: Result) -> list[list[tuple[int, int, Label]]]:
    """Of each part, (start, end, state), states of no length left out."""
    t = result.log
    found = []
    for part in range(len(t.parts)):
        changes = [(0, t.initial[part]), *((tick, code) for tick, code, _ in records(result, part))]
        ends = [tick for tick, _ in changes[1:]] + [t.end]
        found.append(
            [
                (start, end, t.labels[code])
                for (start, code), end in zip(changes, ends, strict=True)
                if start < end
            ]
        )
    return found


def root_cause(states: list[Label], part: int) -> Cause | None:
    """Whom a part waits for, whom that one waits for, …: what the last of them is doing."""
    seen = [part]
    while states[part].kind is not Kind.BUSY and states[part].target is not None:
        part = states[part].target  # type: ignore[assignment]
        assert part not in seen
        seen.append(part)
    if len(seen) > 1 and states[part].pattern is not None and states[part].cause is not Cause.RELOAD:
        return Cause.COMPUTE
    return states[part].cause


def by_tick(result: Result) -> list[tuple[int, list[Label]]]:
    """(ticks, state of every part) of each stretch in which nothing changes."""
    found = spans(result)
    cuts = sorted({start for own in found for start, _, _ in own} | {result.ticks})
    at = [0] * len(found)
    stretches = []
    for begin, end in itertools.pairwise(cuts):
        for part, own in enumerate(found):
            while own[at[part]][1] <= begin:
                at[part] += 1
        stretches.append((end - begin, [own[at[part]][2] for part, own in enumerate(found)]))
    return stretches


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), OPTIONS)
def test_is_a_part_s_time_that_of_its_states(work: Trace, machine: Machine, options: dict[str, str]) -> None:
    result = ran(work, machine, options)
    stretches = by_tick(result)
    for part, (name, time) in enumerate(result.parts().items()):
        kinds: Counter[Kind] = Counter()
        waiting: Counter[str] = Counter()
        for ticks, states in stretches:
            kinds[states[part].kind] += ticks
            if states[part].kind is Kind.WAIT:
                waiting[str(root_cause(states, part))] += ticks
        assert (time.busy, time.idle) == (kinds[Kind.BUSY], kinds[Kind.IDLE]), name
        assert dict(time.waiting) == waiting, name
        assert time.total == result.ticks


@RUNS
@given(traces(layers=2), machines(groups=("1", "2", "4")), OPTIONS)
def test_is_a_tile_s_time_that_of_its_core(work: Trace, machine: Machine, options: dict[str, str]) -> None:
    is_that_of_its_core(ran(work, machine, options))


@pytest.mark.parametrize("heads", [1, 2, 3])
@pytest.mark.parametrize(
    "settings",
    [{}, {"m1_sram__port": "1 B", "broadcast__groups": "4"}, {"core__rows": "3", "readout__integrate": "1"}],
)
def test_is_a_tile_s_time_that_of_the_busiest_of_its_cores(heads: int, settings: dict[str, str]) -> None:
    """While all tiles still work on the values, groups of them wait for the queries and keys that are there."""
    arch = machine(**{"core__tiles": "4", "broadcast__groups": "2", **settings})
    is_that_of_its_core(
        simulate(attention(tokens=7, heads=heads, size=3, blocks=1), arch, mapping="head-parallel")
    )


def is_that_of_its_core(result: Result) -> None:
    """The busiest core that a tile belongs to speaks for it: shooting, else waiting, else idle, else done."""
    t = result.log
    stretches, own = by_tick(result), spans(result)
    for number, (name, told) in enumerate(result.tiles().items()):
        mine = [
            (t.parts.index(group.part("core")), number - group.tiles.start)
            for group in result.plan.groups
            if number in group.tiles
        ]
        causes: Counter[str] = Counter()
        for ticks, states in stretches:
            order = sorted(mine, key=lambda m: (states[m[0]].cause is Cause.DONE, states[m[0]].kind))
            part, place = order[0]
            label = states[part]
            if label.pattern is None:
                causes[str(root_cause(states, part))] += ticks
            elif place >= label.pattern[1]:
                causes["edge"] += ticks
            elif label.pattern[0] is None:
                causes[str(label.cause)] += ticks
        for part, place in mine:
            for start, end, label in own[part]:
                if label.pattern is not None and label.pattern[0] is not None and place < label.pattern[1]:
                    pieces = list(label.pattern[0].intervals())
                    assert sum(ticks for _, ticks in pieces) == end - start
                    for cause, ticks in pieces:
                        causes[cause.value] += ticks
        assert told == {cause: ticks for cause, ticks in causes.items() if ticks}, name
        assert sum(told.values()) == result.ticks


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), OPTIONS)
def test_are_counts_and_amounts_those_of_the_records(
    work: Trace, machine: Machine, options: dict[str, str]
) -> None:
    result = ran(work, machine, options)
    t, counts, amounts = result.log, Counter[int](), Counter[str]()
    for part in range(len(t.parts)):
        for _, code, _ in records(result, part):
            counts[code] += 1
            for name, quantity in t.labels[code].amounts:
                amounts[name] += quantity
    assert {code: int(n) for code, n in enumerate(result.statistics.counts) if n} == counts
    assert result.statistics.amounts == {
        name: n for name, n in amounts.items() if n or name in result.statistics.amounts
    }


def when(log: FoldedLog, part: int, *positions: int) -> list[int]:
    ticks: list[int] = reached(log, part, np.array(positions)).tolist()
    return ticks


@RUNS
@given(traces(layers=4), machines(groups=("1", "2", "4")), OPTIONS)
def test_is_when_the_first_record_so_far(work: Trace, machine: Machine, options: dict[str, str]) -> None:
    """For each position of each part's program, the tick of the first record with as many items done."""
    result = ran(work, machine, options)
    for part, name in enumerate(result.log.parts):
        if not hasattr(result.plan.programs.get(name), "size"):
            continue
        known = records(result, part)
        for position in {p for _, _, p in known} | {p + 1 for _, _, p in known[:-1]}:
            first = min((tick for tick, _, p in known if p >= position), default=None)
            if first is not None:
                assert when(result.log, part, position) == [first], (name, position)


# -- a log made by hand ------------------------------------------------------------------------------------------------
BUSY, IDLE = Label(Kind.BUSY, Cause.DPU, amounts=(("pieces", 1),)), Label(Kind.IDLE, Cause.DONE)


def by_hand(entries: list[tuple[int, int, int, int]], folds: tuple[Fold, ...], end: int) -> FoldedLog:
    return FoldedLog(np.array(entries, dtype=np.int64), folds, ("a",), (IDLE, BUSY), (0,), end)


def test_is_a_fold_within_a_fold_counted_as_often_as_it_happened() -> None:
    """Busy 2 ticks, idle 1: an item. Three more of them (inner), then idle 2; all that twice more (outer).

    An inner round is 3 ticks: [0, 12), idle to 14. The outer period is 14 ticks and 4 items: [0, 42), 12 items.
    """
    inner = Fold(first=0, last=3, count=3, period=3, shift=3, steps=(1,), offsets=(1,))
    outer = Fold(first=0, last=6, count=2, period=14, shift=14, steps=(4,), offsets=(4,))
    entries = [
        (0, CUT, 0, 0), (0, 0, 1, 0), (2, 0, 0, 1),
        (3, FOLD, 0, 0), (12, CUT, 0, 0), (12, 0, 0, 4),
        (14, FOLD, 1, 0), (42, CUT, 0, 0), (42, 0, 0, 12),
    ]  # fmt: skip
    t = by_hand(entries, (inner, outer), 42)
    s = Statistics(t)
    assert s.amounts == {"pieces": 12}
    assert (s.parts["a"].busy, s.parts["a"].idle) == (24, 18)
    assert s.ticks_by_code(0).tolist() == [18, 24]
    done = [14 * outer_ + 3 * inner_ + 2 for outer_ in range(3) for inner_ in range(4)]
    assert when(t, 0, *range(1, 13)) == done


def test_is_a_stretch_repeated_long_after_it_was_written() -> None:
    """Busy 2, idle 1, once; then idle to 10; then the first three ticks twice more: [10, 16)."""
    again = Fold(first=0, last=3, count=2, period=3, shift=10, steps=(1,), offsets=(1,))
    entries = [(0, CUT, 0, 0), (0, 0, 1, 0), (2, 0, 0, 1), (3, CUT, 0, 0), (10, FOLD, 0, 0), (16, CUT, 0, 0)]
    t = by_hand(entries, (again,), 16)
    s = Statistics(t)
    assert s.amounts == {"pieces": 3}
    assert (s.parts["a"].busy, s.parts["a"].idle) == (6, 10)
    assert when(t, 0, 1, 2, 3) == [2, 12, 15]


def test_are_parts_that_wait_for_each_other_an_error() -> None:
    waits = [Label(Kind.WAIT, target=1), Label(Kind.WAIT, target=0)]
    t = FoldedLog(np.array([(5, 0, 0, 0)], dtype=np.int64), (), ("a", "b"), tuple(waits), (0, 1), 9)
    with pytest.raises(LawBroken, match="wait for each other"):
        _ = Statistics(t).parts


# -- what a result tells -----------------------------------------------------------------------------------------------
def test_are_utilizations_what_they_are_called() -> None:
    """8 · 8 · 7: R = 4 and Nv = 2 make 2 passes of 4 blocks, the last of one column, of 4 steps. 2 tiles of 1 core."""
    result = simulate(linear(8, 8, 7), machine())
    shots, t = 2 * 4 * 4, result.ticks
    used = result.utilization()
    assert used["core_busy"] == pytest.approx(2 * shots / (2 * t))
    assert used["occupied"] == pytest.approx(
        8 * 7 * 4 / (2 * 2 * 2 * t)
    )  # rows × columns × steps, over engines
    assert used["useful_macs"] == pytest.approx(8 * 8 * 7 / (2 * 2 * 2 * 2 * t))
    assert used["useful_macs"] <= used["occupied"] <= used["core_busy"] <= 1


def test_do_operators_come_one_after_another_under_barriers() -> None:
    result = simulate(attention(blocks=3), machine())
    made = {
        tensor: o
        for o, run in zip(result.trace.operators, result.operators, strict=True)
        for tensor in o.outputs
    }
    ends = {run.name: run.end for run in result.operators}
    for operator, run in zip(result.trace.operators, result.operators, strict=True):
        assert 0 <= run.start < run.end <= result.ticks
        inputs = [ends[made[t].name] for t in operator.reads if t in made]
        assert run.start >= max(inputs, default=0)
    assert max(ends.values()) == result.ticks


def test_do_bytes_in_come_out_and_hbm_has_what_the_trace_says() -> None:
    """Weights 8 · 8 · 4, input 8 · 8, once each at 8 bits; keys, values and the last norm out."""
    result = simulate(attention(tokens=8, heads=2, size=4), machine())
    moved = result.bytes()
    for buffer in ("m1_sram", "m2_sram", "act_sram", "dpu_in", "dpu_out"):
        assert moved[buffer]["in"] == moved[buffer]["out"] > 0
    # x is read by three projections and the residual; k and v are resident.
    assert moved["hbm"] == {"out": 4 * 64 + 4 * 64, "in": 3 * 64}


def test_is_a_result_json() -> None:
    import json

    told = simulate(linear(8, 8, 8), machine()).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["macs"] == 512
