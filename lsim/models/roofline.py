"""The roofline of an operator: compute or a memory, whichever takes longer, each at its best.

Source: Williams et al., "Roofline: an insightful visual performance model", CACM 2009; here with two memories.
"""

from __future__ import annotations

from fractions import Fraction

from lsim.arch import Arch
from lsim.models.base import Estimate
from lsim.plan.widths import TensorWidths
from lsim.trace import Kind, Operator, Role, Trace

STORED = (Role.WEIGHT, Role.KV, Role.INPUT)


class Roofline:
    """The largest of three times, in exact ticks:

    MACs over the peak of all engines and wavelengths; bytes that the operator reads from or writes to HBM (weights, inputs, the
    KV cache), each once, over the bandwidth of HBM; bytes of all it reads and writes, each once, over the bandwidth of the
    global SRAM. A vector operator has no MACs. Operators follow each other without overlap.
    """

    name = "roofline"

    def bind(self, trace: Trace) -> BoundRoofline:
        """The roofline for the operators of a trace."""
        return BoundRoofline(trace)


class BoundRoofline:
    """The roofline, and the trace whose tensors tell what lies in HBM."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        """The largest of the times of an operator."""
        times = self.times(operator, arch)
        return Estimate(max(times.values()), compute=times["compute"])

    def times(self, operator: Operator, arch: Arch) -> dict[str, Fraction]:
        """Ticks by resource: compute, hbm, global_sram."""
        sram = arch.global_sram
        stored, all_of_it = self.bytes(operator, arch)
        return {
            "compute": Fraction(operator.macs, arch.peak_macs_per_tick),
            "hbm": stored * arch.core.clock / arch.hbm.bandwidth,
            "global_sram": all_of_it * arch.sram_cycle / (sram.banks * sram.line),
        }

    def bytes(self, operator: Operator, arch: Arch) -> tuple[Fraction, Fraction]:
        """Bytes to and from HBM, and all bytes, each tensor at its own width; of a table only the rows that are gathered."""
        widths = TensorWidths(self.trace, arch)
        most = operator.elements if operator.kind is Kind.EMBEDDING else None
        reads = {name: self._size(name, most) for operand in operator.operands for name in operand}
        sizes = [*reads.items(), *((name, self._size(name)) for name in operator.outputs)]
        moved = [(name, Fraction(size * widths.tensor(name), 8)) for name, size in sizes]
        hbm = [size for name, size in moved if self.trace.tensors[name].role in STORED]
        return sum(hbm, Fraction(0)), sum((size for _, size in moved), Fraction(0))

    def _size(self, name: str, most: int | None = None) -> int:
        elements = self.trace.tensors[name].elements
        return elements if most is None else min(most, elements)
