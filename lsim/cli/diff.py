"""`lsim diff`: two runs that were written with `lsim run --out`, and where their times part."""

from __future__ import annotations

from pathlib import Path

import click

from lsim.cli.options import as_json
from lsim.cli.text import print_json, print_tables


@click.command(short_help="Two runs, and where their times part.")
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@as_json
def diff(a: Path, b: Path, as_json: bool) -> None:
    """Says what the run in folder B took more, or less, than the one in folder A, by operator and by cause.

    Both were written by `lsim run … --out`. Operators are aligned by name; the rows sum exactly to the difference.
    """
    from lsim.ledger.diff import diff as between
    from lsim.results.store import load_result

    found = between(load_result(a), load_result(b))
    if as_json:
        print_json(found.to_dict())
    else:
        from lsim.ledger.tables_of_diff import difference_report

        print_tables(difference_report(found, str(a), str(b)))
