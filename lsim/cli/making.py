"""`lsim trace make`: trace files of models from published sizes, of single runs or of whole generations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lsim.cli.archs import as_json
from lsim.cli.generations import save
from lsim.cli.text import print_json
from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.trace.document import Document

MOST = 1_000_000  # tokens or sequences: as many steps as a generation may have


@click.command(short_help="Build trace files from published sizes.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("traces"),
    show_default=True,
    metavar="DIR",
    help="Folder to write to; made if it is not there.",
)
@click.option(
    "--phase",
    type=click.Choice(["generate"]),
    help="Build one file of a whole generation by the model NAME: gpt2, llama-2-7b or llama-3-70b.",
)
@click.option(
    "--prompt", type=click.IntRange(1, MOST), metavar="TOKENS", help="Of a generation: tokens of the prompt."
)
@click.option(
    "--new", type=click.IntRange(1, MOST), metavar="TOKENS", help="Of a generation: new tokens of a sequence."
)
@click.option("--batch", type=click.IntRange(1, MOST), help="Of a generation: sequences; 1 if not given.")
@click.option(
    "--schedule",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Of a generation: which requests are in which step, instead of --prompt, --new and --batch.",
)
@click.option(
    "-o",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Of a generation: the file to write.",
)
@as_json
def make(
    names: tuple[str, ...],
    out: Path,
    phase: str | None,
    prompt: int | None,
    new: int | None,
    batch: int | None,
    schedule: Path | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """Builds trace files from published sizes: those named, or all. The same bytes each time."""
    from lsim.trace.zoo import MODELS, make

    if phase is not None:
        sizes = {"prompt": prompt, "new": new, "batch": batch}
        path = _make_generation(names, sizes, schedule, file)
        if as_json:
            print_json({"path": str(path)})
        else:
            click.echo(path)
        return
    _refuse_sizes(prompt=prompt, new=new, batch=batch, schedule=schedule, o=file)
    texts = {name: make(name) for name in names or MODELS}  # refuses an unknown name before it writes
    made = [_write(out, name, text) for name, text in texts.items()]
    if as_json:
        print_json(made)
        return
    for written in made:
        click.echo(f"{written['path']}  {written['was']}")


def _make_generation(
    names: tuple[str, ...],
    sizes: Mapping[str, int | None],
    schedule: Path | None,
    out: Path | None,
) -> Path:
    """Writes the file of a generation, and returns its path."""
    if len(names) != 1:
        raise InputError("takes the name of one model", place="--phase generate")
    document = _sized(names[0], **sizes) if schedule is None else _scheduled(names[0], sizes, schedule)
    from lsim.trace.files import SUFFIX
    from lsim.trace.text import text_of

    return save(out or Path(f"{document.name}{SUFFIX}"), text_of(document))


def _sized(model: str, prompt: int | None, new: int | None, batch: int | None) -> Document:
    from lsim.trace.zoo.generate import generation

    for name, value in (("--prompt", prompt), ("--new", new)):
        if value is None:
            raise InputError(
                "is missing: a generation has a prompt and new tokens, or a schedule", place=name
            )
    assert prompt is not None
    assert new is not None
    return generation(model, prompt, new, 1 if batch is None else batch)


def _scheduled(model: str, sizes: Mapping[str, int | None], schedule: Path) -> Document:
    from lsim.trace.zoo.schedule import scheduled

    for name, value in sizes.items():
        if value is not None:
            raise InputError("is said by the schedule", place=f"--{name}")
    return scheduled(model, schedule)


def _refuse_sizes(**sizes: object) -> None:
    """Refuses the options that only a generation has."""
    for name, value in sizes.items():
        if value is not None:
            raise InputError("says the size of a generation: add --phase generate", place=f"--{name}")


def _write(folder: Path, name: str, text: str) -> dict[str, str]:
    from lsim.trace.files import SUFFIX, write_text

    path = folder / f"{name}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        was = "new" if not path.exists() else "same" if path.read_bytes() == text.encode() else "changed"
        if was != "same":
            write_text(path, text)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from None
    return {"name": name, "path": str(path), "was": was}
