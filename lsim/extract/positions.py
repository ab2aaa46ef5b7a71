"""Runs of more tokens than a configuration has positions for, as a convention of the trace.

A learned table has no more rows, and its family refuses the run. Angles of rotary positions are computed, so lsim counts the same
work at any length: whether the model is of any use there is not for it to say, only that it was not made for it.
"""

from __future__ import annotations

from lsim.extract.config import Config
from lsim.trace.positions import beyond

KEY = "max_position_embeddings"


def conventions(config: Config, context: int | None) -> tuple[str, ...]:
    """A line if a sequence comes to more tokens than there are positions; `context`: None where the model fixes its tokens."""
    if context is None or config.fields.get(KEY) is None:
        return ()
    most = config.size(KEY)
    return (beyond(context, most),) if context > most else ()
