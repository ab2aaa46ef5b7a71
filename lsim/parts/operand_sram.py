"""The M1 and M2 SRAMs: slots that a filler fills from the global SRAM ahead of the cores."""

from __future__ import annotations

from lsim.kernel.labels import Cause
from lsim.kernel.process import Amounts, Process, Run
from lsim.kernel.tokens import Channel
from lsim.parts.sram import GlobalSram
from lsim.plan.items import Edge, Fill


class Filler(Process):
    """Brings one unit after another into a free slot. The DPU's input buffers are filled the same way."""

    remembers = ("moves",)
    cause: Cause
    buffer: str
    sram: GlobalSram
    go: Channel
    staged: Channel
    ahead: Channel
    ring: Channel
    free: Channel
    full: Channel
    edges: dict[Edge, Channel]

    def work(self, item: Fill) -> Run:
        if item.go:
            yield from self.take(self.go)
        for edge in item.needs:
            yield from self.take(self.edges[edge])
        if item.staged:
            yield from self.take(self.staged)
        yield from self.take(self.free)
        yield from self.sram.access(self, item.bytes, self.moves(item.bytes), item.restart)
        self.full.give()
        if item.frees:
            self.ring.give(item.frees)
        if item.ends_load:
            self.ahead.give(item.ends_load)

    def counts(self, item: Fill) -> tuple[int, ...]:
        return (self.moves(item.bytes),)

    def returns(self, item: Fill) -> Amounts:
        return ("ring", item.frees), ("ahead", item.ends_load)

    def moves(self, size: int) -> int:
        return self.busy(self.cause, ("global_sram.out", size), (f"{self.buffer}.in", size))
