"""The outline of a trace: what it computes, without names, in an order that the graph alone fixes.

Traces of equal outlines have the same graph, operator for operator: kinds, sizes, flags, roles and what reads what.
Names, labels, shapes beside their sizes, and the order in which independent operators stand, are not in it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256

from lsim.trace.ir import Kind, Operator, Role, Trace

_ANY_ORDER = (Kind.RESIDUAL, Kind.MULTIPLY)  # their operands commute; so do the tables of an embedding


def outline(trace: Trace) -> list[str]:
    """One line an operator: number, kind, heads x rows x columns·depth, flags (what it reads) -> what it writes."""
    return list(_Outline(trace).lines())


class _Outline:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.digests: dict[str, str] = {}  # tensor → all that it descends from
        self.said: dict[str, str] = {}  # tensor → how lines call it
        self.stored: Counter[Role] = Counter()
        for operator in trace.operators:
            self._digest(operator)

    def lines(self) -> Iterator[str]:
        """Depth first from the results: what an operator reads comes before the operator itself."""
        for number, operator in enumerate(self._in_order()):
            for at, name in enumerate(operator.outputs):
                self.said[name] = f"%{number}.{at}"
            yield self._line(number, operator)

    def _in_order(self) -> Iterator[Operator]:
        ends = [o for o in self.trace.operators if not any(map(self.trace.consumers, o.outputs))]
        waiting = [
            (end, False) for end in sorted(ends, key=lambda o: self.digests[o.outputs[0]], reverse=True)
        ]
        done: set[str] = set()
        while waiting:
            operator, ready = waiting.pop()
            if operator.name in done:
                continue
            if ready:
                done.add(operator.name)
                yield operator
                continue
            waiting.append((operator, True))
            made = [self.trace.producer(name) for operand in self._operands(operator) for name in operand]
            waiting += [(one, False) for one in reversed(made) if one is not None]

    def _line(self, number: int, o: Operator) -> str:
        reads = " ".join("+".join(map(self._called, operand)) for operand in self._operands(o))
        depth = f"·{o.depth}" if o.depth else ""
        flags = f"{' causal' if o.causal else ''}{f' window={o.window}' if o.window else ''}{_band(o)}"
        tensors = [self.trace.tensors[name] for name in o.outputs]
        writes = " ".join(f"{t.elements}{'kv' if t.role is Role.KV else ''}" for t in tensors)
        return f"%{number} {o.kind} {o.heads}x{o.rows}x{o.columns}{depth}{flags} ({reads}) -> {writes}"

    def _called(self, name: str) -> str:
        """A stored tensor is called by role, the order in which it is first read, and size."""
        if name not in self.said:
            tensor = self.trace.tensors[name]
            self.said[name] = f"{tensor.role}{self.stored[tensor.role]}[{tensor.elements}]"
            self.stored[tensor.role] += 1
        return self.said[name]

    def _operands(self, o: Operator) -> Sequence[tuple[str, ...]]:
        """The operands, those that commute in the order of what they are."""
        fixed = 0 if o.kind in _ANY_ORDER else 1 if o.kind is Kind.EMBEDDING else len(o.operands)
        return [*o.operands[:fixed], *sorted(o.operands[fixed:], key=self._key)]

    def _key(self, operand: tuple[str, ...]) -> list[str]:
        stored = (self.trace.tensors[name] for name in operand)
        return [self.digests.get(t.name, f"{t.role} {t.elements}") for t in stored]

    def _digest(self, o: Operator) -> None:
        operands = [self._key(operand) for operand in self._operands(o)]
        roles = [self.trace.tensors[name].role for name in o.outputs]
        content = [
            o.kind,
            o.heads,
            o.rows,
            o.depth,
            o.columns,
            o.causal,
            o.window,
            *(o.band or ()),
            operands,
            roles,
        ]
        digest = sha256(json.dumps(content).encode()).hexdigest()
        self.digests.update((name, f"{digest} {at}") for at, name in enumerate(o.outputs))


def _band(o: Operator) -> str:
    return f" band={o.band.begin}-{o.band.end - 1}/{o.band.tokens}" if o.band else ""
