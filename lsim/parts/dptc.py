"""The photonic tensor cores of a tile group: one shot a tick when fed, all tiles in lockstep on one M2 stream."""

from __future__ import annotations

from lsim.arch import Arch
from lsim.kernel.flight import Delay
from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.process import Process, Run, Wait
from lsim.kernel.tokens import Channel
from lsim.parts.broadcast import Broadcast
from lsim.parts.readout import Pattern
from lsim.plan.items import Block
from lsim.plan.widths import packed
from lsim.units import ceil_div


class Core(Process):
    """The cores of a group. A block is one event: its shots and samples are the closed form of `Pattern`."""

    remembers = ("block", "writes")
    folds = True
    arch: Arch
    go: Channel
    m1_full: Channel
    m1_free: Channel
    m2_full: Channel
    m2_free: Channel
    act_free: Channel
    act_full: Channel
    readout: Delay
    broadcast: Broadcast | None
    conversion: int  # ticks between samples
    adc_ready: int  # deadline: when the ADC has finished its last sample

    def add_parts(self) -> None:
        """Parts that come with the core."""
        self.conversion = self.arch.conversion_ticks

    def work(self, item: Block) -> Run:
        if item.go:
            yield from self.take(self.go)
        if item.takes_act:
            yield from self.take(self.act_free)
        if item.first_of_chunk:
            yield from self.take(self.m1_full)
            if self.arch.holds_operand:
                yield from self.spend(item.reload, self.writes(item))
        if item.takes_m2:
            yield from self.take(self.m2_full)
        if self.broadcast is not None:
            yield from self.broadcast.grant(self)
        yield from self.shoot(item)
        if self.broadcast is not None:
            self.broadcast.release(self)
        if item.frees_m2:
            self.m2_free.give()
        if item.last_of_chunk:
            self.m1_free.give()
        if item.gives_act:
            self.readout.send(self.act_full)

    def shoot(self, item: Block) -> Run | Wait:
        """The shots of a block, to its last sample."""
        env = self.env
        carry = max(0, env.deadlines[self.adc_ready] - env._now)
        ticks, code = self.block(item, carry)
        env.deadlines[self.adc_ready] = env._now + ticks + self.conversion
        return self.spend(ticks, code)

    def counts(self, item: Block) -> tuple[int, ...]:
        held = self.arch.holds_operand and item.first_of_chunk
        return (*((self.writes(item),) if held else ()), self.shots(item))

    def shots(self, item: Block) -> int:
        """The code of a state that counts the shots of a block."""
        return self.block(item, 0)[1]

    def writes(self, item: Block) -> int:
        """The code of writing the operand that the cores hold."""
        told = None, active_tiles(item, self.arch)
        label = Label(Kind.BUSY, Cause.RELOAD, amounts=written(item, self.arch), pattern=told)
        return self.env.labels.code(label)

    def block(self, item: Block, carry: int) -> tuple[int, int]:
        """Ticks of a block, and the code that says so."""
        readout = self.arch.readout
        pattern = Pattern(item.shots, item.feed, readout.integrate, self.arch.conversion_ticks, carry)
        label = Label(
            Kind.BUSY,
            Cause.COMPUTE,
            amounts=amounts(item, self.arch),
            pattern=(pattern, active_tiles(item, self.arch)),
        )
        return pattern.ticks, self.env.labels.code(label)


def active_tiles(item: Block, arch: Arch) -> int:
    """Tiles that have rows of this block."""
    return ceil_div(item.rows, arch.core.rows)


def amounts(item: Block, arch: Arch) -> tuple[tuple[str, int], ...]:
    """What one block counts."""
    core, elements = arch.core, item.rows * item.columns
    sums = packed(elements, arch.operands.partial_sum_bits)
    counted = [
        ("rows", item.rows),
        ("steps", _steps(item, arch)),
        ("macs", elements * item.depth),
        ("shots", item.shots),
        ("core_shots", item.shots * core.cores * active_tiles(item, arch)),
        ("engine_shots", item.shots * core.cores * elements),
        ("conversions", ceil_div(item.shots, arch.readout.integrate) * elements),
        ("m2_sram.out", packed(item.columns * item.depth, item.m2_bits)),
        *_encoded(item, arch),
    ]
    if item.last_of_chunk:
        counted.append(("m1_sram.out", packed(item.rows * item.depth, item.m1_bits)))
    counted.append(("act_sram.in" if item.deposits else "act_sram.kept", sums))
    return tuple(counted)


def written(item: Block, arch: Arch) -> tuple[tuple[str, int], ...]:
    """What writing the operand of a chunk counts: its values, and those that a mesh is programmed with, which is so as a whole."""
    held = item.rows * item.depth
    counted = [("rows", item.rows), ("held", held), ("m1_fed_bits", held * item.m1_bits)]
    if arch.core.kind == "mzi-mesh":
        meshes = active_tiles(item, arch) * ceil_div(item.depth, arch.core.wavelengths)
        phases, diagonal = arch.core.mesh_values
        counted += [("phases", meshes * phases), ("diagonals", meshes * diagonal)]
    return tuple(counted)


def _encoded(item: Block, arch: Arch) -> tuple[tuple[str, int], ...]:
    """Values that become light, and their bits as they are stored. An M1 operand that stays on its encoders from the block before
    is not encoded again.

    Where cores hold M1, no light is shared: what is fed, for each sign, each tile encodes for itself.
    """
    steps, passing = _steps(item, arch), item.columns * item.depth
    if arch.holds_operand:
        fed = passing * item.shots // steps
        return ("inputs", fed * active_tiles(item, arch)), ("m2_fed_bits", fed * item.m2_bits)
    stays = steps == 1 and not item.first_of_chunk
    m1 = 0 if stays else item.rows * item.depth
    fed_bits = ("m1_fed_bits", m1 * item.m1_bits), ("m2_fed_bits", passing * item.m2_bits)
    return ("m1_encodings", m1), ("m2_encodings", passing), *fed_bits


def _steps(item: Block, arch: Arch) -> int:
    return ceil_div(item.depth, arch.core.cores * arch.core.wavelengths)
