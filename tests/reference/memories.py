"""Section 3: the bank groups of the global SRAM and the channels of HBM, and who moves bytes through them."""

from dataclasses import dataclass, field

from lsim.arch import Arch
from reference.layout import up
from reference.ticks import Port, Request, Steps, World

PARTS = (
    *("controller", "retire"),
    *("dma.m1", "dma.m1.land", "dma.m2", "dma.m2.land", "m1", "m2"),
    *("core", "drain", "dma.out", "dma.out.ack"),
    *("dpu.dma", "dpu.dma.land", "dpu.read", "dpu.lanes", "dpu.write", "dpu.out", "dpu.out.ack"),
)
PICOSECONDS = 10**12


@dataclass
class Moved:
    """One piece in flight: its request (None with ideal hbm), and whether it is the last of its unit."""

    size: int
    port: Port | None
    request: Request | None
    last: bool


@dataclass
class Mover:
    """The state of one part: counters over the bank groups and the channels, ticks busy, bytes moved."""

    name: str
    group: int = 0
    channel: int = 0
    bytes: int = 0
    busy: list[tuple[int, int]] = field(default_factory=list)

    @property
    def rank(self) -> int:
        return PARTS.index(self.name)

    def reset(self) -> None:
        """An operator starts."""
        self.group = self.channel = 0


class Memories:
    """Section 3: the bank groups of the global SRAM and the channels of HBM."""

    def __init__(self, world: World, arch: Arch) -> None:
        self.world, self.arch = world, arch
        sram, hbm = arch.global_sram, arch.hbm
        latency = up(hbm.latency * arch.core.clock, PICOSECONDS)
        self.groups = [Port(f"gb{i}", sram.ports, sram.arbitration) for i in range(sram.groups)]
        self.channels = [Port(f"hbm{i}", 1, "fifo", latency) for i in range(hbm.channels)]
        world.ports = [*self.groups, *self.channels]

    def access(self, part: Mover, size: int) -> Steps:
        """Read or write so many bytes of the global SRAM."""
        part.bytes += size
        port = self.groups[part.group]
        part.group = (part.group + 1) % len(self.groups)
        ticks = self._sram_ticks(size)
        if ticks == 0:
            return
        request = port.post(self.world.now, part.rank, ticks)
        yield from self.world.served(port, request, port.latency)
        assert request.start is not None and request.end is not None
        part.busy.append((request.start, request.end))

    def pieces(self, size: int) -> list[int]:
        """The pieces that a transfer unit is cut into."""
        piece = self.arch.hbm.transaction
        return [min(piece, size - at) for at in range(0, size, piece)]

    def post(self, part: Mover, size: int, last: bool) -> Moved:
        """Hand a piece to the part's next channel, without waiting."""
        if "hbm" in self.arch.ideal:
            return Moved(size, None, None, last)
        port = self.channels[part.channel]
        part.channel = (part.channel + 1) % len(self.channels)
        hbm = self.arch.hbm
        ticks = up(size * self.arch.core.clock * hbm.channels, hbm.bandwidth)
        return Moved(size, port, port.post(self.world.now, part.rank, ticks), last)

    def arrival(self, moved: Moved) -> Steps:
        """Wait until a piece arrived."""
        if moved.port is not None and moved.request is not None:
            yield from self.world.served(moved.port, moved.request, moved.port.latency)

    def written(self, moved: Moved) -> Steps:
        """Wait until a piece has been written: its service is all there is to it."""
        if moved.port is not None and moved.request is not None:
            yield from self.world.served(moved.port, moved.request, 0)

    def _sram_ticks(self, size: int) -> int:
        if "gb" in self.arch.ideal:
            return 0
        sram = self.arch.global_sram
        return up(size, sram.banks // sram.groups * sram.line) * (self.arch.core.clock // sram.clock)
