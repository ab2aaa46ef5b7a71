"""The outline of a trace: what it computes, without names, in an order that the graph alone fixes.

Two traces have the same outline if and only if their graphs are the same, operator for operator: kinds, sizes, flags,
roles and what reads what. Names, labels and the order in which independent operators stand do not matter.
"""

import json
from collections.abc import Iterator
from hashlib import sha256

from lsim.trace.ir import Kind, Operator, Role, Trace

_ANY_ORDER = (Kind.RESIDUAL, Kind.MULTIPLY)  # their operands commute; so do the tables of an embedding


def outline(trace: Trace) -> list[str]:
    """One line an operator: kind, sizes and flags; what it reads; what it writes."""
    return list(_Outline(trace).lines())


class _Outline:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.hashes: dict[str, str] = {}
        for operator in trace.operators:
            self._hash(operator)
        self.seen: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        """Depth first from the results, what an operator reads before the operator itself."""
        written = {name for operator in self.trace.operators for name in operator.outputs}
        ends = [o for o in self.trace.operators if not any(map(self.trace.consumers, o.outputs))]
        assert written
        for end in sorted(ends, key=lambda o: self._of(o.outputs[0])):
            for count, operator in enumerate(self._below(end), start=len(self.seen)):
                yield f"{self._line(operator)}" if count >= 0 else ""

    def _below(self, end: Operator) -> Iterator[Operator]:
        """The operators that an end needs and that have not come yet, in order."""
        done: set[str] = set()
        stack = [(end, False)]
        while stack:
            operator, ready = stack.pop()
            if operator.name in done or operator.outputs[0] in self.seen:
                continue
            if ready:
                done.add(operator.name)
                yield operator
                continue
            stack.append((operator, True))
            needed = [self.trace.producer(name) for operand in self._operands(operator) for name in operand]
            stack += [(one, False) for one in reversed(needed) if one is not None]

    def _line(self, o: Operator) -> str:
        reads = " ".join("+".join(map(self._said, operand)) for operand in self._operands(o))
        number = sum(1 for name in self.seen.values() if name.endswith(".0"))
        for at, name in enumerate(o.outputs):
            self.seen[name] = f"%{number}.{at}"
        depth = f"·{o.depth}" if o.depth else ""
        flags = f"{' causal' if o.causal else ''}{f' window={o.window}' if o.window else ''}"
        tensors = (self.trace.tensors[name] for name in o.outputs)
        writes = " ".join(f"{t.elements}{'kv' if t.role is Role.KV else ''}" for t in tensors)
        return f"%{number} {o.kind} {o.heads}x{o.rows}x{o.columns}{depth}{flags} ({reads}) -> {writes}"

    def _said(self, name: str) -> str:
        """A stored tensor is told by role, size and the order in which it is first read."""
        if name not in self.seen:
            tensor = self.trace.tensors[name]
            number = sum(1 for said in self.seen.values() if said.startswith(tensor.role))
            self.seen[name] = f"{tensor.role}{number}[{tensor.elements}]"
        return self.seen[name]

    def _operands(self, o: Operator) -> list[tuple[str, ...]]:
        """The operands, those that commute in the order of what they are."""
        if o.kind in _ANY_ORDER:
            return sorted(o.operands, key=self._key)
        if o.kind is Kind.EMBEDDING and len(o.operands) > 1:
            return [o.operands[0], *sorted(o.operands[1:], key=self._key)]
        return list(o.operands)

    def _key(self, operand: tuple[str, ...]) -> list[str]:
        return [self._of(name) for name in operand]

    def _of(self, name: str) -> str:
        if name not in self.hashes:
            tensor = self.trace.tensors[name]
            self.hashes[name] = f"{tensor.role} {tensor.elements}"
        return self.hashes[name]

    def _hash(self, o: Operator) -> None:
        """What each output is, by all that it descends from."""
        operands = [self._key(operand) for operand in o.operands]
        if o.kind in _ANY_ORDER:
            operands.sort()
        elif o.kind is Kind.EMBEDDING:
            operands = [*operands[:1], *sorted(operands[1:])]
        content = [o.kind, o.heads, o.rows, o.depth, o.columns, o.causal, o.window, operands]
        digest = sha256(json.dumps(content).encode()).hexdigest()
        self.hashes.update((name, f"{digest} {at}") for at, name in enumerate(o.outputs))
