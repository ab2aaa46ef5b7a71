"""The machine put together: every part, every channel between them, and every port, for one plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lsim.kernel.environment import Environment
from lsim.kernel.flight import Delay
from lsim.kernel.labels import Cause
from lsim.kernel.process import Process
from lsim.kernel.program import Program, Seq
from lsim.kernel.tokens import Channel, Pile
from lsim.parts.broadcast import Broadcast
from lsim.parts.controller import Controller, Retirement
from lsim.parts.dma import DmaAck, DmaIssue, DmaLand, DmaOut
from lsim.parts.dptc import Core
from lsim.parts.dpu import DpuLanes
from lsim.parts.drain import Drainer
from lsim.parts.hbm import Hbm
from lsim.parts.operand_sram import Filler
from lsim.parts.sram import GlobalSram
from lsim.plan.items import ROWS, Edge
from lsim.plan.mappings import Group
from lsim.plan.places import program_of
from lsim.plan.schedule import Plan

NOTHING = Seq(())


class Machine:
    """All parts of a run. Parts are made in rank order, then wired, then started."""

    def __init__(self, env: Environment, plan: Plan, core: type[Core] = Core) -> None:
        self.env, self.plan, self.arch = env, plan, plan.arch
        self._core = core
        self.processes: dict[str, Process] = {}
        self._make_processes()
        for process in list(self.processes.values()):
            if isinstance(process, Core):
                process.add_parts()
        self.readouts = {group.name: self._readout(group) for group in plan.groups}
        self.sram = GlobalSram(env, self.arch)
        self.hbm = Hbm(env, self.arch)
        contended = len(plan.groups) > 1 and self.arch.broadcast_streams < len(plan.groups) - 1
        self.broadcast = Broadcast(env, self.arch) if contended else None
        self.edges: dict[Edge, Channel] = {}
        self.go: dict[str, Channel] = {}
        self.prefetch = self._channel("controller", idle=True)
        self._wire()
        self.prefetch.give(plan.prefetched)
        for process in env.processes:
            process.start()

    # -- parts -----------------------------------------------------------------------------------------------------
    def _make_processes(self) -> None:
        self._make("controller", Controller)
        self._make("retire", Retirement)
        for group in self.plan.groups:
            self._make_group(group)
        self._make("dpu.dma", DmaIssue, cause=Cause.HBM_DPU)
        self._make("dpu.dma.land", DmaLand)
        self._make("dpu.read", Filler, cause=Cause.DPU_READ, buffer="dpu_in")
        self._make("dpu.lanes", DpuLanes)
        self._make("dpu.write", Drainer, cause=Cause.DPU_WRITE, buffer="dpu_out")
        self._make("dpu.out", DmaOut)
        self._make("dpu.out.ack", DmaAck)

    def _make_group(self, group: Group) -> None:
        def make(kind: str, cls: type[Process], **settings: Any) -> None:
            self._make(group.part(kind), cls, **settings)

        make("dma.m1", DmaIssue, cause=Cause.HBM_M1)
        make("dma.m1.land", DmaLand)
        make("dma.m2", DmaIssue, cause=Cause.HBM_M2)
        make("dma.m2.land", DmaLand)
        make("m1", Filler, cause=Cause.M1_FILL, buffer="m1_sram")
        make("m2", Filler, cause=Cause.M2_FILL, buffer="m2_sram")
        make("core", self._core, adc_ready=self.env.deadline())
        make("drain", Drainer, cause=Cause.DRAIN, buffer="act_sram")
        make("dma.out", DmaOut)
        make("dma.out.ack", DmaAck)

    def _make(self, name: str, cls: type[Process], **settings: Any) -> None:
        process = cls(self.env, name, self._program(name))
        for key, value in {"arch": self.arch, **settings}.items():
            setattr(process, key, value)
        self.processes[name] = process

    def _program(self, name: str) -> Program:
        return self.plan.programs.get(program_of(name), NOTHING)

    def _readout(self, group: Group) -> Delay:
        ticks = self.arch.readout_latency + self.arch.propagation_ticks
        return Delay(
            self.env, group.part("readout"), ticks, self.processes[group.part("core")], Cause.READOUT
        )

    # -- wires -----------------------------------------------------------------------------------------------------
    def _wire(self) -> None:
        for edge, giver in self.plan.givers.items():
            self.edges[edge] = self._channel(giver, kind=Pile if edge[0] == ROWS else Channel)
        for process in self.processes.values():
            process.edges, process.sram, process.hbm = self.edges, self.sram, self.hbm  # type: ignore[attr-defined]
        self._wire_controller()
        for group in self.plan.groups:
            self._wire_group(group)
        self._wire_dpu()

    def _channel(
        self, giver: str, count: int = 0, idle: bool = False, kind: type[Channel] = Channel
    ) -> Channel:
        channel = kind(self.env, count, idle)
        channel.given_by(self.processes[giver].index)
        return channel

    def _wire_controller(self) -> None:
        window = self._channel("retire", self.arch.controller.window)
        region = self._channel("retire", self.plan.residency.region)
        self._set(
            "controller",
            window=window,
            region=region,
            prefetch=self.prefetch,
            go=self.go,
            issue_ticks=self.arch.issue_ticks,
        )
        self._set("retire", window=window, region=region)

    def _wire_group(self, group: Group) -> None:
        part, arch = group.part, self.arch
        rings = self.plan.residency.rings(group.ring_share)
        self._wire_dma_in(part, "dma.m1", "m1", rings.m1, arch.controller.m1_ahead)
        self._wire_dma_in(part, "dma.m2", "m2", rings.m2, arch.controller.m2_ahead)
        for m, slots in (("m1", arch.m1_slots), ("m2", arch.m2_slots)):
            self._slots(part(m), part("core"), slots, f"{m}_free", f"{m}_full")
        act_free = self._channel(part("drain"), arch.act_slots)
        act_full = Channel(self.env)
        act_full.given_by(self.readouts[group.name].index)
        self._set(
            part("core"),
            act_free=act_free,
            act_full=act_full,
            readout=self.readouts[group.name],
            broadcast=self.broadcast,
            go=self._go(part("core")),
        )
        self._set(part("drain"), free=act_free, full=act_full)
        self._wire_dma_out(part("drain"), part("dma.out"), rings.out)

    def _wire_dpu(self) -> None:
        def part(kind: str) -> str:
            return kind

        self._wire_dma_in(part, "dpu.dma", "dpu.read", self.plan.residency.dpu_staging, 0)
        self._slots("dpu.read", "dpu.lanes", self.arch.dpu.slots, "in_free", "in_full")
        out_free = self._channel("dpu.write", self.arch.dpu.slots)
        out_full = self._channel("dpu.lanes")
        self._set("dpu.lanes", out_free=out_free, out_full=out_full)
        self._set("dpu.write", free=out_free, full=out_full)
        self._wire_dma_out("dpu.write", "dpu.out", self.plan.residency.out_staging)

    def _wire_dma_in(self, part: Callable[[str], str], dma: str, filler: str, room: int, ahead: int) -> None:
        issue, land, filler = part(dma), part(f"{dma}.land"), part(filler)
        flights, credits = self.hbm.reads(), self._channel(land, self.arch.hbm_outstanding)
        ring, staged, window = self._channel(filler, room), self._channel(land), self._channel(filler, ahead)
        self._set(
            issue,
            flights=flights,
            credits=credits,
            ring=ring,
            ahead=window,
            go=self._go(issue),
            prefetch=self.prefetch,
        )
        self._set(land, flights=flights, credits=credits, staged=staged)
        flights.connect(self.processes[issue], self.processes[land])
        self._set(filler, staged=staged, ring=ring, ahead=window, go=self._go(filler))

    def _wire_dma_out(self, drain: str, dma: str, room: int) -> None:
        ack = f"{dma}.ack"
        flights, credits = self.hbm.writes(), self._channel(ack, self.arch.hbm_outstanding)
        ring, ready = self._channel(ack, room), self._channel(drain)
        self._set(drain, ring=ring, out_ready=ready)
        self._set(dma, flights=flights, credits=credits, ready=ready)
        self._set(ack, flights=flights, credits=credits, ring=ring)
        flights.connect(self.processes[dma], self.processes[ack])

    def _slots(self, filler: str, taker: str, slots: int, free_name: str, full_name: str) -> None:
        free, full = self._channel(taker, slots), self._channel(filler)
        self._set(filler, free=free, full=full)
        self._set(taker, **{free_name: free, full_name: full})

    def _go(self, process: str) -> Channel:
        channel = self.go.get(process)
        if channel is None:
            channel = self.go[process] = self._channel("controller", idle=True)
        return channel

    def _set(self, name: str, **settings: Any) -> None:
        for key, value in settings.items():
            setattr(self.processes[name], key, value)
