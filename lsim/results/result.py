"""The result of a run: every number defined once, as a function of the timeline."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import Any

from attrs import field, frozen

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.kernel.labels import Kind, Label
from lsim.plan.schedule import Plan
from lsim.results.statistics import PartTime, Statistics
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


@frozen
class State:
    """What a part does at a tick.

    `state`: "busy", "wait" or "idle". `cause`: what a busy part's time is spent on. `waits_for`: the part that it waits for.
    `operator`: the one that it works on; None for an idle part and for a port. (While the row passes of two operators take
    turns, the first of them is named.)
    """

    state: str
    cause: str | None
    waits_for: str | None
    operator: str | None


@frozen(eq=False)
class Result:
    """What a run tells.

    `ticks`: length of the run; `seconds`: the same by the photonic clock. `events`: events that were simulated, `folds`:
    stretches that were repeated without simulating them again. `cpu_s`: CPU seconds of the simulation.
    """

    plan: Plan
    options: dict[str, Any]
    timeline: Timeline
    events: int
    folds: int
    cpu_s: float
    statistics: Statistics = field(repr=False)

    @property
    def trace(self) -> Trace:
        return self.plan.trace

    @property
    def arch(self) -> Arch:
        return self.plan.arch

    @property
    def ticks(self) -> int:
        return self.timeline.end

    @property
    def seconds(self) -> float:
        return self.ticks / self.arch.core.clock

    @property
    def macs(self) -> int:
        return self.trace.macs

    def utilization(self) -> dict[str, float]:
        """`core_busy`: shots of all cores over what they could have fired, one a tick. `occupied`: the same of dot-product
        engines with a row and a column of the result. `useful_macs`: MACs over the peak of all engines and wavelengths."""
        core, counted = self.arch.core, self.statistics.amounts
        cores = core.tiles * core.cores * self.ticks
        peak = self.arch.peak_macs_per_tick * self.ticks
        return {
            "core_busy": counted.get("core_shots", 0) / cores if cores else 0.0,
            "occupied": counted.get("engine_shots", 0) / (cores * core.rows * core.columns) if cores else 0.0,
            "useful_macs": self.macs / peak if peak else 0.0,
        }

    def tiles(self) -> dict[str, dict[str, int]]:
        """Ticks of each tile by root cause; they sum to `ticks`."""
        cores = {self.timeline.parts.index(group.part("core")): group.tiles for group in self.plan.groups}
        return {f"tile{n}": self.statistics.tile(n, cores) for n in range(self.arch.core.tiles)}

    def parts(self) -> dict[str, PartTime]:
        """Ticks of each part; busy, idle and waiting sum to `ticks`."""
        return self.statistics.parts

    def at(self, tick: int) -> dict[str, State]:
        """What every part does at a tick, 0 <= tick < ticks; raises InputError outside."""
        self._check(tick, tick + 1)
        codes, positions = self.timeline.at(tick)
        names = self.timeline.parts
        return {
            name: self._state(name, self.timeline.labels[code], int(position))
            for name, code, position in zip(names, codes, positions, strict=True)
        }

    def window(self, begin: int, end: int) -> dict[str, PartTime]:
        """Ticks of each part in [begin, end); busy, idle and waiting sum to its length. Raises InputError for an empty window
        or one that is not in the run."""
        self._check(begin, end)
        return Statistics(self.timeline, self.timeline.spent(begin, end)).parts

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

    def _check(self, begin: int, end: int) -> None:
        if not 0 <= begin < end <= self.ticks:
            raise InputError(f"[{begin}, {end}) is not in the run's [0, {self.ticks})")

    def _state(self, name: str, label: Label, position: int) -> State:
        ends = self.plan.ends.get(name.removesuffix(".land").removesuffix(".ack"))
        unit = bisect_right(ends, position) if ends else len(self.plan.units)
        working = unit < len(self.plan.units) and label.kind is not Kind.IDLE
        operator = self.plan.units[unit].operators[-1].name if working else None
        waits_for = None if label.target is None else self.timeline.parts[label.target]
        return State(label.kind.name.lower(), label.cause and label.cause.value, waits_for, operator)

    def _start(self, unit: int) -> int:
        """The controller's positions are units; the last thing it does for one is to issue it."""
        return self.timeline.when(self.timeline.parts.index("controller"), unit + 1) - self.arch.issue_ticks

    def _end(self, unit: int) -> int:
        ends = []
        for process in self.plan.participants[unit]:
            done = self.plan.ends[process.removesuffix(".ack")][unit]
            ends.append(self.timeline.when(self.timeline.parts.index(process), done))
        return max(ends)
