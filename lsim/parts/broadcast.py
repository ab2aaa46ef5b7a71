"""The optical broadcast network: M2 streams that tile groups take turns on, a grant a block."""

from __future__ import annotations

from lsim.arch import Arch
from lsim.kernel.environment import Environment
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.port import Arbitration, Port
from lsim.kernel.process import Process, Run


class Broadcast:
    """Fewer streams than groups: a group holds a stream for a block; a stream that turns to another group takes time."""

    def __init__(self, env: Environment, arch: Arch) -> None:
        self.env = env
        self.port = Port(env, "broadcast", arch.broadcast_streams, Arbitration(arch.broadcast.arbitration))
        self.switch_ticks = arch.switch_ticks
        self._held_by = [env.register(-1) for _ in range(arch.broadcast_streams)]
        self._serving = env.labels.code(Label(Kind.BUSY, Cause.BROADCAST))
        self._switching = env.labels.code(Label(Kind.BUSY, Cause.SWITCH))

    def grant(self, core: Process) -> Run:
        """Waits for a stream and turns it to the core's group."""
        yield from self.port.acquire(core, self._serving)
        held = self._held_by[self.port.server_of(core)]
        if self.env.registers[held] != core.index:
            turned = self.env.registers[held] >= 0
            self.env.registers[held] = core.index
            if turned and self.switch_ticks:
                yield from core.spend(self.switch_ticks, self._switching)

    def release(self, core: Process) -> None:
        self.port.release(core)
