"""Where are names in a table broken?"""

import io

import pytest
from rich.console import Console
from rich.measure import Measurement

from lsim.results.names import Name
from lsim.results.tables import plain

NAMES = [
    "head",
    "  layers.*.attn.softmax",
    "model.layers.*.self_attn.q_proj ×12",
    "a name of words, first-class",
    "a.piecethatiswide",
]
NUMBERS = ["1,811,939,328"] * 3


def printed(width: int, terminal: bool) -> list[str]:
    """The first column of a table of such names and numbers, a line each, as the commands print it."""
    table = plain(("name", "a", "b", "c"), [(name, *NUMBERS) for name in NAMES], right=(1, 2, 3))
    console = Console(file=io.StringIO(), width=width, height=25, force_terminal=terminal, color_system=None)
    least = Measurement.get(console, console.options.update(max_width=10_000), table).minimum
    console.width = max(width, least)
    console.print(table)
    lines = console.file.getvalue().splitlines()[2:]  # type: ignore[attr-defined]
    assert all(len(line) <= console.width for line in lines)
    assert "".join(lines).count(NUMBERS[0]) == len(NUMBERS) * len(NAMES)  # no number is cut
    return [line.split("1,811")[0].rstrip() for line in lines]


@pytest.mark.parametrize("width", [20, 60])
def test_is_a_name_in_a_narrow_terminal_broken_after_dots_and_underscores_and_at_spaces(width: int) -> None:
    """The column is 17 wide: the last piece of the last name, and its indentation."""
    assert printed(width, terminal=True) == [
        "head",
        "  layers.*.attn.",
        "    softmax",
        "model.layers.*.",
        "  self_attn.q_",
        "  proj ×12",
        "a name of words,",
        "  first-class",
        "a.piecethatiswide",
    ]


@pytest.mark.parametrize("width", [20, 60, 80])
def test_is_a_name_in_a_pipe_whole(width: int) -> None:
    text = "\n".join(printed(width, terminal=False))
    for word in " ".join(NAMES).split():
        assert word in text.split()


@pytest.mark.parametrize("terminal", [False, True])
def test_is_nothing_broken_where_there_is_room(terminal: bool) -> None:
    assert printed(120, terminal) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_is_all_of_a_name_there_in_any_width(name: str) -> None:
    for width in range(1, 60):
        lines = Name(name).lines(width, pieces=True)
        assert "".join("".join(lines).split()) == "".join(name.split())
        assert lines[0].startswith(" " * (len(name) - len(name.lstrip())))
