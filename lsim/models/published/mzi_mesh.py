"""The published model of the baseline of MZI meshes: a matrix is programmed into phases, and light goes through."""

from __future__ import annotations

from fractions import Fraction

from lsim.arch import Arch
from lsim.models.base import Estimate
from lsim.models.published.events import events
from lsim.models.published.form import BoundForm, Energies
from lsim.models.published.weight_stationary import CORRECTIONS, Streams, WeightStationary, blocks
from lsim.models.published.workload import Gemm, projections

QKV_AGAIN = "qkv again"


class MziMesh(WeightStationary):
    """Programming takes so long that a mesh holds weights only: products of attention are left out.

    As published, the layers that make queries, keys and values are counted a second time in their place.
    """

    kind = "mzi-mesh"
    corrections = CORRECTIONS | {
        "qkv-once": "nothing stands for attention, which the mesh cannot do; the layers before it count once"
    }

    def covers(self, gemm: Gemm) -> bool:
        """Linear layers only."""
        return gemm.linear

    def ticks(self, gemm: Gemm, arch: Arch) -> Fraction:
        """Shots and programming, never bound by memory."""
        return self.ticks_of(gemm, arch, arch.core.passes)

    def compute_ticks(self, gemm: Gemm, arch: Arch) -> int:
        return self.shots_of(gemm, arch, arch.core.passes)

    def energy(self, gemm: Gemm, arch: Arch) -> Energies:
        """By component: light, converters, and each level of the memory."""
        e, (r, d), passes = events(arch), blocks(gemm, arch), arch.core.passes
        inside, diagonal = arch.core.mesh_values
        held, symbols = r * d * (inside + diagonal), r * gemm.n2 * gemm.depth * passes
        sums = gemm.outputs * d * passes
        of_a_head = {
            "laser": e.laser * r * d * gemm.n2 * passes,
            "dac": e.dac * (held + symbols),
            "encoder": e.encoder * symbols,
            "weights": r * d * (arch.devices.mzi.energy * inside + e.encoder * diagonal),
            **self.readout(arch, sums),
            **self.movement(gemm, arch, Streams(held, symbols, sums)),
            "hbm": e.hbm * held * e.word,
        }
        of_a_head["global_sram"] += e.global_sram * gemm.n1 * gemm.depth * e.word
        return {name: gemm.heads * energy for name, energy in of_a_head.items()}

    def more_terms(self, bound: BoundForm, arch: Arch) -> dict[str, Estimate]:
        if "qkv-once" in self.corrected:
            return {}
        again = [bound.estimate(operator, arch) for operator in projections(bound.trace)]
        energies: Energies = {}
        for estimate in again:
            for name, energy in (estimate.energy_pj or {}).items():
                energies[name] = energies.get(name, Fraction(0)) + energy
        return {QKV_AGAIN: Estimate(sum((said.ticks for said in again), Fraction(0)), energies)}

    def more_notes(self, bound: BoundForm) -> list[str]:
        products = [op for op in bound.trace.operators if op.is_gemm and not bound.trace.is_linear(op)]
        if not products:
            return []
        instead = "" if "qkv-once" in self.corrected else f"; {QKV_AGAIN} stands in their place"
        return [
            f"a mesh cannot do the {len(products)} products of attention of this trace, which are 0{instead}"
        ]
