"""The controller: issues units in trace order within a window, and retires them."""

from __future__ import annotations

from collections.abc import Mapping

from lsim.kernel.labels import Cause
from lsim.kernel.process import Amounts, Process, Run
from lsim.kernel.tokens import Channel
from lsim.plan.items import Edge, Issue, Retire


class Controller(Process):
    """Issues a unit when the window, its inputs and the room for its result allow."""

    window: Channel
    region: Channel
    prefetch: Channel
    go: Mapping[str, Channel]
    edges: dict[Edge, Channel]
    issue_ticks: int

    def work(self, item: Issue) -> Run:
        yield from self.take(self.window)
        for edge in item.needs:
            yield from self.take(self.edges[edge])
        if item.claim:
            yield from self.take(self.region, item.claim)
        yield from self.spend(self.issue_ticks, self.busy(Cause.DISPATCH))
        for name in item.go:
            self.go[name].give()
        if item.prefetch:
            self.prefetch.give(item.prefetch)

    def claims(self, item: Issue) -> Amounts:
        return (("region", item.claim),)


class Retirement(Process):
    """Retires units in order: the window credit and the room of what nobody reads any more come back."""

    window: Channel
    region: Channel
    edges: dict[Edge, Channel]

    def work(self, item: Retire) -> Run:
        for edge in item.needs:
            yield from self.take(self.edges[edge])
        self.window.give()
        if item.frees:
            self.region.give(item.frees)

    def returns(self, item: Retire) -> Amounts:
        return (("region", item.frees),)
