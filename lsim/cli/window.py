"""Options that choose a stretch of a run, and parts of the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lsim.errors import InputError


def window_of(window: str | None, ticks: int) -> tuple[int, int]:
    """The ticks of `A:B`; a side that is left out is that end of a run of so many ticks, and None is all of it."""
    if window is None:
        return 0, ticks
    begin, colon, end = window.partition(":")
    try:
        if colon:
            return int(begin or 0), int(end or ticks)
    except ValueError:
        pass
    raise InputError(f"{window!r} is not of the form A:B, two ticks", place="--window")


def check_parts(parts: Iterable[str], known: Sequence[str], option: str = "--part") -> None:
    """Raises InputError for a part that is not known."""
    for part in parts:
        if part not in known:
            raise InputError(f"{part!r} is not a part of this run", place=option, known=known, given=part)
