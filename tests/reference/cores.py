"""Section 5: the cores of all tiles, one process, and the drain of what they made."""

from lsim.arch import MATCHED
from lsim.arch.memory import OperandSram
from reference.board import Board
from reference.gemms import GemmPlan, Visit, holds, reload_ticks
from reference.layout import Widths, byte_count, split, up
from reference.ticks import Steps


class Cores:
    """`macs`: done so far; `shots`: of one core; `last_sample`: the tick of the ADC's last one."""

    def __init__(self, board: Board) -> None:
        self.board, self.arch, self.world = board, board.arch, board.world
        self.macs = self.shots = 0
        self.last_sample: int | None = None

    def work(self) -> Steps:
        for plan in self.board.gemms:
            yield from self.board.go["core"].take()
            for visit in plan.visits():
                if plan.spans_chunks:
                    yield from self.board.free["act"].take()
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
                yield from self.board.free["act"].take()
            if j == 0:
                yield from self.board.full["m1"].take()
                yield from self._reload(plan)
            if j % g == 0:
                yield from self.board.full["m2"].take()
            yield from self._block(plan, depth, m1_changes=j == 0)
            self.macs += visit.rows * columns * depth
            if j % g == g - 1 or j == last:
                self.board.free["m2"].give()
            if j == last:
                self.board.free["m1"].give()
            if own_act and (j % q == q - 1 or j == last):
                self._act_full()

    def _act_full(self) -> None:
        """The act unit is full once its last sample went through ADC and accumulator."""
        latency = 0 if "adc" in self.arch.ideal else self.arch.readout.latency
        propagation = 0 if "broadcast" in self.arch.ideal else self.arch.broadcast.propagation
        self.world.give_at(self.world.now + latency + propagation, self.board.full["act"])

    def _reload(self, plan: GemmPlan) -> Steps:
        """Cores that hold an operand write it."""
        begin = self.world.now
        for _ in range(reload_ticks(self.arch, plan.widths.m1)):
            yield from self.world.at(self.world.now + 1, "the held operand to be written")
        if self.world.now > begin:
            self.board.parts["core"].busy.append((begin, self.world.now))

    def _block(self, plan: GemmPlan, depth: int, m1_changes: bool) -> Steps:
        """Tick by tick: shoot up to `integrate` steps, wait until the ADC can sample their sum, and so on."""
        begin = self.world.now
        steps = up(depth, self.arch.core.cores * self.arch.core.wavelengths)
        feed = self._feed_interval(plan.widths, not holds(self.arch) and (m1_changes or steps > 1))
        for group in split((1,) * steps * plan.shots, self.arch.readout.integrate):
            for _ in group:
                for _ in range(feed):
                    yield from self.world.at(self.world.now + 1, "feed, then shot")
                self.shots += 1
            while not self._can_sample():
                yield from self.world.at(self.world.now + 1, "the ADC to finish its last conversion")
            self.last_sample = self.world.now
        self.board.parts["core"].busy.append((begin, self.world.now))

    def _can_sample(self) -> bool:
        conversion = 0 if "adc" in self.arch.ideal else self.arch.readout.conversion
        return self.last_sample is None or self.world.now >= self.last_sample + conversion

    def _feed_interval(self, widths: Widths, m1_changes: bool) -> int:
        """Ticks of a step, F."""
        if "feed" in self.arch.ideal:
            return 1
        core = self.arch.core
        encoder = core.clock // self.arch.encoder.sample_rate
        m1 = self._port_ticks(widths.m1, core.rows, self.arch.m1_sram) if m1_changes else 1
        return max(1, encoder, m1, self._port_ticks(widths.m2, core.columns, self.arch.m2_sram))

    def _port_ticks(self, width: int, vectors: int, sram: OperandSram) -> int:
        """Ticks in which a port delivers one step of a tile's operand."""
        core = self.arch.core
        if sram.port == MATCHED:
            return 1
        size = byte_count(width, core.cores * vectors * core.wavelengths)
        return up(size * (core.clock // self.arch.global_sram.clock), int(sram.port))


def drain(board: Board) -> Steps:
    part = board.parts["drain"]
    for plan in board.gemms:
        for result in plan.results():
            if result.starts:
                part.reset()
            yield from board.full["act"].take()
            if result.read:
                yield from board.memories.access(part, result.read)
            if plan.unit.spilled and result.final:
                yield from board.rings["dma.out"].take(result.written)
            yield from board.memories.access(part, result.written)
            board.free["act"].give()
            if plan.unit.copied and result.final:
                board.out["dma.out"].give()
        if not plan.unit.copied:
            board.finish(plan.unit)
