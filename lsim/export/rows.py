"""What every exporter writes: an interval of a part as a row, and what the file is an export of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from attrs import field, frozen

from lsim.errors import InputError
from lsim.results.cumulative import cumulative
from lsim.results.folded import Ints
from lsim.results.intervals import check_window, intervals
from lsim.results.positions import Occurrences
from lsim.results.result import Result
from lsim.results.series import edges
from lsim.results.telling import Teller
from lsim.units import ticks_as_time

MOST_ROWS = 5_000_000
CUTS = 1000  # ticks that are looked at together for one that is wanted


class Row(NamedTuple):
    """A part in one state for the ticks [begin, end).

    `state` to `block`: see `lsim.results.telling.Told`; items are blocks of a core, transfers of a DMA, pieces of a DPU lane.
    """

    part: str
    begin: int
    end: int
    ticks: int
    state: str
    cause: str | None
    waits_for: str | None
    operator: str | None
    block: int | None


@frozen(eq=False)
class Window:
    """The ticks [begin, end) of some parts (their ranks) of a run."""

    result: Result = field(repr=False)
    begin: int
    end: int
    parts: tuple[int, ...]

    @classmethod
    def of(cls, result: Result, begin: int, end: int, names: Sequence[str] = ()) -> Window:
        """That of the parts of these names, all if there are none. Raises InputError for ticks that are not in the run."""
        check_window(begin, end, result.ticks)
        known = result.log.parts
        return cls(result, begin, end, tuple(i for i, name in enumerate(known) if not names or name in names))

    def count(self) -> int:
        """The intervals of the window, those in which no time passes included."""
        return int(self._counts(np.array([self.end]))[0])

    def check_count(self, most: int | None = None) -> None:
        """Raises InputError for a window of more intervals than that (`MOST_ROWS`); it names the longest one from the same tick that has fewer."""
        most = MOST_ROWS if most is None else most
        count = self.count()
        if count <= most:
            return
        low, high = self.begin, self.end
        while high - low > 1:
            cuts = edges(low, high, min(CUTS, high - low))
            fit = int(np.searchsorted(self._counts(cuts[1:]), most, side="right"))
            low, high = cuts[fit : fit + 2].tolist()
        raise InputError(
            f"{count:,} intervals are more than the {most:,} that a file may have; "
            f"take fewer parts, or a window of at most {low - self.begin:,} ticks here: {self.begin}:{low}",
            place="--window",
        )

    def _counts(self, ends: Ints) -> Ints:
        """The intervals of the windows from the same tick to each of these."""
        before = cumulative(self.result.log, np.array([self.begin, *(ends - 1)]), self._records)[:, 0]
        counts: Ints = len(self.parts) + before[1:] - before[0]
        return counts

    @cached_property
    def _records(self) -> Occurrences:
        log = self.result.log
        return Occurrences(log, np.flatnonzero(np.isin(log.entries[:, 1], self.parts)))

    def rows(self) -> Iterator[Row]:
        """Every interval, in the order of their ends."""
        teller, names = Teller(self.result.plan, self.result.log), self.result.log.parts
        for part, begin, end, code, position in intervals(self.result.log, self.parts, self.begin, self.end):
            yield Row(names[part], begin, end, end - begin, *teller.tell(part, code, position))

    def about(self) -> dict[str, str]:
        """What the window is of: the inputs with their digests, the clock, the ticks."""
        from lsim import __version__

        result = self.result
        return {
            "lsim": __version__,
            "trace": f"{result.trace.name}, sha256 {result.trace.sha256}",
            "arch": f"{result.arch.name}, sha256 {result.arch.sha256}",
            "options": json.dumps(result.options, sort_keys=True),
            "tick": f"{ticks_as_time(1, result.arch.core.clock)}, a cycle of the photonic clock",
            "window": f"[{self.begin}, {self.end}) of {result.ticks} ticks",
        }
