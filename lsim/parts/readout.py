"""Readout: integration of up to A shots, an ADC with its own interval and one hold register; a block in closed form.

A group of shots is sampled when its last shot has ended and the ADC has finished the sample before; the next group's
first step waits for that. See "Computing" in `docs/machine.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from lsim.kernel.labels import Cause


@frozen
class Pattern:
    """How the ticks of a block divide: `steps` of `feed` ticks, groups of `integrate`, `conversion` ticks a sample.

    `carry`: ticks from the block's start until the ADC has finished the sample of the block before.
    """

    steps: int
    feed: int
    integrate: int
    conversion: int
    carry: int

    def groups(self) -> Iterator[tuple[int, int]]:
        """(shots, ticks from the group's start to its sample) of each group."""
        floor = self.carry
        for done in range(0, self.steps, self.integrate):
            shots = min(self.integrate, self.steps - done)
            yield shots, max(shots * self.feed, floor)
            floor = self.conversion

    @property
    def ticks(self) -> int:
        """Ticks of the block, its last sample included."""
        full, rest = divmod(self.steps, self.integrate)
        groups = full + (rest > 0)
        first = min(self.integrate, self.steps)
        ticks = max(first * self.feed, self.carry)
        if groups > 1:
            middle = full - 1
            ticks += middle * max(self.integrate * self.feed, self.conversion)
            ticks += max(rest * self.feed, self.conversion) if rest else 0
        return ticks

    def split(self) -> dict[Cause, int]:
        """Ticks by cause: shots, feed, waiting for the ADC."""
        shots, fed = self.steps, self.steps * (self.feed - 1)
        return {Cause.COMPUTE: shots, Cause.FEED: fed, Cause.ADC: self.ticks - shots - fed}

    def intervals(self) -> Iterator[tuple[Cause, int]]:
        """(cause, ticks) in the order of time."""
        for shots, ticks in self.groups():
            for _ in range(shots):
                if self.feed > 1:
                    yield Cause.FEED, self.feed - 1
                yield Cause.COMPUTE, 1
            if ticks > shots * self.feed:
                yield Cause.ADC, ticks - shots * self.feed

    def cause_at(self, tick: int) -> Cause:
        """What a tick of the block is spent on, 0 <= tick < `ticks`."""
        size = min(self.integrate, self.steps)
        first, group = max(size * self.feed, self.carry), max(self.integrate * self.feed, self.conversion)
        if tick >= first:
            done, tick = divmod(tick - first, group)
            size = min(self.integrate, self.steps - size - done * self.integrate)
        if tick >= size * self.feed:
            return Cause.ADC
        return Cause.COMPUTE if (tick + 1) % self.feed == 0 else Cause.FEED
