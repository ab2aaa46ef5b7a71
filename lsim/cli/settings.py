"""The option `--set`: values of an architecture that are replaced."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lsim.errors import InputError

settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.KEY=VALUE",
    help="Replace a value of the architecture, e.g. hbm.channels=4. May be given again.",
)


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
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
