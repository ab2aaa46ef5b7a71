"""What the published models charge for an event of the simulation, where that is not what the simulation does.

As the equations of the released LT hardware estimator have it: sums as wide as operands, one period of a TIA for a sample, and what
holds light and rings for the period of a shot or a symbol alone.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from lsim.arch import Arch, event_energy
from lsim.models.base import Charges
from lsim.models.published.events import events

ByCounter = dict[str, dict[str, Fraction]]


def charges(arch: Arch, corrected: Collection[str] = ()) -> Charges:
    """Of a form of this kind of core in which these faults are corrected."""
    readout, steady = {**_sums(arch, corrected)}, _steady(arch)
    if arch.core.kind == "dptc" and "tia-cycles" not in corrected:
        readout.setdefault("conversions", {})["tia"] = events(arch).tia
        readout["engine_shots"] = {"tia": Fraction(0)}
    return Charges(readout, steady)


def _sums(arch: Arch, corrected: Collection[str]) -> ByCounter:
    """Samples on their way to the act SRAMs, and into them."""
    if "partial-sum-width" in corrected:
        return {}
    e, bits = events(arch), arch.operands
    byte = e.local * Fraction(8, arch.devices.word.bits) * Fraction(bits.bits, bits.partial_sum_bits)
    return {
        "conversions": {"registers": 2 * e.register * e.word, "interconnect": e.interconnect * e.word},
        "act_sram.in": {"act_sram": byte},
        "act_sram.kept": {"act_sram": 2 * byte},
    }


def _steady(arch: Arch) -> ByCounter:
    core, devices, e = arch.core, arch.devices, events(arch)
    shots = {"laser": e.laser}
    if core.kind == "dptc":
        disks = event_energy(arch, 2 * devices.microdisk.power)
        return {
            "core_shots": shots,
            "m1_encodings": {"tuning": disks},
            "m2_encodings": {"tuning": disks},
        }
    if core.kind == "mrr-bank":
        ring = event_energy(arch, devices.microring.power)
        held = {"weights": e.hold * core.rows * core.wavelengths}
        return {"core_shots": {**shots, **held}, "inputs": {"tuning": ring}}
    return {"core_shots": shots}
