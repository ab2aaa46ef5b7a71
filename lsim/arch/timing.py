"""What the parameters come to: bytes of a step, ticks of a transfer, slots; all honour what is idealised."""

from attrs import field, frozen

from lsim.arch.compute import Broadcast, Core, Dpu, Encoder, Operands, Readout
from lsim.arch.control import Controller
from lsim.arch.ideal import UNBOUNDED, UNBOUNDED_BYTES, checked_ideal
from lsim.arch.memory import MATCHED, ActSram, GlobalSram, Hbm, OperandSram
from lsim.units import ceil_div

PICOSECONDS_A_SECOND = 10**12


@frozen(kw_only=True)
class Machine:
    """The parts with their parameters, and the exact whole ticks, bytes and slots that follow from them.

    Where a source is idealised its times are 0 (a feed interval 1) and its slots, ports, pieces in flight
    and bytes are `UNBOUNDED` or `UNBOUNDED_BYTES`: read those from here, not from the parts. Sizes given are
    in bytes.
    """

    core: Core
    operands: Operands
    global_sram: GlobalSram
    m1_sram: OperandSram
    m2_sram: OperandSram
    act_sram: ActSram
    encoder: Encoder
    broadcast: Broadcast
    readout: Readout
    dpu: Dpu
    hbm: Hbm
    controller: Controller
    ideal: frozenset[str] = field(default=frozenset(), converter=checked_ideal)

    # Clocks

    @property
    def sram_cycle(self) -> int:
        """Ticks of an SRAM cycle, of the global SRAM and of the M1 and M2 ports."""
        return self.core.clock // self.global_sram.clock

    @property
    def dpu_cycle(self) -> int:
        """Ticks of a DPU cycle."""
        return self.core.clock // self.dpu.clock

    @property
    def encoder_cycle(self) -> int:
        """Ticks that an encoder takes for a new value."""
        return self.core.clock // self.encoder.sample_rate

    # Cores and their feed

    @property
    def peak_macs_per_tick(self) -> int:
        """Multiply-accumulates of a tick in which every engine of every core has work."""
        core = self.core
        return core.tiles * core.cores * core.rows * core.columns * core.wavelengths

    def m1_step_bytes(self, bits: int) -> int:
        """M1 operands of one step of one tile, so many bits wide."""
        return ceil_div(self.core.cores * self.core.rows * self.core.wavelengths * bits, 8)

    def m2_step_bytes(self, bits: int) -> int:
        """M2 operands of one step, shared by the tiles of a group."""
        return ceil_div(self.core.cores * self.core.columns * self.core.wavelengths * bits, 8)

    @property
    def block_bytes(self) -> int:
        """Partial sums of one block of one tile: rows x columns."""
        return ceil_div(self.core.rows * self.core.columns * self.operands.partial_sum_bits, 8)

    def feed_interval(self, m1_bits: int, m2_bits: int) -> int:
        """Ticks from one shot to the next (F, at least 1), M1 and M2 so many bits wide: 0, of an operand that does not change,
        costs no feed."""
        if "feed" in self.ideal or not (m1_bits or m2_bits):
            return 1
        m1 = self._port_ticks(self.m1_step_bytes(m1_bits), self.m1_sram) if m1_bits else 1
        m2 = self._port_ticks(self.m2_step_bytes(m2_bits), self.m2_sram) if m2_bits else 1
        return max(m1, m2, self.encoder_cycle)

    @property
    def holds_operand(self) -> bool:
        """Whether a core holds one operand while vectors of the other pass, instead of encoding both for each shot."""
        return self.core.kind != "dptc"

    def reload_ticks(self, bits: int) -> int:
        """Ticks in which the cores write the operand they hold, so many bits wide; no less than its way through the M1 port takes."""
        if not self.holds_operand:
            return 0
        write = ceil_div(self.core.reload * self.core.clock, PICOSECONDS_A_SECOND)
        return self._unless("reload", max(write, self._port_ticks(self.m1_step_bytes(bits), self.m1_sram)))

    @property
    def m1_slots(self) -> int:
        """Slots of a tile's M1 SRAM."""
        return self._unless("m1", self.m1_sram.slots, UNBOUNDED)

    @property
    def m2_slots(self) -> int:
        """Slots of the shared M2 SRAM."""
        return self._unless("m2", self.m2_sram.slots, UNBOUNDED)

    # Broadcast and readout

    @property
    def broadcast_streams(self) -> int:
        """M2 streams carried at once."""
        return self._unless("broadcast", self.broadcast.streams, self.broadcast.groups)

    @property
    def broadcast_fan_out(self) -> int:
        """Tiles that one stream can reach."""
        return self._unless("broadcast", self.broadcast.fan_out, self.core.tiles)

    @property
    def switch_ticks(self) -> int:
        """Ticks to turn a stream to another tile group."""
        return self._unless("broadcast", self.broadcast.switch)

    @property
    def propagation_ticks(self) -> int:
        """Ticks from modulator to the furthest tile."""
        return self._unless("broadcast", self.broadcast.propagation)

    @property
    def conversion_ticks(self) -> int:
        """Least ticks from one sample to the next of an ADC."""
        return self._unless("adc", self.readout.conversion)

    @property
    def readout_latency(self) -> int:
        """Ticks from a sample to its sum in the out buffer."""
        return self._unless("adc", self.readout.latency)

    @property
    def act_slots(self) -> int:
        """Slots of a tile's activation SRAM."""
        return self._unless("act", self.act_sram.slots, UNBOUNDED)

    # Global SRAM

    @property
    def global_sram_ports(self) -> int:
        """Transactions that a bank group serves at once."""
        return self._unless("gb", self.global_sram.ports, UNBOUNDED)

    def global_sram_ticks(self, size: int) -> int:
        """Ticks for which a transaction of so many bytes holds a port of its bank group."""
        bytes_a_cycle = self.global_sram.banks // self.global_sram.groups * self.global_sram.line
        return self._unless("gb", ceil_div(size, bytes_a_cycle) * self.sram_cycle)

    @property
    def live_capacity(self) -> int:
        """Bytes of the global SRAM for live activations: what the staging areas leave."""
        return self._unless(
            "capacity", self.global_sram.capacity - sum(self.global_sram.staging), UNBOUNDED_BYTES
        )

    @property
    def m1_staging(self) -> int:
        """Bytes of the global SRAM for M1 operands on their way from HBM."""
        return self._unless("capacity", self.global_sram.m1_staging, UNBOUNDED_BYTES)

    @property
    def m2_staging(self) -> int:
        """Bytes of the global SRAM for M2 operands on their way from HBM."""
        return self._unless("capacity", self.global_sram.m2_staging, UNBOUNDED_BYTES)

    @property
    def out_staging(self) -> int:
        """Bytes of the global SRAM for results on their way out."""
        return self._unless("capacity", self.global_sram.out_staging, UNBOUNDED_BYTES)

    @property
    def dpu_staging(self) -> int:
        """Bytes of the global SRAM for what the DPU reads from HBM."""
        return self._unless("capacity", self.global_sram.dpu_staging, UNBOUNDED_BYTES)

    @property
    def psum_staging(self) -> int:
        """Bytes of the global SRAM for spilled partial sums."""
        return self._unless("capacity", self.global_sram.psum_staging, UNBOUNDED_BYTES)

    # HBM, DPU, controller

    @property
    def hbm_latency(self) -> int:
        """Ticks added to each piece."""
        return self._unless("hbm", ceil_div(self.hbm.latency * self.core.clock, PICOSECONDS_A_SECOND))

    @property
    def hbm_outstanding(self) -> int:
        """Pieces in flight that one requester may have."""
        return self._unless("hbm", self.hbm.outstanding, UNBOUNDED)

    def hbm_ticks(self, size: int) -> int:
        """Ticks for which a piece of so many bytes holds its channel."""
        return self._unless("hbm", ceil_div(size * self.core.clock * self.hbm.channels, self.hbm.bandwidth))

    def dpu_ticks(self, cycles: int) -> int:
        """Ticks of the lanes for so many DPU cycles."""
        return self._unless("dpu", cycles * self.dpu_cycle)

    @property
    def issue_ticks(self) -> int:
        """Ticks to issue an operator."""
        return self._unless("dispatch", self.controller.issue)

    def _port_ticks(self, size: int, sram: OperandSram) -> int:
        if isinstance(sram.port, str):
            assert sram.port == MATCHED
            return 1
        return ceil_div(size * self.sram_cycle, sram.port)

    def _unless(self, source: str, real: int, ideal: int = 0) -> int:
        return ideal if source in self.ideal else real
