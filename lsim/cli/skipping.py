"""`lsim trace skip-masked`: causal attention in bands of queries, as a trace file."""

from __future__ import annotations

from pathlib import Path

import click

from lsim.cli.generations import save


@click.command("skip-masked", short_help="Leave out most of what causal masks take away.")
@click.argument("name", metavar="TRACE")
@click.option(
    "--queries",
    type=click.IntRange(1),
    required=True,
    metavar="N",
    help="Queries of a band; its keys are those that some of them need.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
def skip_masked(name: str, queries: int, out: Path) -> None:
    """Writes TRACE, a name or a file, with its causal attention cut into bands of queries.

    Within a band products are dense; blocks of keys that its queries do not need are left out. Any command takes the file.
    """
    from lsim.trace.check import build
    from lsim.trace.files import load_document
    from lsim.trace.generation import check
    from lsim.trace.masks import masked
    from lsim.trace.skip import skip_in
    from lsim.trace.text import text_of

    document = skip_in(load_document(name), queries)
    told = check(document).masked if document.phases else masked(build(document))
    click.echo(f"{save(out, text_of(document))}  {document.name}: {told.words}")
