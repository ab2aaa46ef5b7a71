"""`lsim explain`: what a number is that any command shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from lsim.cli.text import print_json, print_tables

if TYPE_CHECKING:
    from lsim.results.meaning import Meaning


@click.command(short_help="What a number means.")
@click.argument("number", metavar="[NUMBER]", required=False)
@click.option("--markdown", is_flag=True, help="Print the page of all numbers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def explain(number: str | None, markdown: bool, as_json: bool) -> None:
    """Says what NUMBER is: definition, unit, clock, formula, and what of the log it sums. Lists all without NUMBER.

    NUMBER is a name as in the JSON of a command: utilization.core_busy, parts.core.busy, or its last word.
    """
    from lsim.results import meanings

    found = list(meanings.MEANINGS.values()) if number is None else meanings.explain(number)
    if markdown:
        click.echo(meanings.as_markdown(), nl=False)
    elif as_json:
        print_json({m.name: _told(m) for m in found})
    elif number is None:
        from lsim.results.tables import plain

        print_tables(
            [plain(("number", "unit", "definition"), [(m.name, m.unit, m.definition) for m in found])]
        )
    else:
        print_tables(_texts(found))


def _told(meaning: Meaning) -> dict[str, str]:
    names = ("definition", "unit", "clock", "formula", "entries")
    return {name: getattr(meaning, name) for name in names}


def _texts(found: list[Meaning]) -> Iterator[object]:
    from lsim.results.tables import heading, pairs

    for i, meaning in enumerate(found):
        if i:
            yield ""
        yield heading(meaning.name)
        yield pairs([(name, said) for name, said in _told(meaning).items() if said])
