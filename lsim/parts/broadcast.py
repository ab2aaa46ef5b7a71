"""The optical broadcast network: M2 streams that tile groups take turns on, a grant a block."""

from __future__ import annotations

from lsim.arch import Arch
from lsim.kernel.environment import Environment
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.port import Arbitration, Port, Request
from lsim.kernel.process import Process, Run
from lsim.kernel.server import Server

NOBODY = -1


class Stream(Server):
    """One M2 stream: points to the tile group that it served last until another takes it."""

    def __init__(self, port: Port, number: int) -> None:
        super().__init__(port, number)
        self.face = number
        self._points_to = self.env.register(NOBODY)

    def preference(self, request: Request) -> int:
        """The stream that still points to the group, else the one of lowest number."""
        return -1 if self.env.registers[self._points_to] == request.rank else self.number

    def turn_to(self, group: int) -> bool:
        """Points to a group from now on; whether it had to turn from another."""
        registers = self.env.registers
        before, registers[self._points_to] = registers[self._points_to], group
        return before not in (group, NOBODY)


class Broadcast:
    """Fewer streams than groups: a group holds a stream for a block; a stream that turns to another group takes time."""

    def __init__(self, env: Environment, arch: Arch) -> None:
        policy = Arbitration(arch.broadcast.arbitration)
        self.port = Port(env, "broadcast", arch.broadcast_streams, policy, Stream)
        self.switch_ticks = arch.switch_ticks
        self._serving = env.labels.code(Label(Kind.BUSY, Cause.BROADCAST))
        self._switching = env.labels.code(Label(Kind.BUSY, Cause.SWITCH))

    def grant(self, core: Process) -> Run:
        """Waits for a stream and turns it to the core's group."""
        yield from self.port.acquire(core, self._serving)
        stream = self.port.held_by(core)
        assert isinstance(stream, Stream)
        if stream.turn_to(core.index) and self.switch_ticks:
            yield from core.spend(self.switch_ticks, self._switching)

    def release(self, core: Process) -> None:
        self.port.release(core)
