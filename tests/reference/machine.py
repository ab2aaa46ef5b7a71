"""Sections 3 to 8: the memories, the parts and their programs, on the loop of `ticks`, as `gemms` and `vectors` planned.

Default mapping only: one tile group of all tiles in lockstep, `barrier` dependencies. Every timing is worked
out here from the raw parameters of the architecture.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from lsim.arch import MATCHED, Arch
from lsim.arch.memory import OperandSram
from lsim.trace.ir import Trace
from reference.gemms import GemmPlan, Transfer, Visit, holds, plan_gemm, reload_ticks
from reference.layout import UNBOUNDED, Layout, Unit, byte_count, lay_out, split, up
from reference.memories import PARTS, Memories, Moved, Mover
from reference.ticks import Channel, Steps, Wait, World, merged
from reference.vectors import VectorPlan, plan_vector

Plan = GemmPlan | VectorPlan


@dataclass(frozen=True)
class ReferenceResult:
    """What a run came to.

    `operators` has the tick at which the controller begins to spend issue ticks for an operator's unit, and
    the tick at which that is done. `intervals` has the ticks [start, end) in which a part or port (`gb0`,
    `hbm0`, …) is busy. `bytes` has, by part, the bytes it moves: `dma.m1`, `dma.m2` and `dpu.dma` from HBM,
    all others to or from the global SRAM (`dma.out` and `dpu.out` read there what they write to HBM). `shots`
    are those of one core.
    """

    ticks: int
    operators: dict[str, tuple[int, int]]
    intervals: dict[str, list[tuple[int, int, str]]]
    bytes: dict[str, int]
    macs: int
    shots: int


def run(trace: Trace, arch: Arch, every_tick: bool = False) -> ReferenceResult:
    """Simulate a trace; raises PlanError if the machine cannot hold it, Deadlock if it comes to a halt."""
    machine = Machine(trace, arch)
    machine.world.loop(every_tick)
    machine.check_conserved()
    return machine.result()


class Fetch(NamedTuple):
    """A unit to bring in from HBM; `go` is the channel of the token to take first, if any."""

    size: int
    starts: bool
    window_takes: int
    go: Channel | None


class Sent(NamedTuple):
    """A unit to send out to HBM; `last` of its operator."""

    unit: Unit
    size: int
    starts: bool
    last: bool


@dataclass
class Flight:
    """The pieces between an issuing process and the one that waits for them, and the credits for them."""

    credits: Channel
    posted: Channel
    pieces: deque[Moved] = field(default_factory=deque)


class Machine:
    """All parts, and every token channel between them."""

    def __init__(self, trace: Trace, arch: Arch) -> None:
        self.arch, self.world = arch, World()
        self.memories = Memories(self.world, arch)
        self.parts = {name: Mover(name) for name in PARTS}
        self.layout = lay_out(trace, arch)
        plans = [_plan(trace, self.layout, arch, unit) for unit in self.layout.units]
        self.plans = plans
        self.gemms = [plan for plan in plans if isinstance(plan, GemmPlan)]
        self.vectors = [plan for plan in plans if isinstance(plan, VectorPlan)]
        self.started: dict[int, int] = {}
        self.done: dict[int, int] = {}
        self.retired = self.macs = self.shots = 0
        self.last_sample: int | None = None
        self._make_channels()
        self._start_processes()

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

    def _start_processes(self) -> None:
        vectors_in = [plan for plan in self.vectors if plan.hbm_operands]
        programs: dict[str, Steps] = {
            "controller": self._issue(),
            "retire": self._retire(),
            "dma.m1": self._fetch("dma.m1", self._fetches_m1()),
            "dma.m1.land": self._land("dma.m1", self._fetches_m1()),
            "dma.m2": self._fetch("dma.m2", self._fetches_m2()),
            "dma.m2.land": self._land("dma.m2", self._fetches_m2()),
            "m1": self._fill_m1(),
            "m2": self._fill_m2(),
            "core": self._core(),
            "drain": self._drain(),
            "dma.out": self._send("dma.out", self._sent_results()),
            "dma.out.ack": self._acknowledge("dma.out", self._sent_results()),
            "dpu.dma": self._fetch("dpu.dma", self._fetches_dpu(vectors_in)),
            "dpu.dma.land": self._land("dpu.dma", self._fetches_dpu(vectors_in)),
            "dpu.read": self._dpu_read(),
            "dpu.lanes": self._dpu_lanes(),
            "dpu.write": self._dpu_write(),
            "dpu.out": self._send("dpu.out", self._sent_pieces()),
            "dpu.out.ack": self._acknowledge("dpu.out", self._sent_pieces()),
        }
        for name in PARTS:
            self.world.start(name, programs[name])

    # ---- section 4: moving data in

    def _fetches_m1(self) -> Iterator[Fetch]:
        for plan in self.gemms:
            go = self.prefetch if plan.m1_weight else self.go["dma.m1"]
            first = True
            for unit in plan.m1_units():
                if unit.fetched:
                    yield Fetch(unit.size, unit.starts, unit.window_takes, go if first else None)
                    first = False

    def _fetches_m2(self) -> Iterator[Fetch]:
        for plan in self.gemms:
            first = True
            for unit in plan.m2_units():
                if unit.fetched:
                    go = self.go["dma.m2"] if first else None
                    yield Fetch(unit.size, unit.starts, unit.window_takes, go)
                    first = False

    def _fetches_dpu(self, plans: list[VectorPlan]) -> Iterator[Fetch]:
        for plan in plans:
            first = True
            for piece in plan.pieces():
                size = plan.hbm_operands * byte_count(self.arch, piece.elements)
                yield Fetch(size, piece.starts, 0, self.go["dpu.dma"] if first else None)
                first = False

    def _fetch(self, name: str, fetches: Iterator[Fetch]) -> Steps:
        """The issuing process of a dma."""
        part, flight = self.parts[name], self.flights[name]
        for fetch in fetches:
            if fetch.go is not None:
                yield from fetch.go.take()
            if fetch.starts:
                part.reset()
            if fetch.window_takes:
                yield from self.ahead[name].take(fetch.window_takes)
            yield from self.rings[name].take(fetch.size)
            pieces = self.memories.pieces(fetch.size)
            for at, size in enumerate(pieces):
                yield from flight.credits.take()
                part.bytes += size
                flight.pieces.append(self.memories.post(part, size, at == len(pieces) - 1))
                flight.posted.give()

    def _land(self, name: str, fetches: Iterator[Fetch]) -> Steps:
        """The landing process of a dma."""
        part, flight = self.parts[f"{name}.land"], self.flights[name]
        for fetch in fetches:
            if fetch.starts:
                part.reset()
            for _ in self.memories.pieces(fetch.size):
                yield from flight.posted.take()
                moved = flight.pieces.popleft()
                yield from self.memories.arrival(moved)
                yield from self.memories.access(part, moved.size)
                flight.credits.give()
                if moved.last:
                    self.staged[name].give()

    def _fill_m1(self) -> Steps:
        for plan in self.gemms:
            yield from self._fill("m1", plan.m1_units)

    def _fill_m2(self) -> Steps:
        for plan in self.gemms:
            yield from self._fill("m2", plan.m2_units)

    def _fill(self, name: str, units: Callable[[], Iterator[Transfer]]) -> Steps:
        """The m1 or m2 filler, for one GEMM."""
        part, dma = self.parts[name], f"dma.{name}"
        yield from self.go[name].take()
        for unit in units():
            if unit.starts:
                part.reset()
            if unit.fetched:
                yield from self.staged[dma].take()
            yield from self.free[name].take()
            yield from self.memories.access(part, unit.size)
            self.full[name].give()
            if unit.released:
                self.rings[dma].give(unit.size)
            if unit.window_gives:
                self.ahead[dma].give(unit.window_gives)

    # ---- section 5: computing

    def _core(self) -> Steps:
        for plan in self.gemms:
            yield from self.go["core"].take()
            for visit in plan.visits():
                if plan.spans_chunks:
                    yield from self.free["act"].take()
                for depth in plan.chunks:
                    yield from self._chunk(plan, visit, depth)
                if plan.spans_chunks:
                    self._act_full()

    def _chunk(self, plan: GemmPlan, visit: Visit, depth: int) -> Steps:
        """The blocks of one chunk of an inner panel."""
        g, q = plan.gathers(depth)
        own_act = not plan.spans_chunks
        last = len(visit.blocks) - 1
        for j, columns in enumerate(visit.blocks):
            if own_act and j % q == 0:
                yield from self.free["act"].take()
            if j == 0:
                yield from self.full["m1"].take()
                yield from self._reload()
            if j % g == 0:
                yield from self.full["m2"].take()
            yield from self._block(depth, plan.shots, m1_changes=j == 0)
            self.macs += visit.rows * columns * depth
            if j % g == g - 1 or j == last:
                self.free["m2"].give()
            if j == last:
                self.free["m1"].give()
            if own_act and (j % q == q - 1 or j == last):
                self._act_full()

    def _act_full(self) -> None:
        """The act unit is full once its last sample went through ADC and accumulator."""
        latency = 0 if "adc" in self.arch.ideal else self.arch.readout.latency
        propagation = 0 if "broadcast" in self.arch.ideal else self.arch.broadcast.propagation
        self.world.give_at(self.world.now + latency + propagation, self.full["act"])

    def _reload(self) -> Steps:
        """Cores that hold an operand write it."""
        begin = self.world.now
        for _ in range(reload_ticks(self.arch)):
            yield from self.world.at(self.world.now + 1, "the held operand to be written")
        if self.world.now > begin:
            self.parts["core"].busy.append((begin, self.world.now))

    def _block(self, depth: int, shots: int, m1_changes: bool) -> Steps:
        """Tick by tick: shoot up to `integrate` steps, wait until the ADC can sample their sum, and so on."""
        begin = self.world.now
        steps = up(depth, self.arch.core.cores * self.arch.core.wavelengths)
        feed = self._feed_interval(not holds(self.arch) and (m1_changes or steps > 1))
        for group in split((1,) * steps * shots, self.arch.readout.integrate):
            for _ in group:
                for _ in range(feed):
                    yield from self.world.at(self.world.now + 1, "feed, then shot")
                self.shots += 1
            while not self._can_sample():
                yield from self.world.at(self.world.now + 1, "the ADC to finish its last conversion")
            self.last_sample = self.world.now
        self.parts["core"].busy.append((begin, self.world.now))

    def _can_sample(self) -> bool:
        conversion = 0 if "adc" in self.arch.ideal else self.arch.readout.conversion
        return self.last_sample is None or self.world.now >= self.last_sample + conversion

    def _feed_interval(self, m1_changes: bool) -> int:
        """Ticks of a step, F."""
        if "feed" in self.arch.ideal:
            return 1
        core = self.arch.core
        encoder = core.clock // self.arch.encoder.sample_rate
        m2 = self._port_ticks(core.columns, self.arch.m2_sram)
        return max(1, encoder, m2, self._port_ticks(core.rows, self.arch.m1_sram) if m1_changes else 1)

    def _port_ticks(self, vectors: int, sram: OperandSram) -> int:
        """Ticks in which a port delivers one step of a tile's operand."""
        core = self.arch.core
        if sram.port == MATCHED:
            return 1
        size = byte_count(self.arch, core.cores * vectors * core.wavelengths)
        return up(size * (core.clock // self.arch.global_sram.clock), int(sram.port))

    def _drain(self) -> Steps:
        part = self.parts["drain"]
        for plan in self.gemms:
            for result in plan.results():
                if result.starts:
                    part.reset()
                yield from self.full["act"].take()
                if result.read:
                    yield from self.memories.access(part, result.read)
                if plan.unit.spilled and result.final:
                    yield from self.rings["dma.out"].take(result.written)
                yield from self.memories.access(part, result.written)
                self.free["act"].give()
                if plan.unit.copied and result.final:
                    self.out["dma.out"].give()
            if not plan.unit.copied:
                self._finish(plan.unit)

    def _sent_results(self) -> Iterator[Sent]:
        for plan in self.gemms:
            if plan.unit.copied:
                starts, sizes = False, []
                for result in plan.results():
                    starts = starts or result.starts
                    if result.final:
                        sizes.append((result.written, starts))
                        starts = False
                yield from _sent(plan.unit, sizes)

    def _sent_pieces(self) -> Iterator[Sent]:
        for plan in self.vectors:
            if plan.unit.copied:
                starts, sizes = False, []
                for piece in plan.pieces():
                    starts = starts or piece.starts
                    if piece.writes:
                        sizes.append((byte_count(self.arch, piece.elements), starts))
                        starts = False
                yield from _sent(plan.unit, sizes)

    def _send(self, name: str, units: Iterator[Sent]) -> Steps:
        """dma.out or dpu.out: from the global SRAM to HBM."""
        part, flight = self.parts[name], self.flights[name]
        for unit in units:
            yield from self.out[name].take()
            if unit.starts:
                part.reset()
            pieces = self.memories.pieces(unit.size)
            for at, size in enumerate(pieces):
                yield from self.memories.access(part, size)
                yield from flight.credits.take()
                flight.pieces.append(self.memories.post(part, size, at == len(pieces) - 1))
                flight.posted.give()

    def _acknowledge(self, name: str, units: Iterator[Sent]) -> Steps:
        """dma.out.ack or dpu.out.ack: what was written is in HBM."""
        flight = self.flights[name]
        for unit in units:
            for _ in self.memories.pieces(unit.size):
                yield from flight.posted.take()
                yield from self.memories.written(flight.pieces.popleft())
                flight.credits.give()
            if unit.unit.spilled:
                self.rings[name].give(unit.size)
            if unit.last:
                self._finish(unit.unit)

    def _dpu_read(self) -> Steps:
        part = self.parts["dpu.read"]
        for plan in self.vectors:
            yield from self.go["dpu.read"].take()
            for piece in plan.pieces():
                if piece.starts:
                    part.reset()
                size = byte_count(self.arch, piece.elements)
                if plan.hbm_operands:
                    yield from self.staged["dpu.dma"].take()
                yield from self.free["dpu in"].take()
                yield from self.memories.access(part, plan.operands * size)
                self.full["dpu in"].give()
                if plan.hbm_operands:
                    self.rings["dpu.dma"].give(plan.hbm_operands * size)

    def _dpu_lanes(self) -> Steps:
        for plan in self.vectors:
            for piece in plan.pieces():
                yield from self.full["dpu in"].take()
                if piece.writes:
                    yield from self.free["dpu out"].take()
                yield from self._spend("dpu.lanes", self._lane_ticks(piece.elements, plan.cycles))
                self.free["dpu in"].give()
                if piece.writes:
                    self.full["dpu out"].give()

    def _lane_ticks(self, elements: int, cycles: int) -> int:
        if "dpu" in self.arch.ideal:
            return 0
        return up(elements * cycles, self.arch.dpu.lanes) * (self.arch.core.clock // self.arch.dpu.clock)

    def _dpu_write(self) -> Steps:
        part = self.parts["dpu.write"]
        for plan in self.vectors:
            for piece in plan.pieces():
                if piece.starts:
                    part.reset()
                if not piece.writes:
                    continue
                size = byte_count(self.arch, piece.elements)
                yield from self.full["dpu out"].take()
                if plan.unit.spilled:
                    yield from self.rings["dpu.out"].take(size)
                yield from self.memories.access(part, size)
                self.free["dpu out"].give()
                if plan.unit.copied:
                    self.out["dpu.out"].give()
            if not plan.unit.copied:
                self._finish(plan.unit)

    def _spend(self, name: str, ticks: int) -> Steps:
        """A part works for so many ticks."""
        begin = self.world.now
        if ticks:
            yield from self.world.at(begin + ticks, "its own work")
            self.parts[name].busy.append((begin, begin + ticks))

    # ---- section 6: the controller

    def _issue(self) -> Steps:
        ticks = 0 if "dispatch" in self.arch.ideal else self.arch.controller.issue
        number = 0  # of the next GEMM with weights
        for plan in self.plans:
            unit = plan.unit
            yield from self.window.take()
            for source in self._sources(unit):
                yield from self._until_done(source)
            yield from self.region.take(unit.takes)
            self.started[unit.index] = self.world.now
            yield from self._spend("controller", ticks)
            for name in _takers_of_go(plan):
                self.go[name].give()
            if isinstance(plan, GemmPlan) and plan.m1_weight:
                if number + self.arch.controller.prefetch < self.weights:
                    self.prefetch.give()
                number += 1

    def _sources(self, unit: Unit) -> list[Unit]:
        """The units whose output a unit reads."""
        producer = self.layout.producer
        return [producer[tensor] for tensor in unit.reads if tensor in producer]

    def _retire(self) -> Steps:
        places = {unit.index: unit.place for unit in self.layout.units if unit.takes and unit.place}
        for unit in self.layout.units:
            yield from self._until_done(unit)
            self.window.give()
            for place in places.values():
                if place.last == unit.index:
                    self.region.give(place.size)
            self.retired = self.world.now

    def _until_done(self, unit: Unit) -> Steps:
        names = ", ".join(operator.name for operator in unit.operators)
        yield Wait(lambda: unit.index in self.done, lambda: f"{names} to be done")

    def _finish(self, unit: Unit) -> None:
        self.done[unit.index] = self.world.now

    # ---- after the run

    def check_conserved(self) -> None:
        """That every slot, credit and byte was given back and every token taken."""
        for name, channel in self._returned().items():
            assert channel.count == self.slots_at_start[name], f"{name}: {channel}"
        groups = (self.go, self.staged, self.full, self.out)
        tokens = [channel for group in groups for channel in group.values()]
        for channel in [self.prefetch, *tokens, *(flight.posted for flight in self.flights.values())]:
            assert channel.count == 0, f"{channel}"

    def result(self) -> ReferenceResult:
        """The outcome of a finished run."""
        spans = {name: part.busy for name, part in self.parts.items()}
        spans |= {port.name: port.services for port in self.world.ports}
        operators = {
            operator.name: (self.started[unit.index], self.done[unit.index])
            for unit in self.layout.units
            for operator in unit.operators
        }
        intervals = {name: [(*span, "busy") for span in merged(busy)] for name, busy in spans.items()}
        moved = {name: part.bytes for name, part in self.parts.items() if part.bytes}
        return ReferenceResult(self.retired, operators, intervals, moved, self.macs, self.shots)


def _plan(trace: Trace, layout: Layout, arch: Arch, unit: Unit) -> Plan:
    return (plan_gemm if unit.is_gemm else plan_vector)(trace, layout, arch, unit)


def _takers_of_go(plan: Plan) -> Iterator[str]:
    """The processes of a unit that take its go."""
    if isinstance(plan, VectorPlan):
        yield from ("dpu.dma", "dpu.read") if plan.hbm_operands else ("dpu.read",)
        return
    if plan.m1 != "resident" and not plan.m1_weight:
        yield "dma.m1"
    if plan.m2 != "resident":
        yield "dma.m2"
    yield from ("m1", "m2", "core")


def _sent(unit: Unit, sizes: list[tuple[int, bool]]) -> Iterator[Sent]:
    """What goes out for a unit, of these sizes, each with whether it starts a row pass."""
    for at, (size, starts) in enumerate(sizes):
        yield Sent(unit, size, starts, at == len(sizes) - 1)
