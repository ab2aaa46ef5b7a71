"""The result of a run: every number defined once, as a function of the timeline."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from lsim.arch import Arch
from lsim.results.folded import FoldedLog
from lsim.results.positions import reached
from lsim.results.statistics import PartTime, Statistics, shares
from lsim.trace import Trace
from lsim.trace.masks import Masked, masked

if TYPE_CHECKING:
    from lsim.plan.schedule import Plan
    from lsim.results.energy.account import Energy
    from lsim.results.energy.power import PowerSeries
    from lsim.results.timeline import Timeline

BUFFERS = ("hbm", "global_sram", "m1_sram", "m2_sram", "act_sram", "dpu_in", "dpu_out")


def bytes_of(amounts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Bytes into and out of each memory, among all that was counted."""
    return {name: {way: amounts.get(f"{name}.{way}", 0) for way in ("in", "out")} for name in BUFFERS}


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

    trace: Trace
    arch: Arch
    options: dict[str, Any]
    log: FoldedLog
    events: int
    folds: int
    cpu_s: float
    statistics: Statistics
    _planned: Plan | None = None

    def __repr__(self) -> str:
        return f"<{self.trace.name} on {self.arch.name}: {self.ticks} ticks>"

    @cached_property
    def plan(self) -> Plan:
        """How the work was divided. Made again for a result that was read from a folder, once a query needs it."""
        if self._planned is not None:
            return self._planned
        from lsim.plan.schedule import Deps, plan

        return plan(self.trace, self.arch, self.options["mapping"], Deps(self.options["deps"]))

    @cached_property
    def timeline(self) -> Timeline:
        """What every part did at any tick."""
        from lsim.results.timeline import Timeline

        return Timeline(lambda: self.plan, self.statistics.states)

    @property
    def ticks(self) -> int:
        return self.log.end

    @property
    def seconds(self) -> float:
        return self.ticks / self.arch.core.clock

    @property
    def macs(self) -> int:
        return self.trace.macs

    @cached_property
    def masked(self) -> Masked:
        """How many of the MACs are masked, and how many are skipped because they would be."""
        return masked(self.trace)

    def utilization(self) -> dict[str, float]:
        """What the cores did over what they could have done: see `lsim.results.statistics.shares`."""
        return shares(self.statistics.amounts, self.arch, self.ticks)

    def tiles(self) -> dict[str, dict[str, int]]:
        """Ticks of each tile by root cause; they sum to `ticks`."""
        return {name: dict(causes) for name, causes in self._tiles.items()}

    @cached_property
    def _tiles(self) -> dict[str, dict[str, int]]:
        cores = {self.log.parts.index(group.part("core")): group.tiles for group in self.plan.groups}
        return {f"tile{n}": self.statistics.tile(n, cores) for n in range(self.arch.core.tiles)}

    def parts(self) -> dict[str, PartTime]:
        """Ticks of each part; busy, idle and waiting sum to `ticks`."""
        return self.statistics.parts

    @cached_property
    def operators(self) -> tuple[OperatorRun, ...]:
        """Every operator of the trace in order; those fused into one program share its start and end."""
        log, plan = self.log, self.plan
        units = np.arange(1, len(plan.units) + 1)  # positions of the controller, which issues one last of all
        starts = reached(log, log.parts.index("controller"), units) - self.arch.issue_ticks
        ends = np.zeros_like(units)
        for process in {name for names in plan.participants for name in names}:
            mine = [u for u, names in enumerate(plan.participants) if process in names]
            done = np.array([plan.ends[process.removesuffix(".ack")][u] for u in mine])
            ends[mine] = np.maximum(ends[mine], reached(log, log.parts.index(process), done))
        return tuple(
            OperatorRun(operator.name, operator.kind.value, operator.macs, start, end)
            for unit, start, end in zip(plan.units, starts.tolist(), ends.tolist(), strict=True)
            for operator in unit.operators
        )

    def bytes(self) -> dict[str, dict[str, int]]:
        """Bytes into and out of each memory."""
        return bytes_of(self.statistics.amounts)

    def energy(self) -> Energy:
        """The energy of the run, exact; raises LawBroken if its sums differ."""
        return self._energy

    @cached_property
    def _energy(self) -> Energy:
        from lsim.results.energy.account import Energy

        energy = Energy(self.statistics, self.plan, self._tiles)
        energy.check()
        return energy

    def power(self, bins: int, begin: int = 0, end: int | None = None) -> PowerSeries:
        """Energy and power by component in `bins` bins of [begin, end), at most one a tick; see `lsim.results.energy.power`.

        Raises InputError for fewer than one bin, or a window that is empty or not in the run.
        """
        from lsim.results.energy.power import Drawn

        cuts = self.timeline.cuts(bins, begin, self.ticks if end is None else end)
        return Drawn(self._energy, self.statistics.states).between(cuts)

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
                **self.masked.to_dict(),
                "unknown": [operator.name for operator in self.trace.unknown],
            },
            "arch": arch_told(self.arch),
            "options": self.options,
            "ticks": self.ticks,
            "seconds": self.seconds,
            "macs": self.macs,
            "events": self.events,
            "folds": self.folds,
            "cpu_s": self.cpu_s,
            "utilization": self.utilization(),
            "tiles": self.tiles(),
            "parts": parts_told(self.parts()),
            "operators": [
                {"name": o.name, "kind": o.kind, "macs": o.macs, "start": o.start, "end": o.end}
                for o in self.operators
            ],
            "bytes": self.bytes(),
            "energy": self.energy().to_dict(),
        }


def arch_told(arch: Arch) -> dict[str, Any]:
    """What a run as JSON says of its machine."""
    assumptions = [{"key": a.key, "value": a.value, "source": a.source} for a in arch.assumptions]
    return {"name": arch.name, "sha256": arch.sha256, **arch.operands.to_dict(), "assumptions": assumptions}


def parts_told(parts: Mapping[str, PartTime]) -> dict[str, Any]:
    """What a run as JSON says of its parts."""
    return {name: {"busy": p.busy, "idle": p.idle, "waiting": dict(p.waiting)} for name, p in parts.items()}
