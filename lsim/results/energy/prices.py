"""What an event of the log costs, and what draws power all the time: exact, from the devices of an architecture.

The scaling rules are those of the released Lightening-Transformer estimator (`lsim.arch.power`). Where it leaves out a cost
that the simulated machine has (partial sums at their own width, a transimpedance amplifier that works in every shot that it
integrates), `lsim.results.energy.meanings` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property

from attrs import frozen

from lsim.arch import Arch, DevicePower, device_power, event_energy
from lsim.results.energy.cores import CoreCosts, Price, core_costs, words

DYNAMIC = (
    "dac", "modulator", "weights", "photodetector", "tia", "adc", "adder", "registers", "interconnect",
    "m1_sram", "m2_sram", "act_sram", "global_sram", "hbm", "dpu_buffers", "dpu",
)  # fmt: skip
STATIC = ("laser", "tuning", "weights", "registers", "m1_sram", "m2_sram", "act_sram", "global_sram")
COMPONENTS = tuple(dict.fromkeys(("laser", "tuning", *DYNAMIC)))

NONE = Fraction(0)


@frozen(eq=False)
class Prices:
    """Prices of one machine. `arch`: whose devices and sizes they follow from."""

    arch: Arch

    @cached_property
    def power(self) -> DevicePower:
        return device_power(self.arch)

    @cached_property
    def core(self) -> CoreCosts:
        return core_costs(self.arch, self.power)

    @cached_property
    def of(self) -> dict[str, Price]:
        """By counter, of `lsim.kernel.labels.Label.amounts`; a counter that is not here costs nothing."""
        return {**self.core.events, **self._readout(), **self._memories(), **self._dpu()}

    @cached_property
    def static(self) -> dict[str, Fraction]:
        """pJ a tick of each component of STATIC, drawn whether it is used or not."""
        devices, tiles = self.arch.devices, self.arch.core.tiles
        milliwatts = {
            **self.core.milliwatts,
            "m1_sram": tiles * devices.operand_sram_macro.power,
            "m2_sram": devices.operand_sram_macro.power,
            "act_sram": tiles * devices.act_sram_macro.power,
            "global_sram": tiles * devices.global_sram_macro.power,
        }
        return {name: event_energy(self.arch, power) for name, power in milliwatts.items()}

    @cached_property
    def static_pj(self) -> Fraction:
        """pJ a tick of all of them."""
        return sum(self.static.values(), NONE)

    def priced(self, counted: Iterable[tuple[str, int]]) -> dict[str, Fraction]:
        """Energy by component of (counter, quantity) pairs."""
        energies: dict[str, Fraction] = {}
        for counter, quantity in counted:
            if quantity:
                for component, price in self.of.get(counter, ()):
                    energies[component] = energies.get(component, NONE) + quantity * price
        return energies

    # -- by counter ------------------------------------------------------------------------------------------------
    def _readout(self) -> dict[str, Price]:
        arch, word = self.arch, self.arch.devices.word
        sums = arch.operands.partial_sum_bits
        detector, tia, adc, adder = (
            event_energy(arch, power)
            for power in (self.power.detector, self.power.tia, self.power.adc, self.power.adder)
        )
        return {
            "engine_shots": (
                ("photodetector", detector),
                ("tia", tia / arch.core.cores),  # one for what the cores of a tile add up to
            ),
            "conversions": (
                ("adc", adc),
                ("adder", adder),
                ("registers", 2 * words(arch, word.register, sums)),
                ("interconnect", words(arch, word.interconnect, sums)),
            ),
            "merged": (("adder", adder),),
        }

    def _memories(self) -> dict[str, Price]:
        word = self.arch.devices.word
        both_ways = {
            "act_sram": ("act_sram", word.local),
            "global_sram": ("global_sram", word.global_sram),
            "hbm": ("hbm", word.hbm),
            "dpu_in": ("dpu_buffers", word.local),
            "dpu_out": ("dpu_buffers", word.local),
        }
        prices: dict[str, Price] = {
            f"{memory}.{way}": ((component, words(self.arch, energy, 8)),)
            for memory, (component, energy) in both_ways.items()
            for way in ("in", "out")
        }
        local = words(self.arch, word.local, 8)
        prices["act_sram.kept"] = (("act_sram", 2 * local),)
        bit = words(self.arch, word.local, 1)
        for sram in ("m1", "m2"):
            prices[f"{sram}_sram.in"] = ((f"{sram}_sram", local),)
            prices[f"{sram}_fed_bits"] = ((f"{sram}_sram", bit),)
        return prices

    def _dpu(self) -> dict[str, Price]:
        logic, bits = self.arch.devices.logic, self.arch.operands.widths.activation
        softmax = logic.softmax_power * 10**9 / Fraction(logic.softmax_rate) * bits / 8
        functions = ("norm", "activation", "residual", "multiply", "rotary", "embedding")
        energies = {name: getattr(logic, name) * logic.operation for name in functions}
        return {
            f"dpu.{name}": (("dpu", Fraction(energy)),)
            for name, energy in {**energies, "softmax": softmax}.items()
        }
