"""A generation: the steps of a language model that writes text, prefill and then a decode step a token, as traces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from math import comb
from typing import Any

from attrs import evolve, frozen

from lsim.errors import TraceError
from lsim.trace.check import build, check_sizes
from lsim.trace.document import Document, Item, Phase, Repeat, Statement, grown_operator, grown_tensor
from lsim.trace.ir import Role, Tensor, Trace
from lsim.trace.masks import Masked, masked, total
from lsim.trace.text import text_of

DEGREE = 8
"""What a check of sizes compares are products of at most so many sizes, each affine in the step: polynomials of this degree."""


@frozen
class Step:
    """One step: its number in the generation and in its phase, both from 0."""

    number: int
    phase: Phase
    place: int

    @property
    def name(self) -> str:
        return f"{self.phase.name}.{self.place}"


@frozen
class Generation:
    """Steps that follow each other, of which only the sizes at the start of each phase and their growth are kept.

    Weights of the same name are the same in all phases.
    """

    document: Document

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def description(self) -> str:
        return self.document.description

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order."""
        places = [(phase, place) for phase in self.document.phases for place in range(phase.count)]
        return tuple(Step(number, phase, place) for number, (phase, place) in enumerate(places))

    def trace(self, number: int) -> Trace:
        """The trace of a step, by its number from 0; it is checked as that of a file would be."""
        if not 0 <= number < len(self.steps):
            raise TraceError(f"has no step {number}: its steps are 0 to {len(self.steps) - 1}")
        step = self.steps[number]
        return self._growths[step.phase.name].trace(f"{self.name}.{step.name}", step.place)

    @cached_property
    def tokens(self) -> int:
        """New tokens of all sequences."""
        return sum(phase.count * phase.tokens for phase in self.document.phases)

    def macs(self, number: int) -> int:
        """Multiply-accumulates of a step."""
        step = self.steps[number]
        return sum(comb(step.place, k) * d for k, d in enumerate(self._differences[step.phase.name]))

    @cached_property
    def total_macs(self) -> int:
        """Multiply-accumulates of all steps."""
        return sum(phase["macs"] for phase in self.phases())

    @cached_property
    def _differences(self) -> dict[str, list[int]]:
        """Of each phase, the MACs of its first step and their differences: four sizes are multiplied, each affine in the step, so there
        are no more than four differences, and Newton's formula gives the MACs of any step."""
        found = {}
        for phase in self.document.phases:
            row = [_macs(phase.items(place)) for place in range(min(phase.count, 5))]
            found[phase.name] = [row[0]]
            while len(row) > 1:
                row = [b - a for a, b in pairwise(row)]
                found[phase.name].append(row[0])
        return found

    @cached_property
    def masked(self) -> Masked:
        """How many of the MACs of all steps are masked, and how many are skipped because they would be."""
        parts = []
        for phase in self.document.phases:
            mine = [step.number for step in self.steps if step.phase is phase]
            causal = any(
                statement.operator and statement.operator.causal for _, statement in _times(phase.first)
            )
            told = [masked(self.trace(number)) for number in mine] if causal else []
            parts += told or [Masked(macs=sum(map(self.macs, mine)))]
        return total(parts)

    @cached_property
    def operators(self) -> int:
        """Operators of all steps."""
        return sum(phase["steps"] * phase["operators"] for phase in self.phases())

    def phases(self) -> list[dict[str, Any]]:
        """Of each phase: its steps, the tokens and operators of one, and the MACs of the first, the last and all."""
        told = []
        for phase in self.document.phases:
            differences = self._differences[phase.name]
            told.append(
                {
                    "phase": phase.name,
                    "steps": phase.count,
                    "tokens": phase.tokens,
                    "operators": sum(times for times, statement in _times(phase.first) if statement.operator),
                    "first_macs": differences[0],
                    "last_macs": sum(comb(phase.count - 1, k) * d for k, d in enumerate(differences)),
                    "macs": sum(comb(phase.count, k + 1) * d for k, d in enumerate(differences)),
                }
            )
        return told

    @cached_property
    def parameters(self) -> int:
        """Elements of the weights, those that several phases read counted once. Where phases read more or fewer experts of a stack,
        those of the phase that reads most."""
        known: dict[str, Tensor] = {}
        for weights in self.weights.values():
            for name, tensor in weights.items():
                if known.setdefault(name, tensor).elements != tensor.elements:
                    return max(sum(t.elements for t in own.values()) for own in self.weights.values())
        return sum(tensor.elements for tensor in known.values())

    @cached_property
    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Of each phase, its weights by name."""
        return {
            phase: {t.name: t for t in growth.first.tensors.values() if t.role is Role.WEIGHT}
            for phase, growth in self._growths.items()
        }

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the canonical text, prose left out: equal for equal work that is folded into the same phases."""
        content = evolve(self.document, description="", sources=(), conventions=())
        return sha256(json.dumps(text_of(content)).encode()).hexdigest()

    @cached_property
    def _growths(self) -> dict[str, _Growth]:
        built = [
            (p, [build(self.document.at(p, step)) for step in range(min(2, p.count))])
            for p in self.document.phases
        ]
        return {phase.name: _Growth.of(traces[0], traces[-1]) for phase, traces in built}


