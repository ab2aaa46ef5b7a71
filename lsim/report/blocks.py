"""What a page is made of: sections of blocks, as plain values. The template knows how each kind looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from attrs import field, frozen

from lsim.results.result import Result
from lsim.results.spans import Span, spans


@frozen
class Number:
    """A number as it is read, with what it is exactly. `path`: where `lsim run --json` has it, dotted; "" for a number
    that only the page shows."""

    value: int | float
    text: str
    path: str = ""
    kind: ClassVar[str] = "number"


@frozen
class Term:
    """A word that has a definition. `ink`: the name of its colour, "" for none."""

    name: str
    definition: str
    ink: str = ""
    kind: ClassVar[str] = "term"


Cell = str | Number | Term


@frozen
class Prose:
    text: str
    kind: ClassVar[str] = "prose"


@frozen
class Card:
    """One headline number: what it is called, the number, a second reading of it, and its definition."""

    label: str
    number: Number
    also: str
    definition: str


@frozen
class Cards:
    cards: Sequence[Card]
    kind: ClassVar[str] = "cards"


@frozen
class Table:
    """`summary`: what a folded table is called; "" for one that is open. `total`: the last row is a sum."""

    columns: Sequence[str | Term]
    rows: Sequence[Sequence[Cell]]
    summary: str = ""
    total: bool = False
    kind: ClassVar[str] = "table"


@frozen
class Figure:
    """A picture by plotly: its traces and layout, but for what follows from the theme. `height`: pixels. `key`: the states and
    causes whose colours it has."""

    id: str
    title: str
    note: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    height: int
    key: Sequence[str] = ()
    kind: ClassVar[str] = "figure"


@frozen
class Explorer:
    """The timeline with its zoom. `index`: what is embedded, as JSON; `packed`: the windows' numbers, see `packing`."""

    index: Mapping[str, Any]
    packed: Sequence[str]
    kind: ClassVar[str] = "explorer"


Block = Prose | Cards | Table | Figure | Explorer


@frozen
class Section:
    """A chapter of the page. `id`: the anchor."""

    id: str
    title: str
    blocks: Sequence[Block]


@frozen(eq=False)
class Run:
    """A run that is reported on. `name`: of its folder, which tells runs apart. `digests`: SHA-256 of the folder's files."""

    name: str
    result: Result
    digests: Mapping[str, str] = field(factory=dict)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The units of the run in the order of its trace."""
        return spans(self.result)


SectionOf = Callable[[Run], Section | None]
"""Makes a section about a run; None if there is nothing to say."""


def count(value: int, path: str = "") -> Number:
    """A whole number with all of its digits."""
    return Number(value, f"{value:,}", path)


def share(part: float, path: str = "") -> Number:
    """A fraction as a percentage."""
    return Number(part, f"{100 * part:.1f} %", path)


def rounded(value: float, digits: int = 4) -> Number:
    """A number that is no count, to a few significant digits."""
    return Number(value, f"{value:,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}")
