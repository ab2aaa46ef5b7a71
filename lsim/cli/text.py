"""What the commands print: JSON, or tables by rich."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable

import click

PIPED_WIDTH = 100


def print_json(content: object) -> None:
    """One object, on one line, in ASCII: whatever reads it can read it."""
    click.echo(json.dumps(content, allow_nan=False))


def print_tables(blocks: Iterable[object]) -> None:
    """Renderables of rich, as wide as the terminal, or 100 columns in a pipe; no line ends in blanks."""
    from rich.console import Console

    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(width=None if known else PIPED_WIDTH, markup=False, highlight=False, emoji=False)
    with console.capture() as capture:
        for block in blocks:
            console.print(block)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
