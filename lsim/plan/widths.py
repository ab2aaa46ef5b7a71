"""How wide each tensor is stored and moved: as its role says. See "Widths" in `docs/machine.md`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from lsim.arch import Arch
from lsim.trace import Role, Trace

Bits = int | Fraction
"""Bits of an element; of a result of tensors of several widths their mean, which need not be whole."""


def packed(elements: int, bits: Bits) -> int:
    """Bytes of so many elements side by side."""
    return -(-elements * bits // 8)


class GemmWidths(NamedTuple):
    """Bits of an element of the operands and of the result of a GEMM as it is done."""

    m1: int
    m2: int
    out: Bits


class TensorWidths:
    """Bits of an element of the tensors of a trace, and of what is made of several."""

    def __init__(self, trace: Trace, arch: Arch) -> None:
        widths, self._tensors = arch.operands.widths, trace.tensors
        self._of = {
            Role.WEIGHT: widths.weight,
            Role.KV: widths.kv,
            Role.ACTIVATION: widths.activation,
            Role.INPUT: widths.activation,
        }

    def tensor(self, name: str) -> int:
        """Of a tensor, wherever it lives."""
        return self._of[self._tensors[name].role]

    def operand(self, names: Sequence[str]) -> int:
        """Of tensors side by side that are read: the widest, so that any of them fits where the operand has room."""
        return max(map(self.tensor, names))

    def result(self, names: Sequence[str]) -> Bits:
        """Of tensors side by side that are written: the mean, so that together they are as many bytes as one by one."""
        sizes = [(self._tensors[name].elements, self.tensor(name)) for name in names]
        mean = Fraction(sum(n * bits for n, bits in sizes), sum(n for n, _ in sizes))
        return mean.numerator if mean.denominator == 1 else mean

    def gemm(self, operands: Sequence[Sequence[str]], outputs: Sequence[str]) -> GemmWidths:
        """Of a GEMM with these operands, in the order in which it is done."""
        return GemmWidths(self.operand(operands[0]), self.operand(operands[1]), self.result(outputs))
