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


def width() -> int:
    """Columns of the terminal; 100 in a pipe."""
    import shutil

    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size((PIPED_WIDTH, 24)).columns if known else PIPED_WIDTH


def print_tables(blocks: Iterable[object]) -> None:
    """Renderables of rich, as wide as the terminal, or 100 columns in a pipe; no line ends in blanks. What cannot be as
    narrow as that without losing a digit, or in a pipe with its names whole, is wider."""
    from rich.console import Console
    from rich.measure import Measurement

    columns = width()
    # Without a height, rich takes a dumb terminal to have 80 columns.
    console = Console(width=columns, height=25, markup=False, highlight=False, emoji=False)
    unbounded = console.options.update(max_width=10_000)
    with console.capture() as capture:
        for block in blocks:
            console.width = max(columns, Measurement.get(console, unbounded, block).minimum)  # type: ignore[arg-type]
            console.print(block)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
