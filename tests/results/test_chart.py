"""Does a chart show what its window holds, in the room it has?"""

from __future__ import annotations

import numpy as np
import pytest
from rich.color import Color
from rich.style import Style

from lsim import load_arch, load_trace, simulate
from lsim.kernel.labels import Cause
from lsim.results.chart import FULL, LETTERS, LIGHT, cells_of, chart, style
from lsim.results.palette import INKS
from lsim.results.result import Result
from lsim.results.states import COLUMNS


@pytest.fixture(scope="module")
def deit() -> Result:
    return simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))


def test_has_every_cause_a_letter_of_its_own() -> None:
    assert set(LETTERS) == set(Cause)
    assert len({*FULL, *LIGHT}) == 2 * len(COLUMNS)


def test_which_mark_does_a_cell_get() -> None:
    ticks = {name: np.zeros(4, dtype=np.int64) for name in COLUMNS}
    ticks["busy"][:] = 10, 5, 4, 3
    ticks["hbm_m1"][:] = 0, 4, 3, 4
    ticks["idle"][:] = 0, 1, 3, 3
    marks = cells_of({**ticks, "begin": np.arange(4) * 10, "end": np.arange(1, 5) * 10})
    assert [(COLUMNS[column], light) for column, light in marks] == [
        ("busy", False), ("busy", False), ("busy", True), ("hbm_m1", True),
    ]  # fmt: skip


def test_has_a_cause_the_colour_that_it_has_in_a_report(deit: Result) -> None:
    (_, *rows) = chart(deit.timeline, 0, deit.ticks, deit.timeline.parts, 100)
    drawn = {}
    for row in rows[: len(deit.timeline.parts)]:
        for span in row.spans:
            assert isinstance(span.style, Style)
            drawn.update(dict.fromkeys(row.plain[span.start : span.end].upper(), span.style))
    marks = dict(zip((*FULL, "+", "."), (*COLUMNS, "busy", "idle"), strict=True))
    assert {"#", "C", "U"} <= drawn.keys()
    for mark, shown in drawn.items():
        ink = INKS[marks[mark]]
        ground = None if shown.bgcolor is None else shown.bgcolor.name
        assert ground == (None if ink.faint else ink.colour), mark


def test_can_the_letters_be_read_on_their_ground() -> None:
    def luminance(colour: Color | None) -> float:
        assert colour is not None and colour.triplet is not None
        parts = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.triplet.normalized
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for ink in INKS.values():
        if not ink.faint:
            shown = style(ink)
            low, high = sorted((luminance(shown.color), luminance(shown.bgcolor)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, ink  # WCAG 2, AA


@pytest.mark.parametrize(("ticks", "width"), [(1, 100), (37, 100), (20_000, 100), (20_000, 60)])
def test_is_a_chart_as_wide_as_the_room(deit: Result, ticks: int, width: int) -> None:
    lines = [line.plain for line in chart(deit.timeline, 9000, 9000 + ticks, deit.timeline.parts, width)]
    assert max(map(len, lines[: 1 + len(deit.timeline.parts)])) <= width
    assert [line.split()[0] for line in lines[1 : 1 + len(deit.timeline.parts)]] == list(deit.timeline.parts)


def test_is_a_tick_of_a_chart_what_the_part_did(deit: Result) -> None:
    begin = 20_000
    lines = [line.plain for line in chart(deit.timeline, begin, begin + 50, ["core", "m2"], 60)]
    for name, line in zip(("core", "m2"), lines[1:], strict=False):
        for tick, mark in enumerate(line.split()[1]):
            state = deit.timeline.at(begin + tick)[name]
            shown = {"busy": "#", "idle": "-"}.get(state.state) or LETTERS[Cause(state.cause)]
            assert mark == shown
