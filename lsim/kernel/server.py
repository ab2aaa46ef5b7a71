"""Servers: the processes behind a port. Each serves one request after another, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsim.kernel.environment import Wake, Walk
from lsim.kernel.process import Run

if TYPE_CHECKING:
    from lsim.kernel.port import Port, Request


class Server:
    """One server of a port: a SimPy process that rests, serves what the port gives it, and asks the port what is next.

    Parts that are served through ports subclass it. `face` tells servers of one port apart where they are not all alike.
    """

    face = 0

    def __init__(self, port: Port, number: int) -> None:
        self.port, self.env, self.number = port, port.env, number
        self.request: Request | None = None
        self._turn = Wake(port.env, self)
        self._turn._value = None
        Walk(self.env, self.run())

    def preference(self, request: Request) -> int:
        """Of several idle servers the one with the least takes a request."""
        return self.number

    def run(self) -> Run:
        port, fire, turn, resume = self.port, self.env.fire, self._turn, self.resume
        while True:
            port.idle.append(self)
            yield turn
            while (request := self.request) is not None:
                port.begin(self, request)
                ticks = request.ticks
                if ticks is None:  # whoever asked holds it, and resumes it with `Port.release`
                    fire(request)
                else:  # it is free before whoever was served goes on, who may ask again
                    request.callbacks.insert(0, resume)
                    fire(request, ticks)
                yield turn
                self.request = port.end(request)

    def resume(self, _: Any = None) -> None:
        """The process goes on at once, within this event."""
        go_on = self._turn.callbacks.pop()
        go_on(self._turn)
