"""Folding small runs as eagerly as long ones: by default their loops are not worth it, and a test would see no fold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lsim.kernel import cursor, fold


@contextmanager
def eager_folding() -> Iterator[None]:
    """Loops of two items are folded, parts of long ones are phases, and every period is an anchor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "LONG", 2)
        patch.setattr(cursor, "WORTH_FOLDING", 2)
        patch.setattr(fold, "WORTH_AN_ANCHOR", 1)
        yield