def _check_weights(generation: Generation) -> None:
    """That weights of one name have one size; of a stack of experts (three sizes, the first of which counts them) fewer or more
    may be read in another phase."""
    known: dict[str, Tensor] = {}
    for phase, weights in generation.weights.items():
        line = next(one.line for one in generation.document.phases if one.name == phase)
        for name, tensor in weights.items():
            before = known.setdefault(name, tensor)
            if before.elements != tensor.elements and not _are_experts(before, tensor):
                problem = f"has {tensor.elements} elements in phase {phase!r} and {before.elements} before"
                raise TraceError(problem, line=line, place=name)


def _are_experts(one: Tensor, other: Tensor) -> bool:
    return len(one.shape) == len(other.shape) == 3 and one.shape[1:] == other.shape[1:]


@frozen
class _Growth:
    """The first trace of a phase, and what is different in the second: places of operators, names of tensors."""

    first: Trace
    second: Trace
    operators: tuple[int, ...]
    tensors: tuple[str, ...]

    @classmethod
    def of(cls, first: Trace, second: Trace) -> _Growth:
        pairs = enumerate(zip(first.operators, second.operators, strict=True))
        tensors = (name for name, tensor in first.tensors.items() if tensor != second.tensors[name])
        return cls(first, second, tuple(i for i, (one, two) in pairs if one != two), tuple(tensors))

    def trace(self, name: str, step: int) -> Trace:
        """The trace of a step; what is different is checked anew."""
        one, two = self.first, self.second
        tensors = {t: grown_tensor(one.tensors[t], two.tensors[t], step) for t in self.tensors}
        operators = list(one.operators)
        for i in self.operators:
            operators[i] = grown_operator(operators[i], two.operators[i], step)
        trace = evolve(one, name=name, tensors={**one.tensors, **tensors}, operators=tuple(operators))
        for i in self.operators:
            check_sizes(trace.operators[i], trace.tensors)
        return trace


def check(document: Document) -> Generation:
    """The generation of a document.

    Both sides of every check of sizes are polynomials of the step, of degree 8 at most: if they agree in nine steps, they
    do in all. What is no such equation (a size that another divides) is checked when a step's trace is made.
    """
    generation = Generation(document)
    for phase in document.phases:
        tensors = (tensor for _, statement in _changing(phase) for tensor in statement.tensors)
        for tensor in tensors:
            if tensor.role is Role.WEIGHT:
                raise TraceError("a weight cannot grow", line=phase.line, place=tensor.name)
        for place in {*range(min(phase.count, DEGREE)), phase.count - 1}:
            build(document.at(phase, place))
    _check_weights(generation)
    return generation


def _macs(items: tuple[Item, ...]) -> int:
    return sum(
        n * statement.operator.macs for n, statement in _times(items) if statement.operator is not None
    )


def _times(items: tuple[Item, ...]) -> Iterator[tuple[int, Statement]]:
    """(how often, statement) for each line."""
    for item in items:
        if isinstance(item, Repeat):
            yield from ((item.count, statement) for statement in item.body)
        else:
            yield 1, item


def _changing(phase: Phase) -> Iterator[tuple[int, Statement]]:
    """The lines whose sizes grow."""
    pairs = zip(_times(phase.first), _times(phase.second or phase.first), strict=True)
    return (one for one, two in pairs if one != two)
