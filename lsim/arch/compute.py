"""The parameters of what computes: cores, operands, encoders, broadcast, readout, DPU."""

from typing import Any

from attrs import frozen

from lsim.arch.param import choice, number, one_of
from lsim.units import BITS, FREQUENCY, SIZE, TICKS, TIME
from lsim.widths import ALLOWED, Widths

CORE_KINDS = ("dptc", "mrr-bank", "mzi-mesh")
ARBITRATIONS = ("fifo", "round-robin", "priority")


@frozen
class Core:
    """The tensor cores: a shot multiplies rows x wavelengths by wavelengths x columns on each of them.

    A dptc encodes both operands anew for each shot. A microring bank and an MZI mesh hold rows x wavelengths of one
    operand and multiply them by one column of the other a shot; `columns` is then 1.
    """

    kind: str = choice("kind of tensor core", CORE_KINDS)
    tiles: int = number("tiles (T), each with its own M1 operand, readout and activation buffers")
    cores: int = number("cores of a tile (C), their photocurrents summed in analog")
    rows: int = number("rows of a core (Nh): M1 vectors multiplied at once")
    columns: int = number("columns of a core (Nv): M2 vectors multiplied at once")
    wavelengths: int = number("wavelengths of a core (Nλ): depth of the dot product of a shot")
    clock: int = number("photonic clock; one tick, one shot, is one period", FREQUENCY)
    reload: int = number("time to write the operand that a core holds; 0 where none is held", TIME, low=0)
    passes: int = number("passes that it takes to multiply operands of either sign")

    @property
    def mesh_values(self) -> tuple[int, int]:
        """Phases of the two meshes of an MZI core, and values of the diagonal between them (Clements et al., Optica 2016).

        A mesh of N inputs has N(N-1)/2 interferometers.
        """
        rows, depth = self.rows, self.wavelengths
        return (rows * (rows - 1) + depth * (depth - 1)) // 2, min(rows, depth)


def _stored(what: str) -> Any:
    declared: int | None = one_of(
        ALLOWED, f"width of {what}, stored and moved; that of an operand if not given", BITS
    )
    return declared


@frozen
class Operands:
    """How wide numbers are, in buffers and on ports, and for converters.

    `bits` is what converters resolve, and the width of what is stored and moved, unless another is given for it.
    """

    bits: int = number("width of an operand of either side", BITS, high=16)
    partial_sum_bits: int = number("width of a partial sum in the activation buffers", BITS, high=64)
    weight_bits: int | None = _stored("a weight")
    activation_bits: int | None = _stored("an activation")
    kv_bits: int | None = _stored("an entry of the KV cache")

    @property
    def widths(self) -> Widths:
        """Of what is stored and moved."""
        given = (self.weight_bits, self.activation_bits, self.kv_bits)
        return Widths(*(self.bits if bits is None else bits for bits in given))

    @property
    def mixed(self) -> bool:
        """Whether anything is stored and moved at another width than converters resolve."""
        return any(bits != self.bits for bits in self.widths)

    @property
    def told(self) -> str:
        """All widths in words."""
        stored = f"{self.widths.spelled}, weights, activations and KV cache as stored and moved"
        return f"{stored}; converters resolve {self.bits} bit"

    def to_dict(self) -> dict[str, dict[str, int]]:
        """The widths as JSON has them: nothing where all are one."""
        return {"widths": {**self.widths.keys, "bits": self.bits}} if self.mixed else {}


@frozen
class Encoder:
    """The DACs and modulators that put operands on light."""

    sample_rate: int = number("values a second that one DAC and modulator encode", FREQUENCY)


@frozen
class Broadcast:
    """The optical network that carries the shared M2 operand to groups of tiles."""

    streams: int = number("M2 streams carried at once")
    groups: int = number("tile groups of the head-parallel mapping; divides the tiles")
    switch: int = number("time to turn a stream to another tile group", TICKS, low=0)
    propagation: int = number("time from modulator to the furthest tile", TICKS, low=0)
    fan_out: int = number("tiles that one stream can reach")
    arbitration: str = choice("who is served when groups outnumber streams", ARBITRATIONS)


@frozen
class Readout:
    """Integrators, shared ADCs and digital accumulators of a tile."""

    integrate: int = number("shots that an integrator sums before a conversion, at most")
    conversion: int = number("least time from one sample to the next of an ADC", TICKS, low=0)
    latency: int = number(
        "from a sample to its sum in the out buffer: ADC and accumulate, pipelined", TICKS, low=0
    )


def _cycles(function: str) -> int:
    declared: int = number(f"DPU cycles of one lane for one element of {function}", low=0)
    return declared


@frozen
class Dpu:
    """The digital processing unit: lanes that take so many cycles an element of each function."""

    lanes: int = number("elements worked on at once")
    clock: int = number("DPU clock; a whole number of ticks", FREQUENCY)
    slot: int = number("capacity of one buffer slot", SIZE)
    slots: int = number("buffer slots")
    softmax: int = _cycles("softmax")
    norm: int = _cycles("layer or RMS normalisation")
    activation: int = _cycles("an activation function, GELU or SiLU")
    residual: int = _cycles("a residual or bias addition")
    multiply: int = _cycles("an element-wise product")
    rotary: int = _cycles("a rotary position embedding")
    embedding: int = _cycles("an embedding look-up")

    @property
    def opaque(self) -> int:
        """An operator that is not known only moves data: its lanes take no time."""
        return 0
