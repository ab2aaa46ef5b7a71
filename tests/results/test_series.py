"""Are the ticks of bins and windows of a folded run those of its unfolded timeline?"""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import runs
from unfold import columns

from lsim import load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.results.result import Result

RUNS = settings(max_examples=20, suppress_health_check=list(HealthCheck))


@RUNS
@given(runs(), st.data())
def test_do_the_ticks_of_each_bin_add_up_to_those_of_the_unfolded_timeline(
    result: Result, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, result.ticks - 1))
    end = data.draw(st.integers(begin + 1, result.ticks))
    bins = data.draw(st.integers(1, 20))
    told = result.timeline.series_all(bins, begin, end)
    for name, happened in columns(result).items():
        series = told[name]
        starts, ends = series.pop("begin"), series.pop("end")
        assert starts[0] == begin and ends[-1] == end and (starts[1:] == ends[:-1]).all()
        for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
            ticks = {column: int(values[i]) for column, values in series.items() if values[i]}
            assert ticks == dict(zip(*np.unique(happened[a:b], return_counts=True), strict=True)), (
                name,
                a,
                b,
            )


@pytest.fixture(scope="module")
def bert() -> Result:
    return simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))


def test_is_a_bin_a_tick_when_there_are_as_many_as_ticks(bert: Result) -> None:
    middle = bert.ticks // 2
    series = bert.timeline.series("core", 500, middle, middle + 100)
    assert (series["end"] - series["begin"] == 1).all() and len(series["begin"]) == 100
    states = [bert.timeline.at(tick)["core"].state for tick in range(middle, middle + 100)]
    assert series["busy"].tolist() == [int(state == "busy") for state in states]


def test_is_the_series_of_a_part_that_of_all_parts(bert: Result) -> None:
    together = bert.timeline.series_all(64)
    for part in ("core", "hbm0", "dpu.lanes"):
        alone = bert.timeline.series(part, 64)
        assert all((alone[column] == together[part][column]).all() for column in alone)


def test_is_the_series_of_a_long_run_told_at_once(bert: Result) -> None:
    begin = process_time()
    series = bert.timeline.series_all(512)
    assert process_time() - begin < 2
    sums = {name: int(columns["busy"].sum()) for name, columns in series.items()}
    assert sums == {name: time.busy for name, time in bert.parts().items()}
    total = np.sum([c for key, c in series["core"].items() if key not in ("begin", "end")])
    assert total == bert.ticks


@pytest.mark.parametrize(
    ("part", "bins", "said"), [("cora", 5, "did you mean 'core'"), ("core", 0, "0 bins")]
)
def test_is_a_series_that_cannot_be_refused(bert: Result, part: str, bins: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        bert.timeline.series(part, bins)
