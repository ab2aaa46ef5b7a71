"""What the controller issues at once: an operator, or a chain of element-wise operators fused into one."""

from __future__ import annotations

from functools import cached_property

from attrs import frozen

from lsim.trace import Kind, Operator, Trace

ELEMENT_WISE = frozenset({Kind.ACTIVATION, Kind.RESIDUAL, Kind.MULTIPLY, Kind.ROTARY})
ROW_WISE = frozenset({Kind.SOFTMAX, Kind.NORM})


@frozen
class Unit:
    """Operators that run as one program. All but a fused chain have one; `first` is its place in the trace."""

    operators: tuple[Operator, ...]
    first: int

    @property
    def is_gemm(self) -> bool:
        return self.operators[0].is_gemm

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.operators[-1].outputs

    @cached_property
    def inner(self) -> frozenset[str]:
        """Tensors that pass from one operator of the chain to the next and are never stored."""
        return frozenset(t for operator in self.operators[:-1] for t in operator.outputs)

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The tensors read from outside, each once."""
        inner = self.inner
        return tuple(
            dict.fromkeys(t for operator in self.operators for t in operator.reads if t not in inner)
        )


def fuse(trace: Trace) -> tuple[Unit, ...]:
    """The units of a trace, in order."""
    chains: list[list[Operator]] = []
    for operator in trace.operators:
        if chains and _continues(trace, chains[-1][-1], operator):
            chains[-1].append(operator)
        else:
            chains.append([operator])
    units, first = [], 0
    for chain in chains:
        units.append(Unit(tuple(chain), first))
        first += len(chain)
    return tuple(units)


def _continues(trace: Trace, before: Operator, operator: Operator) -> bool:
    return (
        before.kind in ELEMENT_WISE
        and operator.kind in ELEMENT_WISE
        and (before.heads, before.rows, before.columns) == (operator.heads, operator.rows, operator.columns)
        and before.outputs in operator.operands
        and all(trace.consumers(t) == (operator,) for t in before.outputs)
        and all(trace.tensors[t].role.value != "kv" for t in before.outputs)
    )
