"""Does power over time come to the energy of the run, and lie where the log says that it was spent?"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from eager import eager_folding
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import linear, machine, trace, vector
from strategies import Machine, machines, traces
from unfold import records

from lsim import Result, load_arch, load_trace, simulate
from lsim.arch import IDEALS
from lsim.errors import InputError
from lsim.trace import Kind, Trace

RUNS = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
MOST = 5_000  # ticks that are looked at one by one


def ran(work: Trace, machine: Machine) -> Result:
    try:
        with eager_folding():
            result = simulate(work, machine.arch)
    except InputError:
        assume(False)
        raise
    assume(0 < result.ticks <= MOST)
    return result


def by_tick(result: Result) -> list[Fraction]:
    """Dynamic energy of each tick: of each record written out, spread over the ticks to the part's next; what takes none
    is spent at its tick, the last of the run if it is at its end."""
    spent = [Fraction(0)] * result.ticks
    prices = {name: sum(pj for _, pj in price) for name, price in result.energy().prices.of.items()}
    for part in range(len(result.log.parts)):
        own = records(result, part)
        for (tick, code, _), (end, *_) in pairwise([*own, (result.ticks, 0, 0)]):
            pj = sum((n * prices.get(name, 0) for name, n in result.log.labels[code].amounts), Fraction(0))
            ticks = range(tick, end) or [min(tick, result.ticks - 1)]
            for t in ticks if pj else ():
                spent[t] += pj / len(ticks)
    return spent


@RUNS
@given(traces(), machines(groups=("1", "2")), st.data())
def test_is_the_power_of_each_bin_that_of_its_ticks(
    work: Trace, machine: Machine, data: st.DataObject
) -> None:
    result = ran(work, machine)
    begin = data.draw(st.integers(0, result.ticks - 1))
    end = data.draw(st.integers(begin + 1, result.ticks))
    series = result.power(data.draw(st.integers(1, 12)), begin, end)
    spent, static = by_tick(result), result.energy().prices.static_pj
    for i, (a, b) in enumerate(pairwise(series.cuts.tolist())):
        told = sum((bins[i] for bins in series.energy.values()), Fraction(0))
        assert told == sum(spent[a:b], static * (b - a)), (a, b)


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), st.integers(1, 50))
def test_do_bins_add_up_to_the_components(work: Trace, machine: Machine, bins: int) -> None:
    result = ran(work, machine)
    told = {name: sum(energies) for name, energies in result.power(bins).energy.items()}
    assert told == {name: share.total for name, share in result.energy().components.items()}


def test_do_the_bins_of_a_long_folded_run_add_up() -> None:
    result = simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))
    series = result.power(300)
    assert len(result.log.folds) > 5
    for name, share in result.energy().components.items():
        assert sum(series.energy[name]) == share.total
    seconds = np.diff(series.cuts) / result.arch.core.clock
    integral = sum((power * seconds).sum() for power in series.milliwatts.values())
    assert integral == pytest.approx(float(result.energy().total_pj) / 1e9, rel=1e-12)


def test_is_the_power_of_a_tick_of_a_block_its_share_of_the_block() -> None:
    """4 · 6 · 2: a block of 3 shots on 2 tiles of 1 core. While it runs photodetectors draw 8 · 3 · 2.2 pJ over 3 ticks of 1 ns."""
    result = simulate(linear(4, 6, 2), machine())
    series = result.power(result.ticks)
    drawn = Counter(series.milliwatts["photodetector"].tolist())
    assert sorted(drawn.values()) == [3, result.ticks - 3]
    assert max(drawn) == pytest.approx(8 * 2.2) and min(drawn) == 0
    laser = series.milliwatts["laser"]
    assert (laser == laser[0]).all() and laser[0] == pytest.approx(
        2 * float(result.energy().prices.power.laser)
    )


def test_is_what_takes_no_time_spent_where_it_happens() -> None:
    """HBM, SRAM and DPU take no time, only issuing does: the energy of the operators is spent as they are issued."""
    work = trace(vector(Kind.NORM, ["x"], "a", 6, 8), vector(Kind.NORM, ["a"], "o", 6, 8))
    result = simulate(work, machine(IDEALS.keys() - {"dispatch"}))
    assert result.ticks == 8  # two issues of 4 ticks
    dpu = result.power(8).energy["dpu"]
    assert dpu == (0, 0, 0, 0, 48 * Fraction("0.5"), 0, 0, 48 * Fraction("0.5"))


@pytest.mark.parametrize(
    ("bins", "begin", "end", "said"), [(0, 0, None, "0 bins"), (3, 5, 5, "no tick"), (3, 0, 10**9, "not in")]
)
def test_is_power_that_cannot_be_told_refused(bins: int, begin: int, end: int | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        simulate(linear(4, 2, 2), machine()).power(bins, begin, end)
