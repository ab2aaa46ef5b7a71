"""A convention of traces whose context is longer than the positions that their model was made for."""

from __future__ import annotations

from collections.abc import Iterable

BEYOND = "The context of "
_MORE = " is longer than max_position_embeddings "


def beyond(context: int, most: int) -> str:
    """What is said of `context` tokens by a model whose configuration has `most` positions, and no table of them that ends there."""
    return f"{BEYOND}{context} tokens{_MORE}{most} of the config"


def told_beyond(conventions: Iterable[str]) -> list[tuple[str, str]]:
    """Such a convention as a row of a report, if a trace has one."""
    return [("positions", line) for line in conventions if line.startswith(BEYOND) and _MORE in line]
