"""The published model of the baseline of microring banks: inputs on rings, weights on rings, summed by photodetectors."""

from __future__ import annotations

from fractions import Fraction

from lsim.arch import Arch
from lsim.models.published.events import events
from lsim.models.published.form import Energies
from lsim.models.published.weight_stationary import CORRECTIONS, Streams, WeightStationary, blocks
from lsim.models.published.workload import Gemm


class MrrBank(WeightStationary):
    """A ring holds a weight of either sign; inputs are not negative, so those that may be take as many passes as the core says.

    Of S·V the bank holds V, and S, the result of a softmax, takes one pass.
    """

    kind = "mrr-bank"
    corrections = CORRECTIONS

    def ticks(self, gemm: Gemm, arch: Arch) -> Fraction:
        """Never bound by memory."""
        return self.ticks_of(_held_first(gemm), arch, _passes(gemm, arch))

    def compute_ticks(self, gemm: Gemm, arch: Arch) -> int:
        return self.shots_of(_held_first(gemm), arch, _passes(gemm, arch))

    def energy(self, gemm: Gemm, arch: Arch) -> Energies:
        """By component: light, converters, and each level of the memory."""
        passes, gemm = _passes(gemm, arch), _held_first(gemm)
        e, (r, d) = events(arch), blocks(gemm, arch)
        held, symbols = gemm.n1 * gemm.depth, r * gemm.n2 * gemm.depth * passes
        sums = gemm.outputs * d * passes
        writes = held * (passes if gemm.linear else 1)
        of_a_head = {
            "laser": e.laser * r * d * gemm.n2 * passes,
            "dac": e.dac * (held + symbols),
            "encoder": e.encoder * symbols,
            "weights": e.hold * gemm.outputs * gemm.depth * passes + arch.devices.microring.energy * writes,
            **self.readout(arch, sums),
            **self.movement(gemm, arch, Streams(held, symbols, sums)),
            "hbm": e.hbm * held * e.word if gemm.linear else Fraction(0),
        }
        if gemm.linear:
            of_a_head["global_sram"] += e.global_sram * held * e.word
        return {name: gemm.heads * energy for name, energy in of_a_head.items()}


def _passes(gemm: Gemm, arch: Arch) -> int:
    return 1 if gemm.scores else arch.core.passes


def _held_first(gemm: Gemm) -> Gemm:
    """The GEMM with what the bank holds as M1."""
    return gemm.transposed() if gemm.scores else gemm
