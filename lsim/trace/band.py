"""A band of queries of causal attention: what is computed of it, and what of that the mask takes away again."""

from typing import NamedTuple

DENSE = "the sizes are those of the dense product"
"""What the conventions of a trace say of causal attention that is in no bands."""


class Band(NamedTuple):
    """Queries `begin` to `end` - 1 of a sequence of `tokens`, counted in each head.

    The keys that are computed with them are those from the first that some query of the band needs to the last query's own.
    Without a window query t needs keys 0 to t; in a window of w keys the last w of those. `window` 0: no window.
    """

    begin: int
    end: int
    tokens: int

    @property
    def queries(self) -> int:
        return self.end - self.begin

    def first_key(self, window: int) -> int:
        """The first key that some query of the band needs."""
        return max(0, self.begin - window + 1) if window else 0

    def keys(self, window: int) -> int:
        """Keys of the band's product."""
        return self.end - self.first_key(window)

    def needed(self, window: int) -> int:
        """Pairs of a query of the band and a key that it needs."""
        return _needed(self.end, window) - _needed(self.begin, window)


def _needed(queries: int, window: int) -> int:
    """Pairs of one of the first so many queries and a key that it needs."""
    growing = min(queries, window) if window else queries
    return growing * (growing + 1) // 2 + (queries - growing) * window
