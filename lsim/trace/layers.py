"""Where a model repeats itself: stretches of operators that are the same but for numbers in their names."""

import re
from collections.abc import Hashable

from attrs import frozen

from lsim.trace.ir import Operator, Trace
from lsim.trace.structure import repeats

_NUMBER = re.compile(r"[._]?\d+")  # exporters name the second `linear` of a model `linear_1`


@frozen
class Stretch:
    """`count` times the work of the operators of `first`, which are those of its first round; `start` is where it begins."""

    start: int
    count: int
    first: tuple[Operator, ...]


def stretches(trace: Trace) -> list[Stretch]:
    """The trace as stretches side by side: what repeats, and between, with count 1, what does not."""
    operators = trace.operators
    cover = repeats([_signature(trace, operator) for operator in operators])
    return [Stretch(start, count, operators[start : start + length]) for start, length, count in cover]


def _signature(trace: Trace, operator: Operator) -> Hashable:
    sizes = (operator.heads, operator.rows, operator.depth, operator.columns)
    mask = operator.causal, operator.window, operator.band
    roles = tuple(trace.tensors[name].role for name in operator.reads)
    return _NUMBER.sub("", operator.name), operator.kind, sizes, mask, roles
