"""The global SRAM: bank groups, each a process behind a port, which serves one transaction at a time for whole SRAM cycles."""

from __future__ import annotations

from functools import cache

from lsim.arch import Arch
from lsim.kernel.environment import Environment
from lsim.kernel.port import Arbitration, Port
from lsim.kernel.process import Process, Wait
from lsim.kernel.server import Server


class BankGroup(Server):
    """One port of a bank group: all its banks, for the SRAM cycles that a transaction takes."""


class GlobalSram:
    """Transactions of a requester go to the bank groups in turn, from the first again at each operator."""

    def __init__(self, env: Environment, arch: Arch) -> None:
        self.env = env
        policy = Arbitration(arch.global_sram.arbitration)
        servers = min(arch.global_sram_ports, 64)
        self.ports = [Port(env, f"gb{g}", servers, policy, BankGroup) for g in range(arch.global_sram.groups)]
        self.ticks = cache(arch.global_sram_ticks)
        takers = env.processes if len(self.ports) > 1 else []
        self._turns = {process.index: env.register() for process in takers}

    def access(self, process: Process, size: int, code: int, restart: bool = False) -> Wait:
        """One transaction of `size` bytes: waits for its turn, then is busy with `code`."""
        ports = self.ports
        port = ports[0] if len(ports) == 1 else self._port(process, restart)
        return port.serve(process, self.ticks(size), code)

    def _port(self, process: Process, restart: bool) -> Port:
        register = self._turns[process.index]
        turn = 0 if restart else self.env.registers[register]
        self.env.registers[register] = (turn + 1) % len(self.ports)
        return self.ports[turn]
