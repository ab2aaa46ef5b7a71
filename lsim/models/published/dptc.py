"""The published model of Lightening-Transformer: latency, energy.

Symbols are those of the publication: r, c and d are the blocks of a GEMM along rows, columns and depth, T tiles, C cores of
a tile, S tiles that share the M2 modulators, A shots that an integrator sums.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from attrs import frozen

from lsim.arch import Arch
from lsim.models.base import Estimate
from lsim.models.published.chip import memory_mw
from lsim.models.published.events import Events, events
from lsim.models.published.form import OF_ALL, BoundForm, ClosedForm, Energies, chunk_seconds, loads
from lsim.models.published.workload import Gemm
from lsim.units import ceil_div

MILLIJOULES_A_PICOJOULE = Fraction(1, 10**9)
PICOJOULES_A_MILLIJOULE = 10**9

CORRECTIONS = {
    "whole-blocks": "blocks are dealt out whole: row blocks to tiles, depth blocks to the cores of a tile, heads one after the other",
    "first-fill": "the first weights of a linear layer arrive before its first shot, not during it",
    **OF_ALL,
    "attention-sram-energy": "what attention reads from the global SRAM is multiplied by the energy of a word once, not twice",
    "partial-sum-width": "partial sums move as wide as they are, not as wide as an operand",
    "tia-cycles": "a TIA draws power in each shot that is integrated, not in one of them",
    "leakage": "the static power of the SRAMs counts for as long as the trace takes",
}


@frozen
class Counts:
    """What a GEMM does for one head: encodings of M1 and M2, shots of cores, conversions, and loads of an operand SRAM.

    `partials`: what moves between output registers and accumulators; `shared_m2`: elements of M2 that leave the SRAMs.
    """

    shots: int
    m1: int
    m2: Fraction
    conversions: int
    tia_cycles: int
    partials: int
    m1_reads: int
    loads: Fraction


class Dptc(ClosedForm):
    """Lightening-Transformer, at three levels of optimisation.

    `arch_opt` shares M2 modulators over tiles and ADCs over cores, and integrates shots; `crossbar` does not; `broadcast`
    encodes M1 anew for each column, too.
    """

    kind = "dptc"
    levels = ("arch_opt", "crossbar", "broadcast")
    corrections = CORRECTIONS

    def ticks(self, gemm: Gemm, arch: Arch) -> Fraction:
        """The larger of compute, at the photonic clock, and memory, at the SRAM clock."""
        ticks = Fraction(max(self.compute_ticks(gemm, arch), self.memory_ticks(gemm, arch)))
        if gemm.linear and "first-fill" in self.corrected:
            ticks += chunk_seconds(gemm, arch) * arch.core.clock
        return ticks

    def compute_ticks(self, gemm: Gemm, arch: Arch) -> int:
        r, c, d = blocks(gemm, arch)
        tiles, cores = arch.core.tiles, arch.core.cores
        if "whole-blocks" in self.corrected:
            return gemm.heads * ceil_div(r, tiles) * c * ceil_div(d, cores)
        return ceil_div(r * c * d * gemm.heads, tiles * cores)

    def energy(self, gemm: Gemm, arch: Arch) -> Energies:
        """By component: light, converters, and each level of the memory."""
        counts, e = self.counts(gemm, arch), events(arch)
        encodings = counts.m1 + counts.m2
        of_a_head = {
            "laser": e.laser * counts.shots,
            "dac": e.dac * encodings,
            "encoder": e.encoder * encodings,
            "detector": e.detector * gemm.outputs * blocks(gemm, arch)[2],
            "tia": e.tia * counts.tia_cycles,
            "adc": e.adc * counts.conversions,
            "adder": e.adder * counts.conversions,
            **self._movement(gemm, arch, counts, e),
        }
        return {name: gemm.heads * energy for name, energy in of_a_head.items()}

    def counts(self, gemm: Gemm, arch: Arch) -> Counts:
        """What a head of the GEMM comes to."""
        r, c, d = blocks(gemm, arch)
        core, shared = arch.core, self.level == "arch_opt"
        integrated = min(arch.readout.integrate, ceil_div(gemm.depth, core.cores * core.wavelengths))
        groups = ceil_div(d, integrated if shared else 1)
        over = core.cores if shared else 1
        filled = loads(core.rows * gemm.depth, arch)
        conversions = gemm.outputs * ceil_div(groups, over)
        all_shots = gemm.outputs * ceil_div(d, over)
        return Counts(
            shots=r * c * d,
            m1=gemm.n1 * gemm.depth * (gemm.n2 if self.level == "broadcast" else c),
            m2=Fraction(r * gemm.n2 * gemm.depth, core.tiles if shared else 1),
            conversions=conversions,
            tia_cycles=all_shots if "tia-cycles" in self.corrected else conversions,
            partials=gemm.outputs * ceil_div(groups, core.cores),
            m1_reads=gemm.n1 * gemm.depth * c,
            loads=max(Fraction(1), Fraction(ceil(filled)) if gemm.linear else filled),
        )

    def more_terms(self, bound: BoundForm, arch: Arch) -> dict[str, Estimate]:
        if "leakage" not in self.corrected:
            return {}
        operators = (bound.estimate(op, arch).ticks for op in bound.trace.operators)
        layers = bound.others(arch).ticks
        seconds = (sum(operators) + layers) / arch.core.clock
        picojoules = memory_mw(arch, self.level) * seconds * PICOJOULES_A_MILLIJOULE
        return {"leakage": Estimate(0, {"leakage": picojoules})}

    def _movement(self, gemm: Gemm, arch: Arch, n: Counts, e: Events) -> Energies:
        weights = gemm.n1 * gemm.depth
        reads = weights + n.m2
        partial = e.word
        if "partial-sum-width" in self.corrected:
            partial = Fraction(arch.operands.partial_sum_bits, arch.devices.word.bits)
        spilled = gemm.outputs * ((2 * n.loads - 2) * partial + e.word)
        once = gemm.linear or "attention-sram-energy" in self.corrected
        global_reads = reads * (1 if once else e.global_sram * MILLIJOULES_A_PICOJOULE)
        from_hbm = weights if gemm.linear else 0
        return {
            "register": 2 * e.register * ((n.m1 + n.m2) * e.word + n.partials * partial),
            "interconnect": e.interconnect * n.conversions * partial,
            "local_sram": e.local * ((n.m1_reads + n.m2 + reads) * e.word + spilled),
            "global_sram": e.global_sram * (spilled + (global_reads + from_hbm) * e.word),
            "hbm": e.hbm * from_hbm * e.word,
        }


def blocks(gemm: Gemm, arch: Arch) -> tuple[int, int, int]:
    """r, c, d: blocks along the rows, columns and depth of a GEMM."""
    core = arch.core
    return (
        ceil_div(gemm.n1, core.rows),
        ceil_div(gemm.n2, core.columns),
        ceil_div(gemm.depth, core.wavelengths),
    )
