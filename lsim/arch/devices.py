"""The devices that a machine is built of: losses, powers, energies and areas; nothing here takes part in timing.

Values are exact fractions of dB, dBm, mW, pJ, um, um2, and of Hz and ps for rates and times. A machine needs those of its own
kind of core; the library has them all.
"""

from fractions import Fraction

from attrs import fields, frozen, has

from lsim.arch.param import exact, number, positive
from lsim.units import AREA, BANDWIDTH, BITS, ENERGY, FREQUENCY, LENGTH, LEVEL, LOSS, POWER, TIME

MOST_LOSS = 100  # dB of one device: a ten-billionth of the light


def _loss(what: str) -> Fraction:
    declared: Fraction = exact(f"insertion loss of {what}", LOSS, high=MOST_LOSS)
    return declared


@frozen
class Footprint:
    """The rectangle that a device takes on the chip."""

    length: Fraction = exact("along the waveguide", LENGTH)
    width: Fraction = exact("across the waveguide", LENGTH)

    @property
    def area(self) -> Fraction:
        """In um2."""
        return self.length * self.width


# -- light ---------------------------------------------------------------------------------------------------------
@frozen
class Laser(Footprint):
    """An off-chip or heterogeneously integrated laser."""

    efficiency: Fraction = positive("optical power out over electrical power in", high=1)


@frozen
class Comb(Footprint):
    """A micro-comb, which makes the wavelengths from a laser."""


@frozen
class Modulator(Footprint):
    """A Mach-Zehnder modulator."""

    loss: Fraction = _loss("a modulator")
    energy: Fraction = exact("of one symbol", ENERGY)


@frozen
class Microdisk(Footprint):
    """A microdisk that adds one wavelength to a waveguide, or drops it."""

    loss: Fraction = _loss("a microdisk")
    power: Fraction = exact("to hold its resonance", POWER)


@frozen
class YBranch(Footprint):
    """A splitter of one waveguide into two."""

    loss: Fraction = _loss("a Y-branch, beyond the split")


@frozen
class PhaseShifter(Footprint):
    """The static phase shifter of a dot-product engine."""

    loss: Fraction = _loss("a phase shifter")


@frozen
class Coupler(Footprint):
    """The directional coupler of a dot-product engine."""

    loss: Fraction = _loss("a directional coupler")


@frozen
class Engine:
    """The floor plan of a dot-product engine: Y-branch, phase shifter, coupler and two photodetectors in a row."""

    margin_x: Fraction = exact("free length beside its devices", LENGTH)
    margin_y: Fraction = exact("free width beside its devices", LENGTH)


@frozen
class Microring:
    """A ring of a microring bank: one modulates an input, one holds a weight."""

    through_loss: Fraction = _loss("a ring that another wavelength passes")
    drop_loss: Fraction = _loss("a ring that takes its own wavelength")
    power: Fraction = exact("to hold its resonance", POWER)
    energy: Fraction = exact("of one symbol or one weight written", ENERGY)


@frozen
class Mzi:
    """A Mach-Zehnder interferometer of a mesh."""

    loss: Fraction = _loss("an interferometer")
    energy: Fraction = exact("of one phase written", ENERGY)


@frozen
class Photodetector(Footprint):
    """A photodetector; an output has two, balanced."""

    sensitivity: Fraction = exact("least optical power detected", LEVEL, low=-200, high=100)
    power: Fraction = exact("of one photodetector", POWER)


# -- electronics ---------------------------------------------------------------------------------------------------
@frozen
class Converter:
    """A data converter at its reference point: power and area, at a resolution and a rate."""

    power: Fraction = exact("at the reference resolution and rate", POWER)
    bits: int = number("reference resolution", BITS)
    rate: Fraction = positive("reference rate", FREQUENCY)
    area: Fraction = exact("of one converter", AREA)


@frozen
class Tia:
    """A transimpedance amplifier."""

    power: Fraction = exact("of one amplifier", POWER)
    area: Fraction = exact("of one amplifier", AREA)


@frozen
class Adder:
    """A digital accumulator of partial sums, scaled from the technology it was measured in."""

    power: Fraction = exact("in the technology of the reference", POWER)
    power_scaling: Fraction = positive("divides the power, for the technology of the chip")
    area: Fraction = exact("in the technology of the reference", AREA)
    area_scaling: Fraction = positive("divides the area, for the technology of the chip")


@frozen
class Word:
    """The energy of one word that is read or written, at each level of the memory hierarchy."""

    bits: int = number("width of a word", BITS)
    register: Fraction = exact("of the registers and buffers beside the converters", ENERGY)
    local: Fraction = exact("of an M1, M2 or activation SRAM", ENERGY)
    interconnect: Fraction = exact("of the electrical network between cores and buffers", ENERGY)
    global_sram: Fraction = exact("of the global SRAM", ENERGY)
    hbm: Fraction = exact("of the HBM", ENERGY)


@frozen
class GlobalMacro:
    """The global SRAM as a circuit: what a tile has of it, and how fast a bank is."""

    access: Fraction = positive("access time of a bank", TIME)
    power: Fraction = exact("static power a tile", POWER)
    area: Fraction = exact("area a tile", AREA)


@frozen
class Macro:
    """A memory macro: static power and area of one."""

    power: Fraction = exact("static power of one", POWER)
    area: Fraction = exact("area of one", AREA)


@frozen
class Logic:
    """The energy of the digital processing unit: operations of an element by function; softmax has its own unit."""

    operation: Fraction = exact("energy of one operation", ENERGY)
    norm: int = number("operations of an element of a norm", low=0)
    activation: int = number("operations of an element of an activation function", low=0)
    residual: int = number("operations of an element of a residual addition", low=0)
    multiply: int = number("operations of an element of an element-wise product", low=0)
    rotary: int = number("operations of an element of a rotary position embedding", low=0)
    embedding: int = number("operations of an element of an embedding look-up", low=0)
    softmax_power: Fraction = exact("power of the softmax unit", POWER)
    softmax_rate: Fraction = positive("bytes a second of the softmax unit", BANDWIDTH)


@frozen(kw_only=True)
class Devices:
    """Every kind of device, a section each."""

    laser: Laser
    comb: Comb
    modulator: Modulator
    microdisk: Microdisk
    y_branch: YBranch
    phase_shifter: PhaseShifter
    coupler: Coupler
    engine: Engine
    microring: Microring
    mzi: Mzi
    photodetector: Photodetector
    dac: Converter
    adc: Converter
    tia: Tia
    adder: Adder
    word: Word
    global_sram_macro: GlobalMacro
    operand_sram_macro: Macro
    act_sram_macro: Macro
    buffer_macro: Macro
    logic: Logic


SECTIONS: dict[str, type] = {f.name: f.type for f in fields(Devices) if f.type and has(f.type)}
