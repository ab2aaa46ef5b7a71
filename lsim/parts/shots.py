"""The cores stepped shot by shot: every feed tick, shot and sample an event of its own.

This is the reference for the closed form of a block: the same core, fed by an encoder process and sampled by an ADC process.
"""

from __future__ import annotations

from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.process import Run
from lsim.kernel.tokens import Channel
from lsim.parts.adc import Adc
from lsim.parts.dptc import Core, active_tiles, amounts
from lsim.parts.encoder import Encoder
from lsim.plan.items import Block


class ShotCore(Core):
    """A core whose blocks are loops over shots. What it counts of shots and feed ticks are registers, so that folding sees it."""

    def add_parts(self) -> None:
        env = self.env
        self.encoder = Encoder(env, f"{self.name}.encoder")
        self.adc = Adc(env, f"{self.name}.adc")
        self.adc.conversion = self.arch.conversion_ticks
        self.encoder.ask, self.encoder.fed = Channel(env), Channel(env)
        self.adc.ask, self.adc.sampled = Channel(env), Channel(env)
        for channel, giver in (
            (self.encoder.ask, self),
            (self.encoder.fed, self.encoder),
            (self.adc.ask, self),
            (self.adc.sampled, self.adc),
        ):
            channel.given_by(giver.index)
        self._shot, self._fed = env.register(), env.register()

    def shoot(self, item: Block) -> Run:
        registers, group = self.env.registers, self.arch.readout.integrate
        while registers[self._shot] < item.shots:
            yield from self._feed(item)
            first = registers[self._shot] == 0
            yield from self.spend(1, self._code(item, Cause.COMPUTE, counts=first))
            registers[self._shot] += 1
            if registers[self._shot] % group == 0 or registers[self._shot] == item.shots:
                yield from self._sample(item)
        registers[self._shot] = 0

    def shots(self, item: Block) -> int:
        return self._code(item, Cause.COMPUTE, counts=True)

    def _feed(self, item: Block) -> Run:
        registers = self.env.registers
        while registers[self._fed] < item.feed - 1:
            self.encoder.ask.give()
            self.enter(self._code(item, Cause.FEED))
            yield self.encoder.fed.wait(self.index, 1)
            registers[self._fed] += 1
        registers[self._fed] = 0

    def _sample(self, item: Block) -> Run:
        self.adc.ask.give()
        self.enter(self._code(item, Cause.ADC))
        yield self.adc.sampled.wait(self.index, 1)

    def _code(self, item: Block, cause: Cause, counts: bool = False) -> int:
        counted = amounts(item, self.arch) if counts else ()
        label = Label(Kind.BUSY, cause, amounts=counted, pattern=(None, active_tiles(item, self.arch)))
        return self.env.labels.code(label)
