"""The digital processing unit: lanes that compute softmax, norms, activations and residuals between two buffers."""

from __future__ import annotations

from lsim.arch import Arch
from lsim.kernel.labels import Cause
from lsim.kernel.process import Process, Run
from lsim.kernel.tokens import Channel
from lsim.plan.items import Lanes


class DpuLanes(Process):
    """One piece after another."""

    remembers = ("piece",)
    folds = True
    arch: Arch
    in_full: Channel
    in_free: Channel
    out_free: Channel
    out_full: Channel

    def work(self, item: Lanes) -> Run:
        yield from self.take(self.in_full)
        if item.writes:
            yield from self.take(self.out_free)
        yield from self.spend(*self.piece(item))
        self.in_free.give()
        if item.writes:
            self.out_full.give()

    def counts(self, item: Lanes) -> tuple[int, ...]:
        return (self.piece(item)[1],)

    def piece(self, item: Lanes) -> tuple[int, int]:
        """Ticks and code of a piece."""
        counted = [("dpu_in.out", item.reads)]
        counted += [(f"dpu.{function}", item.elements) for function in item.functions]
        if item.writes:
            counted.append(("dpu_out.in", item.writes))
        return self.arch.dpu_ticks(item.cycles), self.busy(Cause.DPU, *counted)
