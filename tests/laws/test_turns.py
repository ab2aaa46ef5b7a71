"""Which GEMMs may take turns on the cores, row pass by row pass, and which would wait for each other for ever?"""

from __future__ import annotations

import pytest

from lsim import load_arch, simulate
from lsim.trace import Kind, Operator, Role, Tensor, Trace

ROWS, DEPTH = 300, 24


class Model:
    """Norms that keep the region large enough for all that follows, then a chain of GEMMs and softmaxes."""

    def __init__(self) -> None:
        self.tensors = {"wide": self.tensor("wide", 1000, 400), "x": self.tensor("x", ROWS, DEPTH)}
        self.operators: list[Operator] = []
        self.vector(Kind.NORM, "wide", "room", 1000, 400)
        self.vector(Kind.NORM, "room", "room2", 1000, 400)

    @staticmethod
    def tensor(name: str, *shape: int) -> Tensor:
        return Tensor(name, shape, Role.INPUT)

    def vector(self, kind: Kind, source: str, name: str, rows: int, columns: int) -> str:
        return self._add(name, kind, ((source,),), rows, 0, columns)

    def gemm(self, m1: str, m2: str, name: str, depth: int, columns: int) -> str:
        return self._add(name, Kind.GEMM, ((m1,), (m2,)), ROWS, depth, columns)

    def trace(self) -> Trace:
        return Trace("turns", self.tensors, tuple(self.operators))

    def _add(
        self,
        name: str,
        kind: Kind,
        operands: tuple[tuple[str, ...], ...],
        rows: int,
        depth: int,
        columns: int,
    ) -> str:
        self.tensors[name] = Tensor(name, (rows, columns))
        self.operators.append(Operator(f"{name}.op", kind, operands, (name,), 1, rows, depth, columns))
        return name


def chain(gemms: int) -> Trace:
    """GEMM, softmax, GEMM, softmax, …: each GEMM but the first and last could be the second of one pair and the first of another."""
    model = Model()
    a = model.vector(Kind.NORM, "x", "a", ROWS, DEPTH)
    others = [model.vector(Kind.NORM, a, f"b{i}", ROWS, DEPTH) for i in range(gemms)]
    result = model.gemm(a, others[0], "g0", DEPTH, ROWS)
    for i in range(1, gemms):
        depth, columns = (ROWS, DEPTH) if i % 2 else (DEPTH, ROWS)
        softmax = model.vector(Kind.SOFTMAX, result, f"p{i}", ROWS, depth)
        result = model.gemm(softmax, others[i], f"g{i}", depth, columns)
    return model.trace()


def self_reading() -> Trace:
    """softmax(S)·S: the second GEMM needs all of the first's result before it begins."""
    model = Model()
    a = model.vector(Kind.NORM, "x", "a", ROWS, DEPTH)
    b = model.vector(Kind.NORM, a, "b", ROWS, DEPTH)
    scores = model.gemm(a, b, "s", DEPTH, ROWS)
    softmax = model.vector(Kind.SOFTMAX, scores, "p", ROWS, ROWS)
    model.gemm(softmax, scores, "o", ROWS, ROWS)
    return model.trace()


@pytest.mark.parametrize("trace", [chain(2), chain(3), chain(4), self_reading()], ids=["2", "3", "4", "self"])
def test_does_every_chain_end_and_fold(trace: Trace) -> None:
    arch = load_arch("lt-b-4bit")
    folded = simulate(trace, arch, deps="chunked")
    unfolded = simulate(trace, arch, deps="chunked", fold=False)
    assert folded.operators == unfolded.operators
    assert folded.ticks <= simulate(trace, arch).ticks


def test_does_the_second_of_a_pair_begin_before_the_first_ends() -> None:
    runs = {run.name: run for run in simulate(chain(2), load_arch("lt-b-4bit"), deps="chunked").operators}
    assert runs["p1.op"].start < runs["g0.op"].end
    assert runs["g1.op"].start < runs["g0.op"].end
