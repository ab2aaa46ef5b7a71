"""Posted transfers: requests left at ports in turn, whose answers come back a fixed time after their service, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lsim.kernel.environment import Environment, Wake
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.port import Port
from lsim.kernel.process import NO_WAIT, Process, Wait
from lsim.kernel.tokens import Channel


class Flights:
    """What one sender has in flight over several ports, taken in turn.

    Each port serves in order and the latency is constant, so answers of one port come in order, and a receiver that
    looks at the ports in the same turn gets them in the order they were sent.
    """

    def __init__(self, env: Environment, ports: Sequence[Port], latency: int, cause: Cause) -> None:
        self.env, self.ports, self.latency = env, ports, latency
        self._arrived = [Channel(env) for _ in ports]
        for port, channel in zip(ports, self._arrived, strict=True):
            channel.given_by(port.index)
        self._posted = [env.register() for _ in ports]  # not yet served
        self._late = [env.register() for _ in ports]  # served, on their way
        self._send_turn, self._land_turn = env.register(), env.register()
        self._on_the_way = env.labels.code(Label(Kind.WAIT, cause))
        self._answers = [partial(self._answer, i) for i in range(len(ports))]
        self._services: list[Callable[[Any], None]] = []
        self._receiver: Process | None = None
        self._nothing = -1  # the receiver's state while nothing was sent

    def send(self, sender: Process, ticks: int, code: int, restart: bool) -> None:
        """Posts a request at the next port; `ticks` of service, 0 for none at all."""
        i = self._turn(self._send_turn, restart)
        if ticks == 0 and self.latency == 0:
            self.ports[i].count(code)
            self._arrived[i].give()
        else:
            self.env.registers[self._posted[i]] += 1
            self.ports[i].post(sender, ticks, code, self._services[i])
            self._tell_receiver(i)

    def receive(self, receiver: Process, restart: bool) -> Wait:
        """Waits for the next answer in order."""
        i = self._turn(self._land_turn, restart)
        arrived = self._arrived[i]
        if arrived.try_take(1):
            return NO_WAIT
        wake = arrived.wait(receiver.index, 1)
        receiver.enter(self._next_is(i))
        return (wake,)

    def connect(self, sender: Process, receiver: Process) -> None:
        """Names the two processes; a receiver waits for the sender while nothing is in flight."""
        self._receiver = receiver
        self._services = [partial(self._served, i, sender.index) for i in range(len(self.ports))]
        self._nothing = self.env.labels.code(Label(Kind.WAIT, target=sender.index))

    def _tell_receiver(self, i: int) -> None:
        """The receiver, if it waits for port i, waits for something else from now on."""
        if self._arrived[i].waited_on and self._receiver is not None:
            code = self._next_is(i)
            if self.env.states[self._receiver.index] != code:
                self._receiver.enter(code)

    def _next_is(self, i: int) -> int:
        """The state of a receiver that waits for port i: what the next answer still has before it."""
        registers = self.env.registers
        if registers[self._late[i]]:
            return self._on_the_way
        return self._arrived[i].code if registers[self._posted[i]] else self._nothing

    def _turn(self, register: int, restart: bool) -> int:
        registers = self.env.registers
        i = 0 if restart else registers[register]
        registers[register] = (i + 1) % len(self.ports)
        return i

    def _served(self, i: int, sender: int, _: Any) -> None:
        env = self.env
        env.registers[self._posted[i]] -= 1
        if self.latency == 0:
            self._arrived[i].give()
            return
        env.registers[self._late[i]] += 1
        self._tell_receiver(i)
        wake = Wake(env, (sender, "flight", i))
        wake.callbacks.append(self._answers[i])
        env.fire(wake, self.latency)

    def _answer(self, i: int, _: Any) -> None:
        self.env.registers[self._late[i]] -= 1
        self._arrived[i].give()


class Delay:
    """A part that hands tokens on after a fixed time, any number at once: busy while something is on its way."""

    def __init__(self, env: Environment, name: str, ticks: int, source: Any, cause: Cause) -> None:
        self.env, self.name, self.ticks = env, name, ticks
        waiting = Label(Kind.WAIT, target=source.index)
        self.index = env.add_part(self, waiting)
        self._empty = env.states[self.index]
        self._full = env.labels.code(Label(Kind.BUSY, cause))
        self._count = env.register()

    def send(self, channel: Channel) -> None:
        """Gives the channel a token `ticks` from now."""
        if self.ticks == 0:
            channel.give()
            return
        env = self.env
        env.registers[self._count] += 1
        if env.registers[self._count] == 1:
            env.enter(self.index, self._full, 0)
        wake = Wake(env, self.index)
        wake.callbacks.append(lambda _: self._deliver(channel))
        env.fire(wake, self.ticks)

    def _deliver(self, channel: Channel) -> None:
        env = self.env
        env.registers[self._count] -= 1
        if env.registers[self._count] == 0:
            env.enter(self.index, self._empty, 0)
        channel.give()
