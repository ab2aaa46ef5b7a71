"""The result of a run: every number defined once, as a function of the timeline."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from attrs import field, frozen

from lsim.arch import Arch
from lsim.plan.schedule import Plan
from lsim.results.folded import FoldedLog
from lsim.results.statistics import PartTime, Statistics, shares
from lsim.results.timeline import Timeline
from lsim.trace import Trace

BUFFERS = ("hbm", "global_sram", "m1_sram", "m2_sram", "act_sram", "dpu_in", "dpu_out")


@frozen
class OperatorRun:
    """When an operator ran: from the tick at which its issue begins to the tick at which its last result is in place."""

    name: str
    kind: str
    macs: int
    start: int
    end: int


@frozen(eq=False, repr=False)
class Result:
    """What a run tells.

    `ticks`: length of the run; `seconds`: the same by the photonic clock. `events`: events that were simulated, `folds`:
    stretches that were repeated without simulating them again. `cpu_s`: CPU seconds of the simulation.
    """

    plan: Plan
    options: dict[str, Any]
    log: FoldedLog
    events: int
    folds: int
    cpu_s: float
    statistics: Statistics = field(repr=False)

    def __repr__(self) -> str:
        return f"<{self.trace.name} on {self.arch.name}: {self.ticks} ticks>"

    @property
    def trace(self) -> Trace:
        return self.plan.trace

    @property
    def arch(self) -> Arch:
        return self.plan.arch

    @cached_property
    def timeline(self) -> Timeline:
        """What every part did at any tick."""
        return Timeline(self.plan, self.statistics.states)

    @property
    def ticks(self) -> int:
        return self.log.end

    @property
    def seconds(self) -> float:
        return self.ticks / self.arch.core.clock

    @property
    def macs(self) -> int:
        return self.trace.macs

    def utilization(self) -> dict[str, float]:
        """What the cores did over what they could have done: see `lsim.results.statistics.shares`."""
        return shares(self.statistics.amounts, self.arch, self.ticks)

    def tiles(self) -> dict[str, dict[str, int]]:
        """Ticks of each tile by root cause; they sum to `ticks`."""
        cores = {self.log.parts.index(group.part("core")): group.tiles for group in self.plan.groups}
        return {f"tile{n}": self.statistics.tile(n, cores) for n in range(self.arch.core.tiles)}

    def parts(self) -> dict[str, PartTime]:
        """Ticks of each part; busy, idle and waiting sum to `ticks`."""
        return self.statistics.parts

    @cached_property
    def operators(self) -> tuple[OperatorRun, ...]:
        """Every operator of the trace in order; those fused into one program share its start and end."""
        runs = []
        for u, unit in enumerate(self.plan.units):
            start, end = self._start(u), self._end(u)
            runs += [OperatorRun(op.name, op.kind.value, op.macs, start, end) for op in unit.operators]
        return tuple(runs)

    def bytes(self) -> dict[str, dict[str, int]]:
        """Bytes into and out of each memory."""
        counted = self.statistics.amounts
        return {name: {way: counted.get(f"{name}.{way}", 0) for way in ("in", "out")} for name in BUFFERS}

    def to_dict(self) -> dict[str, Any]:
        """The object that `lsim run --json` prints."""
        from lsim import __version__

        return {
            "lsim": __version__,
            "trace": {
                "name": self.trace.name,
                "sha256": self.trace.sha256,
                "operators": len(self.trace.operators),
                "macs": self.macs,
            },
            "arch": {
                "name": self.arch.name,
                "sha256": self.arch.sha256,
                "assumptions": [
                    {"key": a.key, "value": a.value, "source": a.source} for a in self.arch.assumptions
                ],
            },
            "options": self.options,
            "ticks": self.ticks,
            "seconds": self.seconds,
            "macs": self.macs,
            "events": self.events,
            "folds": self.folds,
            "cpu_s": self.cpu_s,
            "utilization": self.utilization(),
            "tiles": self.tiles(),
            "parts": {
                name: {"busy": p.busy, "idle": p.idle, "waiting": dict(p.waiting)}
                for name, p in self.parts().items()
            },
            "operators": [
                {"name": o.name, "kind": o.kind, "macs": o.macs, "start": o.start, "end": o.end}
                for o in self.operators
            ],
            "bytes": self.bytes(),
        }

    def _start(self, unit: int) -> int:
        """The controller's positions are units; the last thing it does for one is to issue it."""
        return self.log.when(self.log.parts.index("controller"), unit + 1) - self.arch.issue_ticks

    def _end(self, unit: int) -> int:
        ends = []
        for process in self.plan.participants[unit]:
            done = self.plan.ends[process.removesuffix(".ack")][unit]
            ends.append(self.log.when(self.log.parts.index(process), done))
        return max(ends)
