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
        self._points_to = [env.register(-1) for _ in range(arch.broadcast_streams)]
        self._taken = [env.register() for _ in range(arch.broadcast_streams)]
        self._serving = env.labels.code(Label(Kind.BUSY, Cause.BROADCAST))
        self._switching = env.labels.code(Label(Kind.BUSY, Cause.SWITCH))

    def grant(self, core: Process) -> Run:
        """Waits for a stream and turns it to the core's group."""
        yield from self.port.acquire(core, self._serving)
        if self._turn(core.index) and self.switch_ticks:
            yield from core.spend(self.switch_ticks, self._switching)

    def _turn(self, core: int) -> bool:
        """Takes a free stream, rather the one that still points to the core; whether it had to turn from another."""
        registers, streams = self.env.registers, range(len(self._points_to))
        free = [s for s in streams if not registers[self._taken[s]]]
        stream = next((s for s in free if registers[self._points_to[s]] == core), free[0])
        before = registers[self._points_to[stream]]
        registers[self._points_to[stream]], registers[self._taken[stream]] = core, 1
        return before not in (core, -1)

    def release(self, core: Process) -> None:
        registers = self.env.registers
        held = next(
            s
            for s, taken in enumerate(self._taken)
            if registers[taken] and registers[self._points_to[s]] == core.index
        )
        registers[self._taken[held]] = 0
        self.port.release(core)
