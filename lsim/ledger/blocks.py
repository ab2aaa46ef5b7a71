"""How the ticks of blocks divide, from any tick of a block to any other: shots, feed, waiting for the ADC."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from attrs import fields, frozen

from lsim.kernel.labels import Cause
from lsim.parts.readout import Pattern
from lsim.results.folded import FoldedLog, Ints
from lsim.results.shots import Shots, shots_before

DIVIDED = (Cause.COMPUTE, Cause.FEED, Cause.ADC)
_PATTERN = tuple(f.name for f in fields(Pattern))
_NO_BLOCK = (0, 1, 1, 0, 0)


@frozen(eq=False)
class Blocks:
    """The blocks of a core that are records in closed form."""

    log: FoldedLog
    part: int

    def divided(self, rows: Ints, ticks: Ints) -> Ints:
        """(len(rows), 3): by `DIVIDED`, the first so many ticks of the stretches of these entries, each within a block."""
        patterns = self._patterns[self.log.codes_at(self.part, rows)].T
        age = self._shots.age(rows)
        return divided_before(patterns, age + ticks) - divided_before(patterns, age)

    @cached_property
    def _shots(self) -> Shots:
        return Shots(self.log, self.part, 1)

    @cached_property
    def _patterns(self) -> Ints:
        """By code, the numbers of the block's pattern."""
        patterns = (label.pattern and label.pattern[0] for label in self.log.labels)
        numbers = [_NO_BLOCK if p is None else [getattr(p, name) for name in _PATTERN] for p in patterns]
        return np.array(numbers, dtype=np.int64)


def divided_before(pattern: Ints, ticks: Ints) -> Ints:
    """(n, 3): how the first so many ticks of n blocks divide by `DIVIDED`. `pattern`: (5, n), the numbers of each `Pattern`."""
    steps, feed, integrate, conversion, carry = pattern
    shots = shots_before(pattern, ticks)
    size = np.minimum(integrate, steps)
    first = np.maximum(size * feed, carry)
    group = np.maximum(np.maximum(integrate * feed, conversion), 1)
    groups, rest = np.divmod(np.maximum(ticks - first, 0), group)
    later = (size + groups * integrate) * feed + np.minimum(rest, integrate * feed)
    fed_or_shot = np.minimum(np.where(ticks < first, np.minimum(ticks, size * feed), later), steps * feed)
    return np.stack([shots, fed_or_shot - shots, ticks - fed_or_shot], axis=1)
