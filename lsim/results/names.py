"""Names in a column of a table: in a narrow terminal broken after dots and underscores, elsewhere whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import TextWrapper

from attrs import frozen
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text


class _Pieces(TextWrapper):
    """A wrapper of text that takes pieces that end with a dot or an underscore for words, where it may break them at all."""

    wordsep_re = re.compile(r"(\s+|[^\s._]*[._]+)")


@frozen
class Name:
    """A name as a renderable of rich; lines after the first are indented by more than it.

    What is in a pipe may be searched for a name, and is as wide as names need; a terminal is not.
    """

    text: str

    def lines(self, width: int, pieces: bool, cut: bool = True) -> list[str]:
        """Those of the name in so many columns. `pieces`: whether words may be broken; `cut`: also where there is no room for a piece."""
        name = self.text.lstrip()
        indent = self.text[: len(self.text) - len(name)]
        wrapper = _Pieces(width, indent, f"{indent}  ", break_on_hyphens=pieces, break_long_words=cut)
        return wrapper.wrap(name)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text("\n".join(self.lines(options.max_width, options.is_terminal)))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        least = max(map(len, self.lines(1, options.is_terminal, cut=False)), default=0)
        return Measurement(least, Text(self.text).cell_len)
