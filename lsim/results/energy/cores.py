"""What cores of each kind cost beside their readout: light, encoders, and what is held; from the devices of an architecture.

The equations are those of the released Lightening-Transformer estimator for its own core and for the two baselines, but for
steady power: a device that holds a resonance draws it all the time here, not for the periods of its symbols alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

from lsim.arch import Arch, DevicePower, event_energy

Price = tuple[tuple[str, Fraction], ...]
"""What one unit of a counter costs: (component, pJ)."""


class CoreCosts(NamedTuple):
    """`events`: prices by counter of `lsim.kernel.labels.Label.amounts`. `milliwatts`: steady power of all cores by component."""

    events: Mapping[str, Price]
    milliwatts: Mapping[str, Fraction]


def core_costs(arch: Arch, power: DevicePower) -> CoreCosts:
    """Of the cores of an architecture and their encoders; lasers are drawn for each core."""
    events, milliwatts = KINDS[arch.core.kind](arch, power)
    cores = arch.core.tiles * arch.core.cores
    return CoreCosts(events, {"laser": cores * power.laser, **milliwatts})


def words(arch: Arch, energy: Fraction, bits: int) -> Fraction:
    """Of so many bits, at an energy a word."""
    return energy * bits / arch.devices.word.bits


def _dptc(arch: Arch, power: DevicePower) -> CoreCosts:
    """Both operands are encoded; M2 for all tiles that a stream of light reaches."""
    core, devices = arch.core, arch.devices
    encoding = (*_converted(arch, power), ("modulator", devices.modulator.energy))
    shared = core.columns * arch.broadcast.streams
    encoders = core.wavelengths * core.cores * (core.rows * core.tiles + shared)
    buffers = 2 * core.tiles + core.tiles * core.cores + core.cores
    return CoreCosts(
        {
            "m1_encodings": encoding,
            "m2_encodings": encoding,
        },
        {
            "tuning": encoders * 2 * devices.microdisk.power,
            "registers": buffers * devices.buffer_macro.power,
        },
    )


def _mrr_bank(arch: Arch, power: DevicePower) -> CoreCosts:
    """A ring for each wavelength of a core modulates inputs, a ring for each value that it holds weights them."""
    core, ring = arch.core, arch.devices.microring
    inputs = core.tiles * core.cores * core.wavelengths
    converted = _converted(arch, power)
    return CoreCosts(
        {
            "inputs": (*converted, ("modulator", ring.energy)),
            "held": (*converted, ("weights", ring.energy)),
        },
        {
            "tuning": inputs * ring.power,
            "weights": inputs * core.rows * power.hold,
            "registers": _buffers(arch) * arch.devices.buffer_macro.power,
        },
    )


def _mzi_mesh(arch: Arch, power: DevicePower) -> CoreCosts:
    """Values of M1 come as phases of two meshes and the diagonal between them, which is of modulators."""
    devices, converted = arch.devices, _converted(arch, power)
    return CoreCosts(
        {
            "inputs": (*converted, ("modulator", devices.modulator.energy)),
            "phases": (*converted, ("weights", devices.mzi.energy)),
            "diagonals": (*converted, ("weights", devices.modulator.energy)),
        },
        {"registers": _buffers(arch) * devices.buffer_macro.power},
    )


def _converted(arch: Arch, power: DevicePower) -> Price:
    """A value through a register to a DAC, both as wide as the DAC resolves, however wide it was stored."""
    register = words(arch, arch.devices.word.register, arch.operands.bits)
    return ("dac", event_energy(arch, power.dac)), ("registers", 2 * register)


def _buffers(arch: Arch) -> int:
    """Two a tile behind its converters, and for each core one before the encoders of either operand."""
    return 2 * arch.core.tiles * (1 + arch.core.cores)


KINDS: Mapping[str, Callable[[Arch, DevicePower], CoreCosts]] = {
    "dptc": _dptc,
    "mrr-bank": _mrr_bank,
    "mzi-mesh": _mzi_mesh,
}
