"""The options `--set` and `--widths`: values of an architecture that are replaced, and the machine that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from lsim.errors import InputError

if TYPE_CHECKING:
    from lsim.arch import Arch

Command = Callable[..., Any]

_SET = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.KEY=VALUE",
    help="Replace a value of the architecture, e.g. hbm.channels=4. May be given again.",
)
_WIDTHS = click.option(
    "--widths",
    metavar="W4A8KV4",
    help="Bits of stored weights, activations and KV entries, each 4, 8 or 16; without KV, as A. What converters resolve "
    "stays operands.bits.",
)


def settings(command: Command) -> Command:
    """--set and --widths; the command gets both as `settings`, texts of values by key."""

    @wraps(command)
    def with_settings(*arguments: Any, settings: Sequence[str], widths: str | None, **options: Any) -> Any:
        return command(*arguments, settings=_parsed(settings, widths), **options)

    return _SET(_WIDTHS(with_settings))


def machine_of(arch: str, settings: Mapping[str, str]) -> Arch:
    """The architecture of a name or a file, with the values that are replaced."""
    from lsim.arch import load_arch

    return load_arch(arch).with_settings(settings)


def _parsed(settings: Sequence[str], widths: str | None = None) -> dict[str, str]:
    """`part.key=value` texts as a mapping, with the keys that widths spelled `W4A8KV4` stand for."""
    parsed: dict[str, str] = {}
    for setting in settings:
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        if not (key and equals and value):
            raise InputError(f"{setting!r} is not of the form part.key=value", place="--set")
        if key in parsed:
            raise InputError("is set twice", file="--set", place=key)
        parsed[key] = value
    return parsed if widths is None else parsed | _of_widths(widths, parsed)


def _of_widths(widths: str, parsed: dict[str, str]) -> dict[str, str]:
    from lsim.widths import Widths

    spelled = Widths.parse(widths).settings
    for key in spelled.keys() & parsed:
        raise InputError(f"is set twice: --widths {widths} says it, too", file="--set", place=key)
    return spelled
