"""The published area and peak power of a Lightening-Transformer chip, by component.

Source: the released LT hardware estimator. Both count the devices of all cores; the microring bank and the MZI mesh have
no published figures.
"""

from __future__ import annotations

from fractions import Fraction

from attrs import frozen

from lsim.arch import Arch, device_power
from lsim.arch.devices import Devices
from lsim.errors import ArchError, InputError
from lsim.units import ceil_log2

LEVELS = ("arch_opt", "crossbar", "broadcast")
SQUARE_MICRONS = 10**6  # of a mm²
RINGS = 2  # microdisks of an encoder, one on either side of its modulator


@frozen
class Inventory:
    """How many devices of a kind a chip has. `encoders`: DACs with their modulators."""

    lasers: int
    encoders: int
    outputs: int
    converters: int
    adders: int
    microdisks: int
    cores: int


def inventory(arch: Arch, level: str = "arch_opt") -> Inventory:
    """The devices of a chip; `arch_opt` shares M2 encoders over tiles, and ADCs and TIAs over the cores of a tile.

    Raises ArchError for a kind of core, and InputError for a level, that has no published figures.
    """
    core = arch.core
    if core.kind != "dptc":
        raise ArchError(f"area and power of a {core.kind} are not published", place="core.kind")
    if level not in LEVELS:
        raise InputError(f"{level!r} is not a level", place="--level", known=LEVELS, given=level)
    cores, shared = core.tiles * core.cores, level == "arch_opt"
    m2_units = core.cores if shared else cores
    return Inventory(
        lasers=core.tiles + core.cores,
        encoders=(core.rows * cores + core.columns * m2_units) * core.wavelengths,
        outputs=core.rows * core.columns * cores,
        converters=core.rows * core.columns * (core.tiles if shared else cores),
        adders=core.rows * core.columns * core.tiles,
        microdisks=(core.rows + core.columns) * core.wavelengths * RINGS * cores,
        cores=cores,
    )


def area_mm2(arch: Arch, level: str = "arch_opt") -> dict[str, Fraction]:
    """Area of a chip by component, in mm²."""
    n, d = inventory(arch, level), arch.devices
    areas = {
        "laser": d.laser.area * n.lasers,
        "dac": d.dac.area * n.encoders,
        "encoder": d.modulator.area * n.encoders + d.microdisk.area * n.microdisks,
        "adc": d.adc.area * n.converters,
        "tia": d.tia.area * n.converters,
        "photonic_core": (engine_um2(d) * arch.core.rows * arch.core.columns + tree_um2(arch)) * n.cores,
        "adder": d.adder.area / d.adder.area_scaling * n.adders,
        "memory": memory_um2(arch),
        "comb": d.comb.area * n.lasers,
    }
    return {name: area / SQUARE_MICRONS for name, area in areas.items()}


def power_mw(arch: Arch, level: str = "arch_opt") -> dict[str, Fraction]:
    """Peak power of a chip by component, in mW: every device works every tick."""
    n, of = inventory(arch, level), device_power(arch)
    return {
        "laser": of.laser * n.cores,
        "dac": of.dac * n.encoders,
        "encoder": of.encoder * n.encoders,
        "adc": of.adc * n.converters,
        "tia": of.tia * n.converters,
        "detector": of.detector * n.outputs,
        "adder": of.adder * n.adders,
        "memory": memory_mw(arch, level),
    }


def engine_um2(devices: Devices) -> Fraction:
    """Area of a dot-product engine: its devices in a row, as wide as the widest of them."""
    branch, shifter, coupler, detector = (
        devices.y_branch, devices.phase_shifter, devices.coupler, devices.photodetector,
    )  # fmt: skip
    length = branch.length + shifter.length + coupler.length + detector.length + devices.engine.margin_x
    width = branch.length + max(shifter.width, coupler.width, 2 * detector.width) + devices.engine.margin_y
    return length * width


def tree_um2(arch: Arch) -> Fraction:
    """Area of the Y-branches of a core: a first one, and those that spread each row and each column."""
    rows, columns = arch.core.rows, arch.core.columns
    branches = 1 + (ceil_log2(rows) + 1) * rows + (ceil_log2(columns) + 1) * columns
    return arch.devices.y_branch.area * branches


def memory_um2(arch: Arch) -> Fraction:
    """Area of all SRAMs: global, an M1 SRAM a tile and one M2 SRAM, and buffers."""
    core, d = arch.core, arch.devices
    buffers = 2 * core.tiles + core.tiles * core.cores + core.cores
    return (
        d.global_sram_macro.area * core.tiles
        + d.operand_sram_macro.area * (core.tiles + 1)
        + d.buffer_macro.area * buffers
    )


def memory_mw(arch: Arch, level: str = "arch_opt") -> Fraction:
    """Static power of all SRAMs: as `memory_um2`, but with the in-buffers of M2 as often as its encoders."""
    core, d = arch.core, arch.devices
    m2_units = core.cores if level == "arch_opt" else core.tiles * core.cores
    buffers = 2 * core.tiles + core.tiles * core.cores + m2_units
    return (
        d.global_sram_macro.power * core.tiles
        + d.operand_sram_macro.power * (core.tiles + 1)
        + d.buffer_macro.power * buffers
    )
