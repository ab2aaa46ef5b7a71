"""The option `--set`: values of an architecture that are replaced, and the machine that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.arch import Arch

settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.KEY=VALUE",
    help="Replace a value of the architecture, e.g. hbm.channels=4. May be given again.",
)


def machine_of(arch: str, settings: Sequence[str]) -> Arch:
    """The architecture of a name or a file, with the values that are replaced."""
    from lsim.arch import load_arch

    return load_arch(arch).with_settings(_parsed(settings))


def _parsed(settings: Sequence[str]) -> dict[str, str]:
    """`part.key=value` texts as a mapping."""
    parsed: dict[str, str] = {}
    for setting in settings:
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        if not (key and equals and value):
            raise InputError(f"{setting!r} is not of the form part.key=value", place="--set")
        if key in parsed:
            raise InputError("is set twice", file="--set", place=key)
        parsed[key] = value
    return parsed
