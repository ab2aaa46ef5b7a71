"""A Gantt chart of a window in text: a row a part, a letter and a colour a cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from rich.style import Style
from rich.text import Text

from lsim.kernel.labels import Cause
from lsim.results.folded import Ints
from lsim.results.palette import INKS, Ink
from lsim.results.states import COLUMNS
from lsim.results.timeline import Timeline

LETTERS: Mapping[Cause, str] = {
    Cause.COMPUTE: "C",
    Cause.FEED: "F",
    Cause.ADC: "A",
    Cause.RELOAD: "L",
    Cause.READOUT: "R",
    Cause.M1_FILL: "M",
    Cause.M2_FILL: "N",
    Cause.PARTIAL_SUMS: "P",
    Cause.DRAIN: "D",
    Cause.DPU: "U",
    Cause.DPU_READ: "I",
    Cause.DPU_WRITE: "O",
    Cause.HBM_M1: "H",
    Cause.HBM_M2: "J",
    Cause.HBM_DPU: "K",
    Cause.HBM_OUT: "Q",
    Cause.HBM_LATENCY: "Y",
    Cause.STAGING: "S",
    Cause.BROADCAST: "B",
    Cause.SWITCH: "W",
    Cause.DISPATCH: "G",
    Cause.EDGE: "E",
    Cause.DONE: "Z",
}
FULL = ("#", "-", *LETTERS.values())
LIGHT = ("+", ".", *(letter.lower() for letter in LETTERS.values()))


def style(ink: Ink) -> Style:
    """How a cell is drawn: a letter, black or white, on the colour; grey on the terminal's own ground for what recedes."""
    if ink.faint:
        return Style(color="bright_black")
    channels = (int(ink.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    # Where black and white have the same contrast by WCAG 2.
    return Style(color="#000000" if luminance > 0.179 else "#ffffff", bgcolor=ink.colour)


_STYLES = tuple(style(INKS[name]) for name in COLUMNS)


def chart(timeline: Timeline, begin: int, end: int, parts: Iterable[str], width: int) -> Iterator[Text]:
    """The lines of a chart of [begin, end) that is at most `width` wide.

    A cell is as many ticks as the window needs, the same for all cells to within one. It shows what the part spent most of
    them on (the first of `COLUMNS` where several are equal): a capital or # or -, or, if that is less than half of them, the small
    letter or + or a dot. A tick that is wider than a character is shown several times.
    """
    names = list(parts)
    margin = max(len(name) for name in names) + 1
    room = max(1, width - margin)
    cells = min(room, end - begin)
    wide = room // cells
    series = timeline.series_all(cells, begin, end)
    rows = {name: cells_of(series[name]) for name in names}
    yield Text(" " * margin + _axis(begin, end, cells * wide))
    for name, marks in rows.items():
        line = Text(name.ljust(margin))
        for column, light in marks:
            line.append((LIGHT if light else FULL)[column] * wide, _STYLES[column])
        yield line
    yield Text()
    yield from _legend({column for marks in rows.values() for column, _ in marks}, width)
    yield Text(_scale(begin, end, cells, wide))


def cells_of(series: Mapping[str, Ints]) -> list[tuple[int, bool]]:
    """Of each bin, which of `COLUMNS` has most ticks, and whether that is less than half of them."""
    ticks = np.stack([series[name] for name in COLUMNS], axis=1)
    most = ticks.argmax(axis=1)
    light = 2 * ticks.max(axis=1) < series["end"] - series["begin"]
    return list(zip(most.tolist(), light.tolist(), strict=True))


def _axis(begin: int, end: int, width: int) -> str:
    left, right = f"{begin:,}", f"{end:,}"
    return left if len(left) + len(right) >= width else left + right.rjust(width - len(left))


def _scale(begin: int, end: int, cells: int, wide: int) -> str:
    if cells == end - begin:
        return "a cell is 1 tick" + (f", {wide} characters" if wide > 1 else "")
    ticks = (end - begin) / cells
    return f"a cell is {ticks:,.4g} ticks; small letter, + or a dot: most of them, but less than half"


def _legend(used: set[int], width: int) -> Iterator[Text]:
    words = ("busy", "idle", *(f"waits: {cause}" for cause in Cause))
    entries = [(FULL[c], _STYLES[c], words[c]) for c in sorted(used)]
    line = Text()
    for mark, style, word in entries:
        if line.cell_len and line.cell_len + len(word) + 5 > width:
            yield line
            line = Text()
        line.append("   " if line.cell_len else "").append(mark, style).append(f" {word}")
    yield line
