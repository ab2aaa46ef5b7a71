"""What devices draw at the clock and precision of a machine, and what one event of each costs.

Source: the scaling rules of the released LT hardware estimator. A DAC's power grows with its levels per bit and its rate, an
ADC's with its bits and its rate; a device that draws steady power while it works costs a period of the photonic clock.
"""

from __future__ import annotations

from fractions import Fraction

from attrs import frozen

from lsim.arch.link import link_budget
from lsim.arch.spec import Arch

PICOJOULES_A_MILLIJOULE = 10**9  # mW over Hz is mJ


@frozen
class PerDevice:
    """A value for each device that works every tick: one of each kind, `laser` of a core.

    `encoder`: modulator with what holds it on its wavelength; `detector`: the two photodetectors of an output; `hold`: what
    keeps one element of a held operand, 0 where none is held.
    """

    laser: Fraction
    dac: Fraction
    encoder: Fraction
    detector: Fraction
    tia: Fraction
    adc: Fraction
    adder: Fraction
    hold: Fraction


@frozen
class DevicePower(PerDevice):
    """Power in mW."""


def device_power(arch: Arch) -> DevicePower:
    """What devices draw; exact but for the laser, whose decibels are a float's."""
    devices, bits, clock = arch.devices, arch.operands.bits, arch.core.clock
    dac, adc = devices.dac, devices.adc
    levels_a_bit = Fraction(2**bits, bits) / Fraction(2**dac.bits, dac.bits)
    return DevicePower(
        laser=Fraction(link_budget(arch).laser_mw),
        dac=dac.power * levels_a_bit * clock / dac.rate,
        encoder=_encoder(arch),
        detector=2 * devices.photodetector.power,
        tia=devices.tia.power,
        adc=adc.power * clock / adc.rate * Fraction(bits, adc.bits),
        adder=devices.adder.power / devices.adder.power_scaling,
        hold=devices.microring.power if arch.core.kind == "mrr-bank" else Fraction(0),
    )


def event_energy(arch: Arch, power: Fraction) -> Fraction:
    """Energy in pJ of a period of the photonic clock at a power in mW."""
    return power * PICOJOULES_A_MILLIJOULE / arch.core.clock


def _encoder(arch: Arch) -> Fraction:
    devices = arch.devices
    if arch.core.kind == "mrr-bank":
        return devices.microring.power + _rate(arch, devices.microring.energy)
    static = 2 * devices.microdisk.power if arch.core.kind == "dptc" else Fraction(0)
    return static + _rate(arch, devices.modulator.energy)


def _rate(arch: Arch, energy: Fraction) -> Fraction:
    """Power in mW of an energy in pJ each period of the photonic clock."""
    return energy * arch.core.clock / PICOJOULES_A_MILLIJOULE
