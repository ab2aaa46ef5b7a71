"""What all processes share: the plans of a trace, the memories, every token channel between two parts, and what is done."""

from collections import deque
from dataclasses import dataclass, field

from lsim.arch import Arch
from lsim.trace.ir import Trace
from reference.gemms import GemmPlan, plan_gemm
from reference.layout import UNBOUNDED, Layout, Unit, lay_out
from reference.memories import PARTS, Memories, Moved, Mover
from reference.ticks import Channel, Steps, Wait, World
from reference.vectors import VectorPlan, plan_vector

Plan = GemmPlan | VectorPlan


@dataclass
class Flight:
    """The pieces between an issuing process and the one that waits for them, and the credits for them."""

    credits: Channel
    posted: Channel
    pieces: deque[Moved] = field(default_factory=deque)


class Board:
    """All of it for one run. `started`, `done`: the ticks at which the issue of each unit, by number, began and at which it was
    done; `retired`: the tick of the last retirement."""

    def __init__(self, trace: Trace, arch: Arch) -> None:
        self.arch, self.world = arch, World()
        self.memories = Memories(self.world, arch)
        self.parts = {name: Mover(name) for name in PARTS}
        self.layout = lay_out(trace, arch)
        self.plans = [_plan(trace, self.layout, arch, unit) for unit in self.layout.units]
        self.gemms = [plan for plan in self.plans if isinstance(plan, GemmPlan)]
        self.vectors = [plan for plan in self.plans if isinstance(plan, VectorPlan)]
        self.started: dict[int, int] = {}
        self.done: dict[int, int] = {}
        self.retired = 0
        self._make_channels()

    def _make_channels(self) -> None:
        arch, layout = self.arch, self.layout
        self.window = Channel("a window credit", "retire", arch.controller.window)
        self.region = Channel("bytes of the resident region", "retire", layout.peak)
        self.go = {name: Channel(f"go to {name}", "controller") for name in PARTS}
        self.weights = sum(plan.m1_weight for plan in self.gemms)
        self.prefetch = Channel("a prefetch token", "controller", min(self.weights, arch.controller.prefetch))
        self.rings = {
            "dma.m1": Channel("bytes of m1_staging", "m1", layout.m1_staging),
            "dma.m2": Channel("bytes of m2_staging", "m2", layout.m2_staging),
            "dpu.dma": Channel("bytes of dpu_staging", "dpu.read", layout.dpu_staging),
            "dma.out": Channel("bytes of its out_staging", "dma.out.ack", layout.out_drain),
            "dpu.out": Channel("bytes of its out_staging", "dpu.out.ack", layout.out_dpu),
        }
        self.ahead = {
            "dma.m1": Channel("bytes of the window of M1 ahead", "m1", arch.controller.m1_ahead),
            "dma.m2": Channel("bytes of the window of M2 ahead", "m2", arch.controller.m2_ahead),
        }
        incoming = ("dma.m1", "dma.m2", "dpu.dma")
        self.staged = {name: Channel("a staged unit", f"{name}.land") for name in incoming}
        self.flights = {name: self._flight(name) for name in self.rings}
        self.free = {
            "m1": self._slots("m1", arch.m1_sram.slots, "core"),
            "m2": self._slots("m2", arch.m2_sram.slots, "core"),
            "act": self._slots("act", arch.act_sram.slots, "drain"),
            "dpu in": Channel("a free DPU input slot", "dpu.lanes", arch.dpu.slots),
            "dpu out": Channel("a free DPU output slot", "dpu.write", arch.dpu.slots),
        }
        givers = {"m1": "m1", "m2": "m2", "act": "core", "dpu in": "dpu.read", "dpu out": "dpu.lanes"}
        self.full = {name: Channel(f"a full {name} slot", giver) for name, giver in givers.items()}
        self.out = {"dma.out": Channel("a result", "drain"), "dpu.out": Channel("a result", "dpu.write")}
        self.slots_at_start = {name: channel.count for name, channel in self._returned().items()}

    def _flight(self, name: str) -> Flight:
        waiter = f"{name}.ack" if name.endswith("out") else f"{name}.land"
        credit = UNBOUNDED if "hbm" in self.arch.ideal else self.arch.hbm.outstanding
        return Flight(Channel("an outstanding credit", waiter, credit), Channel("a posted piece", name))

    def _slots(self, name: str, slots: int, giver: str) -> Channel:
        return Channel(f"a free {name} slot", giver, UNBOUNDED if name in self.arch.ideal else slots)

    def _returned(self) -> dict[str, Channel]:
        """The channels that must end a run as they began it."""
        credits = {f"{name} credits": flight.credits for name, flight in self.flights.items()}
        rings = {f"{name} ring": ring for name, ring in self.rings.items()}
        ahead = {f"{name} ahead": window for name, window in self.ahead.items()}
        return {"window": self.window, "region": self.region, **self.free, **credits, **rings, **ahead}

    def spend(self, name: str, ticks: int) -> Steps:
        """A part works for so many ticks."""
        begin = self.world.now
        if ticks:
            yield from self.world.at(begin + ticks, "its own work")
            self.parts[name].busy.append((begin, begin + ticks))

    def until_done(self, unit: Unit) -> Steps:
        names = ", ".join(operator.name for operator in unit.operators)
        yield Wait(lambda: unit.index in self.done, lambda: f"{names} to be done")

    def finish(self, unit: Unit) -> None:
        self.done[unit.index] = self.world.now

    def check_conserved(self) -> None:
        """That every slot, credit and byte was given back and every token taken."""
        for name, channel in self._returned().items():
            assert channel.count == self.slots_at_start[name], f"{name}: {channel}"
        groups = (self.go, self.staged, self.full, self.out)
        tokens = [channel for group in groups for channel in group.values()]
        for channel in [self.prefetch, *tokens, *(flight.posted for flight in self.flights.values())]:
            assert channel.count == 0, f"{channel}"


def _plan(trace: Trace, layout: Layout, arch: Arch, unit: Unit) -> Plan:
    return (plan_gemm if unit.is_gemm else plan_vector)(trace, layout, arch, unit)
