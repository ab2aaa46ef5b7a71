"""HBM: channels that serve pieces of transfers in order; each piece arrives a fixed latency after its service."""

from __future__ import annotations

from functools import cache

from lsim.arch import Arch
from lsim.kernel.environment import Environment
from lsim.kernel.flight import Flights
from lsim.kernel.labels import Cause
from lsim.kernel.port import Port
from lsim.kernel.server import Server


class HbmChannel(Server):
    """One channel: serves the pieces of all requesters in order, each for its share of the bandwidth."""


class Hbm:
    """The channels. Each requester has its own flights over all of them."""

    def __init__(self, env: Environment, arch: Arch) -> None:
        self.env = env
        self.channels = [Port(env, f"hbm{c}", kind=HbmChannel) for c in range(arch.hbm.channels)]
        self.latency = arch.hbm_latency
        self.ticks = cache(arch.hbm_ticks)

    def reads(self) -> Flights:
        return Flights(self.env, self.channels, self.latency, Cause.HBM_LATENCY)

    def writes(self) -> Flights:
        """A write is done when its channel has served it: nobody waits for its way."""
        return Flights(self.env, self.channels, 0, Cause.HBM_LATENCY)
