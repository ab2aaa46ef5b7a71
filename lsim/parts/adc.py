"""The ADC of a tile group: a hold register, and a conversion that has a time of its own.

In a block it is part of the closed form of `lsim.parts.readout.Pattern`; stepped shot by shot it is this process.
"""

from __future__ import annotations

from lsim.kernel.labels import Cause
from lsim.kernel.process import Run, Servant
from lsim.kernel.tokens import Channel


class Adc(Servant):
    """Samples a group's sum into its hold register at once if it is ready, then converts it."""

    ask: Channel
    sampled: Channel
    conversion: int

    def serve(self) -> Run:
        yield from self.take(self.ask)
        self.sampled.give()
        yield from self.spend(self.conversion, self.busy(Cause.ADC))
