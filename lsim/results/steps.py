"""What is told of one step of a generation, and of one request of a continuous batch."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from attrs import evolve, frozen


@frozen
class StepRun:
    """A step as it ran. `start`, `ticks`: when it began and how long it took. `tokens`: new ones of all sequences.

    `tiles`: ticks of all tiles by root cause. `as_step`: the step that was simulated in its place, as both take the same
    ticks; its own number if it was simulated itself. `events`, `folds`: of that simulation.
    """

    phase: str
    tokens: int
    macs: int
    start: int
    ticks: int
    tiles: Mapping[str, int]
    as_step: int
    events: int
    folds: int

    @property
    def end(self) -> int:
        return self.start + self.ticks


@frozen
class RequestRun:
    """A request of a continuous batch as it was served, in ticks. `start`: of the first step that it is in; `first`: the end of the step
    that gives its first new token; `end`: of the one that gives its last; None before any is given. `tokens`: new ones.
    """

    start: int
    first: int | None = None
    end: int | None = None
    tokens: int = 0

    @property
    def to_first_token(self) -> int | None:
        """From its first step's begin to its first new token; None if it gets none."""
        return None if self.first is None else self.first - self.start

    @property
    def per_output_token(self) -> Fraction | None:
        """Mean time between its new tokens; None if it gets fewer than two."""
        if self.first is None or self.end is None or self.tokens < 2:
            return None
        return Fraction(self.end - self.first, self.tokens - 1)

    def given(self, tokens: int, at: int) -> RequestRun:
        """With so many more new tokens, given at a tick."""
        first = at if self.first is None else self.first
        return evolve(self, first=first, end=at, tokens=self.tokens + tokens)
