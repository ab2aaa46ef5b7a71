"""The longest chain of operators of a trace, each of which needs the one before."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from lsim.trace import Operator, Trace


class Step(NamedTuple):
    """A tick that is reached, by an operator that came after others; None where a chain begins."""

    ticks: Fraction
    operator: Operator | None
    before: Step | None


START = Step(Fraction(0), None, None)


def longest(
    trace: Trace, alone: Callable[[Operator], Fraction], barrier: bool
) -> tuple[Fraction, list[Operator]]:
    """The end of the last operator if each takes what it takes `alone`, and the operators that it follows from, in order.

    With a barrier an operator is issued when all it reads is complete. Without, it may follow the row passes of what it reads, but
    of M2, which every row pass needs, a GEMM waits for all; and it is issued after, and ends after, whatever it reads from.
    """
    begins, ends, last = dict[str, Step](), dict[str, Step](), START
    for op in trace.operators:
        begin, follow = START, START
        for place, operand in enumerate(op.operands):
            for maker in filter(None, map(trace.producer, operand)):
                whole = barrier or (op.is_gemm and place == 1)
                begin = _later(begin, ends[maker.name] if whole else begins[maker.name])
                follow = _later(follow, ends[maker.name])
        begins[op.name] = begin
        ends[op.name] = _later(Step(begin.ticks + alone(op), op, begin), follow)
        last = _later(last, ends[op.name])
    return last.ticks, _operators(last)


def _later(one: Step, other: Step) -> Step:
    return other if other.ticks > one.ticks else one


def _operators(last: Step) -> list[Operator]:
    found, step = [], last
    while step.before is not None:
        if step.operator is not None:
            found.append(step.operator)
        step = step.before
    return found[::-1]
