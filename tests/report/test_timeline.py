"""Is what a page holds of a timeline what the timeline says, and does it say how deep it goes?"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from pages import Page
from small import attention, machine
from unfold import columns

from lsim import Result, simulate
from lsim.report import levels
from lsim.report.blocks import Run
from lsim.report.levels import FINEST, held, ladder, places
from lsim.report.page import page as make_page
from lsim.results.spans import spans


def test_are_the_embedded_windows_the_answers_of_queries(page: Page, deit: Result) -> None:
    index, (operators, *windows) = page.script("timeline-index"), page.data
    assert len(windows) == len(index["windows"]) > 10
    assert operators[0] == [
        deit.operators[0].name,
        deit.operators[0].start,
        deit.operators[0].end,
    ]
    for (begin, end, bins, _), content in zip(index["windows"], windows, strict=True):
        series = deit.timeline.series_all(bins, begin, end)
        for part, told in zip(index["parts"], content, strict=True):
            for i, column in enumerate(index["columns"]):
                assert told.get(str(i), [0] * bins) == series[part][column].tolist(), (begin, part, column)


def test_is_the_page_of_a_short_run_its_unfolded_timeline() -> None:
    result = simulate(attention(), machine())
    made = Page(make_page([Run("run", result)]))
    index, (_, *windows) = made.script("timeline-index"), made.data
    number = next(i for i, w in enumerate(index["windows"]) if w[1] - w[0] == w[2])
    begin, end, *_ = index["windows"][number]
    window = windows[number]
    for part, happened in columns(result).items():
        told = window[index["parts"].index(part)]
        sums = {index["columns"][int(i)]: sum(ticks) for i, ticks in told.items()}
        assert sums == Counter(happened[begin:end])
        for i, ticks in told.items():
            assert ticks == [int(what == index["columns"][int(i)]) for what in happened[begin:end]]


@pytest.mark.parametrize("ticks", [1, 100, 1024, 1025, 16_384, 10**6, 3 * 10**10])
@pytest.mark.parametrize("where", [0.0, 0.3, 1.0])
def test_leads_a_ladder_without_gaps_down_to_single_ticks(ticks: int, where: float) -> None:
    tick = int(ticks * where)
    rungs = list(ladder(tick, ticks, 0))
    assert rungs[0].bins == rungs[0].end - rungs[0].begin == min(FINEST, ticks)
    for inner, outer in pairwise(rungs):
        assert outer.begin <= inner.begin <= min(tick, ticks) <= inner.end <= outer.end
        assert (inner.end - inner.begin) * outer.bins >= 16 * (outer.end - outer.begin)
    widest = rungs[-1]
    assert (widest.end - widest.begin) * 4096 >= 16 * ticks  # bins of the second level of the whole run


def test_are_the_places_in_the_run_and_the_slowest_operators_among_them(deit: Result) -> None:
    found = list(places(deit.ticks, spans(deit)))
    assert found[0].tick == 0 and found[-1].tick == deit.ticks
    assert all(0 <= place.tick <= deit.ticks for place in found)
    assert "middle of layers.6.ffn2" in [place.title for place in found]
    assert len({place.title for place in found}) == len(found)


def test_holds_a_page_less_when_there_is_less_room(deit: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "LEVELS_BUDGET", 40_000)
    monkeypatch.setattr(levels, "BUDGET", 45_000)
    inside = held(deit.timeline, spans(deit))
    assert sum(map(len, inside.packed)) <= 45_000
    assert [w.bins for w in inside.windows if w.place < 0] == [512]
    assert 0 < len(inside.places) < 10
    assert {w.place for w in inside.windows} == {-1, *range(len(inside.places))}


def test_says_the_page_how_deep_it_goes(page: Page, deit: Result) -> None:
    finest = max(bins for _, _, bins, place in page.script("timeline-index")["windows"] if place < 0)
    assert f"{finest:,} bins of {-(-deit.ticks // finest)} ticks" in page.html
