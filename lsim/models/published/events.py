"""What one event costs on a machine, in pJ, for the closed forms: a shot, an encoding, a conversion, a word moved."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from attrs import asdict, frozen

from lsim.arch import Arch, device_power, event_energy
from lsim.arch.power import PerDevice

GIBI = 2**30


@frozen
class Events(PerDevice):
    """Energies in pJ. `word`: words of memory that an operand is."""

    word: Fraction
    register: Fraction
    local: Fraction
    interconnect: Fraction
    global_sram: Fraction
    hbm: Fraction


@lru_cache(maxsize=64)
def events(arch: Arch) -> Events:
    """What the events of an architecture cost."""
    word = arch.devices.word
    return Events(
        **{name: event_energy(arch, power) for name, power in asdict(device_power(arch)).items()},
        word=Fraction(arch.operands.bits, word.bits),
        register=word.register,
        local=word.local,
        interconnect=word.interconnect,
        global_sram=word.global_sram,
        hbm=word.hbm,
    )


def global_sram_bits_a_second(arch: Arch, each_cycle: bool) -> Fraction:
    """Bandwidth of the global SRAM: a line of each bank an SRAM cycle, or as published, one each access time.

    The published figure counts 2³⁰ accesses in a second of ns, where 10⁹ were right.
    """
    sram = arch.global_sram
    bits = sram.banks * sram.line * 8
    return Fraction(
        bits * sram.clock if each_cycle else bits * GIBI * 1000 / arch.devices.global_sram_macro.access
    )
