"""The parameters of every memory: HBM, global SRAM and the SRAMs and buffers of the tiles."""

from typing import Final

from attrs import frozen

from lsim.arch.compute import ARBITRATIONS
from lsim.arch.param import choice, number, number_or
from lsim.units import BANDWIDTH, FREQUENCY, SIZE, TIME

MATCHED: Final = "matched"


@frozen
class GlobalSram:
    """The SRAM that tiles, DPU and HBM share; a transaction is striped over the banks of its group."""

    capacity: int = number("all of it: staging areas and live activations", SIZE)
    banks: int = number("banks, each accessed once a cycle")
    line: int = number("bytes of one access of one bank", SIZE)
    clock: int = number("SRAM clock, also of the M1 and M2 ports; a whole number of ticks", FREQUENCY)
    groups: int = number("bank groups that serve independently; divides the banks")
    ports: int = number("transactions that a group serves at once")
    arbitration: str = choice("which waiting transaction a group serves next", ARBITRATIONS)
    m1_staging: int = number("set aside, at least, for M1 operands from HBM", SIZE, low=0)
    m2_staging: int = number("set aside, at least, for M2 operands from HBM", SIZE, low=0)
    out_staging: int = number(
        "set aside for results on their way to HBM, half for the tiles and half for the DPU", SIZE, low=0
    )
    dpu_staging: int = number("set aside for what the DPU reads from HBM", SIZE, low=0)
    psum_staging: int = number("set aside for partial sums that leave the tiles and come back", SIZE, low=0)

    @property
    def staging(self) -> tuple[int, ...]:
        """All that is set aside."""
        return self.m1_staging, self.m2_staging, self.out_staging, self.dpu_staging, self.psum_staging


@frozen
class OperandSram:
    """The SRAM that feeds one operand to the encoders: M1 has one a tile, M2 one shared by all."""

    slot: int = number("capacity of one slot: the operands of one fill", SIZE)
    slots: int = number("slots; 2 is a double buffer")
    port: int | str = number_or(
        MATCHED, "bytes to the in-buffers each SRAM cycle; matched: exactly what one shot a tick needs", SIZE
    )


@frozen
class ActSram:
    """The SRAM of a tile that holds partial sums and gathers results for their way out."""

    slot: int = number("capacity of one slot: the results of one drain", SIZE)
    slots: int = number("slots; 2 is a double buffer")


@frozen
class Hbm:
    """The memory off the chip: channels that serve pieces of requests in order."""

    bandwidth: int = number("of all channels together", BANDWIDTH)
    channels: int = number("channels, each an equal share of the bandwidth", high=1024)
    latency: int = number("added to each piece, pipelined", TIME, low=0)
    transaction: int = number("bytes of a piece that a request is cut into", SIZE)
    outstanding: int = number("pieces in flight that one requester may have")
