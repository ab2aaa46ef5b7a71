"""The act SRAM's way out: results, or partial sums with those of earlier chunks, go to the global SRAM."""

from __future__ import annotations

from lsim.kernel.labels import Cause
from lsim.kernel.process import Amounts, Process, Run
from lsim.kernel.tokens import Channel
from lsim.parts.sram import GlobalSram
from lsim.plan.items import Drain, Edge


class Drainer(Process):
    """Empties one full slot after another. The DPU's output buffers are emptied the same way."""

    remembers = (
        "fetches",
        "moves",
    )
    cause: Cause
    buffer: str
    sram: GlobalSram
    full: Channel
    free: Channel
    ring: Channel
    out_ready: Channel
    edges: dict[Edge, Channel]

    def work(self, item: Drain) -> Run:
        yield from self.take(self.full)
        if item.reads:
            yield from self.sram.access(self, item.reads, self.fetches(item), item.restart)
        if item.room:
            yield from self.take(self.ring, item.room)
        yield from self.sram.access(self, item.writes, self.moves(item), item.restart and not item.reads)
        self.free.give()
        if item.copies:
            self.out_ready.give()
        for edge in item.gives:
            self.edges[edge].give()

    def counts(self, item: Drain) -> tuple[int, ...]:
        return (*((self.fetches(item),) if item.reads else ()), self.moves(item))

    def claims(self, item: Drain) -> Amounts:
        return (("ring", item.room),)

    def fetches(self, item: Drain) -> int:
        return self.busy(Cause.PARTIAL_SUMS, ("global_sram.out", item.reads), ("merged", item.merges))

    def moves(self, item: Drain) -> int:
        cause = Cause.PARTIAL_SUMS if item.partial else self.cause
        return self.busy(cause, ("global_sram.in", item.writes), (f"{self.buffer}.out", item.sums))
