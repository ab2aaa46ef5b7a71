"""The encoders: DACs and modulators that turn operands into light, a step every feed interval.

In a block they are part of the closed form of `lsim.parts.readout.Pattern`; stepped shot by shot they are this process.
"""

from __future__ import annotations

from lsim.kernel.labels import Cause
from lsim.kernel.process import Run, Servant
from lsim.kernel.tokens import Channel


class Encoder(Servant):
    """Feeds the cores: a token asked is one tick of feeding before a shot."""

    ask: Channel
    fed: Channel

    def serve(self) -> Run:
        yield from self.take(self.ask)
        yield from self.spend(1, self.busy(Cause.FEED))
        self.fed.give()
