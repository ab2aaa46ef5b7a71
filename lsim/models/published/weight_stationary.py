"""What the closed forms of the two baselines share: cores that hold one operand and stream the other past it."""

from __future__ import annotations

from fractions import Fraction

from attrs import frozen

from lsim.arch import Arch
from lsim.models.published.events import events
from lsim.models.published.form import OF_ALL, ClosedForm, Energies, loads
from lsim.models.published.workload import Gemm
from lsim.units import ceil_div

PICOSECONDS_A_SECOND = 10**12

CORRECTIONS = {
    "whole-blocks": "a core multiplies all columns by what it holds: blocks of the held operand are dealt out whole",
    "memory-bound": "operands arrive at the bandwidths of HBM and global SRAM, as in the model of Lightening-Transformer, not at once",
    **OF_ALL,
    "partial-sum-width": "partial sums move as wide as they are, not as wide as an operand",
}


@frozen
class Streams:
    """What a head of a GEMM moves: elements written to be held, streamed past them, and sums converted."""

    held: int
    streamed: int
    sums: int


class WeightStationary(ClosedForm):
    """A baseline; a core is rows x wavelengths in size."""

    levels = ("ws",)

    def ticks_of(self, gemm: Gemm, arch: Arch, passes: int) -> Fraction:
        """Shots of one core, if all share the work evenly, and the time to write what it holds, one block after the other."""
        shots = self.shots_of(gemm, arch, passes)
        if "memory-bound" in self.corrected:
            shots = max(shots, self.memory_ticks(gemm, arch))
        written = _written(gemm, arch)
        return shots + Fraction(written * arch.core.reload * arch.core.clock, PICOSECONDS_A_SECOND)

    def shots_of(self, gemm: Gemm, arch: Arch, passes: int) -> int:
        """Shots of one core, if all share the work evenly."""
        r, d = blocks(gemm, arch)
        if "whole-blocks" in self.corrected:
            return _written(gemm, arch) * gemm.n2 * passes
        return ceil_div(r * d * gemm.n2 * gemm.heads, arch.core.tiles * arch.core.cores) * passes

    def readout(self, arch: Arch, sums: int) -> Energies:
        """Energy from light to partial sums."""
        e = events(arch)
        each = {"detector": e.detector, "tia": e.tia, "adc": e.adc, "adder": e.adder}
        return {name: energy * sums for name, energy in each.items()}

    def movement(self, gemm: Gemm, arch: Arch, n: Streams) -> Energies:
        """Energy of what a head of the GEMM moves between registers and the global SRAM, HBM aside."""
        e, outputs = events(arch), gemm.outputs
        a_core = Fraction(n.sums, arch.core.cores)
        operands = n.held + n.streamed
        partial = e.word
        if "partial-sum-width" in self.corrected:
            partial = Fraction(arch.operands.partial_sum_bits, arch.devices.word.bits)
        spills = loads(arch.core.rows * gemm.n2, arch) > 1
        local = 2 * a_core - outputs if spills else a_core
        spilled = 2 * a_core - 2 * outputs if spills else Fraction(0)
        return {
            "register": 2 * e.register * (operands * e.word + a_core * partial),
            "interconnect": e.interconnect * n.sums * partial,
            "local_sram": e.local * (2 * operands * e.word + local * partial),
            "global_sram": e.global_sram * ((operands + outputs) * e.word + spilled * partial),
        }


def _written(gemm: Gemm, arch: Arch) -> int:
    """Blocks that a core writes, if all share them evenly."""
    r, d = blocks(gemm, arch)
    return ceil_div(r * d * gemm.heads, arch.core.tiles * arch.core.cores)


def blocks(gemm: Gemm, arch: Arch) -> tuple[int, int]:
    """r, d: blocks along the rows and the depth of the operand that is held."""
    return ceil_div(gemm.n1, arch.core.rows), ceil_div(gemm.depth, arch.core.wavelengths)
