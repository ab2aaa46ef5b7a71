"""Are positions of a program found in a folded log where they are in the log written out?"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from eager import eager_folding
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import attention, machine
from strategies import Machine, machines, runs, traces
from unfold import records

from lsim import Result, simulate
from lsim.errors import InputError
from lsim.results.cumulative import cumulative
from lsim.results.positions import Occurrences, counted_before, reached
from lsim.trace import Trace

RUNS = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
DEPS = st.sampled_from(["barrier", "chunked"])


def agrees(result: Result) -> None:
    """For each position that a part comes to: the tick of the first record with as many items done, and what came before it."""
    log = result.log
    table = np.array([[1, label.kind] for label in log.labels], dtype=np.int64)
    for part, name in enumerate(log.parts):
        if name.removesuffix(".land") not in result.plan.ends:
            continue  # an acknowledging process may move without a record
        known = records(result, part)
        at = [position for *_, position in known]
        assert at == sorted(at)
        positions = sorted(set(at))
        first = [bisect_left(at, position) for position in positions]
        counted = np.cumsum([[0, 0], *(table[code] for _, code, _ in known)], axis=0)
        wanted = np.array(positions, dtype=np.int64)
        assert reached(log, part, wanted).tolist() == [known[i][0] for i in first], name
        assert (counted_before(log, part, wanted, table) == counted[first]).all(), name


@RUNS
@given(traces(layers=5), machines(groups=("1", "2")), DEPS)
def test_are_positions_found_in_folds_of_folds(work: Trace, machine: Machine, deps: str) -> None:
    with eager_folding():
        try:
            result = simulate(work, machine.arch, deps=deps)
        except InputError:
            assume(False)
            raise
    agrees(result)


def test_are_positions_found_in_a_run_that_folds() -> None:
    with eager_folding():
        result = simulate(attention(tokens=24, heads=1, blocks=8), machine())
    log = result.log
    assert any(((fold.first <= log.fold_rows) & (log.fold_rows < fold.last)).any() for fold in log.folds)
    agrees(result)


@RUNS
@given(runs(), st.data())
def test_are_the_records_of_some_parts_up_to_a_tick_counted(result: Result, data: st.DataObject) -> None:
    log = result.log
    parts = data.draw(st.sets(st.sampled_from(range(len(log.parts)))))
    ticks = data.draw(st.lists(st.integers(0, log.end), min_size=1))
    counted = Occurrences(log, np.flatnonzero(np.isin(log.entries[:, 1], list(parts))))
    happened = [tick for part in parts for tick, _, _ in records(result, part)]
    assert cumulative(log, np.array(ticks), counted)[:, 0].tolist() == [
        sum(tick <= until for tick in happened) for until in ticks
    ]
