"""Which operand of a GEMM a core holds, where cores hold one: M1, but of S·V it is V.

What a softmax gives is never negative: as the operand that passes by, it takes one pass where others take one for each sign.
The GEMM is turned for that: Oᵀ = M2ᵀ·M1ᵀ.
"""

from __future__ import annotations

from attrs import evolve

from lsim.arch import Arch
from lsim.trace import Kind, Operator, Trace


def is_turned(trace: Trace, op: Operator, arch: Arch) -> bool:
    """Whether the cores hold M2 of this GEMM."""
    return arch.holds_operand and op.is_gemm and _never_negative(trace, op.operands[0])


def oriented(trace: Trace, op: Operator, arch: Arch) -> Operator:
    """The GEMM as it is done: M1 is what the cores hold, if they hold anything."""
    if not is_turned(trace, op, arch):
        return op
    m1, m2, *rest = op.operands
    return evolve(op, operands=(m2, m1, *rest), rows=op.columns, columns=op.rows)


def passes_of_signs(trace: Trace, op: Operator, arch: Arch) -> int:
    """Shots a step: one for each sign that the passing operand of an oriented GEMM can have."""
    return 1 if _never_negative(trace, op.operands[1]) else arch.core.passes


def _never_negative(trace: Trace, operand: tuple[str, ...]) -> bool:
    makers = [trace.producer(name) for name in operand]
    return all(maker is not None and maker.kind is Kind.SOFTMAX for maker in makers)
