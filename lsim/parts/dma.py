"""DMA engines: an issuing process that posts pieces to HBM, and one that follows them in order."""

from __future__ import annotations

from lsim.kernel.flight import Flights
from lsim.kernel.labels import Cause
from lsim.kernel.process import Amounts, Process, Run
from lsim.kernel.tokens import Channel
from lsim.parts.hbm import Hbm
from lsim.parts.sram import GlobalSram
from lsim.plan.items import Edge, Piece


class DmaIssue(Process):
    """Fetches operands: posts the pieces of units that have room in the staging ring."""

    remembers = ("moves",)
    cause: Cause
    hbm: Hbm
    flights: Flights
    go: Channel
    prefetch: Channel
    ahead: Channel
    ring: Channel
    credits: Channel
    edges: dict[Edge, Channel]

    def work(self, item: Piece) -> Run:
        if item.go:
            yield from self.take(self.prefetch if item.go == "prefetch" else self.go)
        for edge in item.needs:
            yield from self.take(self.edges[edge])
        if item.load:
            yield from self.take(self.ahead, item.load)
        if item.first:
            yield from self.take(self.ring, item.unit_bytes)
        yield from self.take(self.credits)
        self.flights.send(self, self.hbm.ticks(item.bytes), self.moves(item.bytes), item.restart)

    def counts(self, item: Piece) -> tuple[int, ...]:
        return (self.moves(item.bytes),)

    def claims(self, item: Piece) -> Amounts:
        return ("ahead", item.load), ("ring", item.unit_bytes if item.first else 0)

    def moves(self, size: int) -> int:
        return self.busy(self.cause, ("hbm.out", size))


class DmaLand(Process):
    """Writes arrived pieces into the global SRAM, in order, and tells when a unit is complete."""

    remembers = ("moves",)
    flights: Flights
    sram: GlobalSram
    credits: Channel
    staged: Channel

    def work(self, item: Piece) -> Run:
        yield from self.flights.receive(self, item.restart)
        yield from self.sram.access(self, item.bytes, self.moves(item.bytes), item.restart)
        self.credits.give()
        if item.last:
            self.staged.give()

    def counts(self, item: Piece) -> tuple[int, ...]:
        return (self.moves(item.bytes),)

    def moves(self, size: int) -> int:
        return self.busy(Cause.STAGING, ("global_sram.in", size), ("landed", size))


class DmaOut(Process):
    """Stores results: reads them from the global SRAM and posts them to HBM."""

    remembers = (
        "reads",
        "moves",
    )
    hbm: Hbm
    sram: GlobalSram
    flights: Flights
    ready: Channel
    credits: Channel

    def work(self, item: Piece) -> Run:
        if item.first:
            yield from self.take(self.ready)
        yield from self.sram.access(self, item.bytes, self.reads(item.bytes), item.restart)
        yield from self.take(self.credits)
        self.flights.send(self, self.hbm.ticks(item.bytes), self.moves(item.bytes), item.restart)

    def counts(self, item: Piece) -> tuple[int, ...]:
        return self.reads(item.bytes), self.moves(item.bytes)

    def reads(self, size: int) -> int:
        return self.busy(Cause.STAGING, ("global_sram.out", size), ("stored", size))

    def moves(self, size: int) -> int:
        return self.busy(Cause.HBM_OUT, ("hbm.in", size))


class DmaAck(Process):
    """Follows stored pieces until HBM has them."""

    flights: Flights
    credits: Channel
    ring: Channel
    edges: dict[Edge, Channel]

    def work(self, item: Piece) -> Run:
        yield from self.flights.receive(self, item.restart)
        self.credits.give()
        if item.last and item.staged:
            self.ring.give(item.unit_bytes)
        for edge in item.gives:
            self.edges[edge].give()

    def returns(self, item: Piece) -> Amounts:
        return (("ring", item.unit_bytes if item.last and item.staged else 0),)
