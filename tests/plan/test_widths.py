"""Is each tensor as wide as its role says, wherever bytes of it are counted?"""

from __future__ import annotations

from fractions import Fraction

import pytest
from small import gemm, machine, trace, vector

from lsim.arch import Arch
from lsim.kernel.program import leaves
from lsim.plan.schedule import Plan, plan
from lsim.plan.widths import TensorWidths, packed
from lsim.trace import Kind, Operator, Role, Tensor, Trace

ATTENTION = trace(
    gemm("wk", "x", "k", 8, 8, 4),
    gemm("wv", "x", "v", 8, 8, 4),
    gemm("wq", "x", "q", 8, 8, 4),
    gemm("q", "k", "s", 4, 4, 4, heads=2),
    vector(Kind.SOFTMAX, ["s"], "p", 4, 4, heads=2),
    gemm("p", "v", "o", 4, 4, 4, heads=2),
    kv=["k", "v"],
)


def wide(weight: int, activation: int, kv: int, **settings: str) -> Arch:
    return machine(**settings).with_widths(f"W{weight}A{activation}KV{kv}")


def fused(*features: int, kv: int = 0) -> Trace:
    """One layer of 8 inputs and 4 tokens that writes several tensors, the last `kv` of them to the cache."""
    names = [f"y{i}" for i in range(len(features))]
    roles = [Role.ACTIVATION] * (len(features) - kv) + [Role.KV] * kv
    tensors = {name: Tensor(name, (n, 4), role) for name, n, role in zip(names, features, roles, strict=True)}
    tensors |= {"w": Tensor("w", (sum(features), 8), Role.WEIGHT), "x": Tensor("x", (8, 4), Role.INPUT)}
    layer = Operator("layer", Kind.GEMM, (("w",), ("x",)), tuple(names), 1, sum(features), 8, 4)
    return Trace("fused", tensors, (layer,))


def moved(p: Plan, process: str, field: str) -> int:
    return sum(times * getattr(item, field) for times, item in leaves(p.programs[process]))


@pytest.mark.parametrize(
    ("operator", "widths"), [("k", (4, 8, 16)), ("q", (4, 8, 8)), ("s", (8, 16, 8)), ("o", (8, 16, 8))]
)
def test_how_wide_are_the_operands_and_the_result_of_a_gemm(operator: str, widths: tuple[int, ...]) -> None:
    """Weights of 4, activations and inputs of 8, KV entries of 16 bits: keys and values are written and read so."""
    assert plan(ATTENTION, wide(4, 8, 16)).tilings[f"make {operator}"].widths == widths


def test_is_what_a_core_holds_of_a_turned_gemm_as_wide_as_values_are() -> None:
    """S·V is done as Vᵀ·Sᵀ; writing 2 · 2 values of 16 bits through a port of 1 B takes 8 cycles of 2 ticks, of 4 bits 2."""
    settings = {"core__kind": "mrr-bank", "core__columns": "1", "m1_sram__port": "1 B"}
    for kv, ticks in ((16, 16), (4, 4)):
        tiling = plan(ATTENTION, wide(4, 8, kv, **settings)).tilings["make o"]
        assert tiling.widths == (kv, 8, 8)
        assert tiling.reload == ticks


def test_is_an_operand_as_wide_as_the_widest_of_its_tensors() -> None:
    tensors = {
        name: Tensor(name, (8,), role)
        for name, role in zip("wxk", (Role.WEIGHT, Role.INPUT, Role.KV), strict=True)
    }
    found = TensorWidths(Trace("t", tensors, ()), wide(4, 8, 16))
    assert [found.operand(names) for names in (("w",), ("w", "x"), ("x", "k"), ("k", "w"))] == [4, 8, 16, 16]


@pytest.mark.parametrize(
    ("features", "kv", "bits"),
    [((8, 4, 4), 2, 6), ((8, 8, 8), 2, Fraction(16, 3)), ((8,), 1, 4), ((8, 8), 0, 8)],
)
def test_is_a_result_written_in_as_many_bytes_as_its_tensors_are_stored_in(
    features: tuple[int, ...], kv: int, bits: Fraction
) -> None:
    """Q at 8 bits beside K and V at 4: drained and stored as many bytes as they have one by one."""
    work, arch = fused(*features, kv=kv), wide(4, 8, 4)
    p = plan(work, arch)
    assert p.tilings["layer"].widths.out == bits
    sizes = [4 * n * (4 if i >= len(features) - kv else 8) // 8 for i, n in enumerate(features)]
    assert moved(p, "dma.out", "bytes") == moved(p, "drain", "writes")
    blocks = sum(times for times, _ in leaves(p.programs["core"]))
    assert sum(sizes) <= moved(p, "drain", "writes") <= sum(sizes) + blocks  # each block is rounded up
    if Fraction(bits).denominator == 1:
        assert moved(p, "drain", "writes") == sum(sizes)


def test_must_a_result_that_is_wider_than_what_it_is_made_of_fit_its_slot() -> None:
    """Rows of a 4-bit table become 16-bit activations: of 16 B of a slot 8 elements, where 32 could be read."""
    ids, table = Tensor("ids", (4,), Role.INPUT), Tensor("table", (9, 12), Role.WEIGHT)
    out = Tensor("e", (4, 12))
    gather = Operator("gather", Kind.EMBEDDING, (("ids",), ("table",)), ("e",), 1, 4, 0, 12)
    p = plan(Trace("t", {"ids": ids, "table": table, "e": out}, (gather,)), wide(4, 16, 8))
    sizes = [item.elements for times, item in leaves(p.programs["dpu.lanes"]) for _ in range(times)]
    assert sizes == [8] * 6
    assert moved(p, "dpu.dma", "bytes") == moved(p, "dpu.read", "bytes") == 48 // 2
    assert moved(p, "dpu.write", "writes") == 48 * 2


def test_are_operands_of_a_vector_operator_read_each_at_its_width() -> None:
    """A sum with a table of positions: activations of 16 bits and a parameter of 4, 20 bits of each element in 16 B."""
    work = trace(gemm("w", "i", "x", 8, 8, 4), vector(Kind.RESIDUAL, ["x", "wp"], "y", 8, 4))
    p = plan(work, wide(4, 16, 8))
    pieces = [item for times, item in leaves(p.programs["dpu.read"]) for _ in range(times)]
    sizes = [6, 6, 4] * 2  # 8 · 16 // 20 elements of the 16 of a row pass
    assert [piece.bytes for piece in pieces] == [2 * n + n // 2 for n in sizes]
    assert moved(p, "dpu.dma", "bytes") == 32 // 2, "the table alone comes from HBM"


def test_is_the_room_that_an_output_claims_that_of_its_own_width() -> None:
    for bits, claim in ((4, 16), (8, 32), (16, 64)):
        work = trace(gemm("w", "i", "x", 8, 8, 4), vector(Kind.NORM, ["x"], "y", 4, 8))
        assert plan(work, wide(4, bits, 4)).residency.claims[0] == claim


def test_is_a_row_that_grows_cut_by_what_it_grows_to() -> None:
    """Rows of 8 values of 8 bits for a cache of 16: a slot of 16 B has room for two to read, and for one to write."""
    work = trace(gemm("w", "i", "x", 8, 8, 4), vector(Kind.NORM, ["x"], "y", 4, 8), kv=["y"])
    p = plan(work, wide(4, 8, 16))
    pieces = [item for times, item in leaves(p.programs["dpu.lanes"]) for _ in range(times)]
    assert [(piece.reads, piece.writes) for piece in pieces] == [(8, 16)] * 4


def test_is_room_claimed_for_each_tensor_at_its_own_width() -> None:
    """Q of 8 · 4 values at 8 bits and K of as many at 4: 48 B until both are read."""
    work = fused(8, 8, kv=1)
    read = Operator("read", Kind.GEMM, (("y0",), ("y1",)), ("s",), 1, 4, 8, 4)
    tensors = {**work.tensors, "s": Tensor("s", (4, 4))}
    p = plan(Trace("t", tensors, (*work.operators, read)), wide(4, 8, 4))
    assert p.residency.claims == (32 + 16, 0)


def test_are_gemms_of_one_size_told_apart_by_their_widths() -> None:
    """8 · 8 values from HBM on 8 · 4: weights, then what a cache holds."""
    work = trace(gemm("w", "x", "a", 8, 8, 4), gemm("k", "x", "b", 8, 8, 4), gemm("w2", "x", "c", 8, 8, 4))
    cached = Trace("t", {**work.tensors, "k": Tensor("k", (64,), Role.KV)}, work.operators)
    tilings = plan(cached, wide(4, 8, 16)).tilings
    assert [tilings[f"make {name}"].widths.m1 for name in "abc"] == [4, 16, 4]


def test_are_bytes_of_a_width_that_is_not_whole_exact() -> None:
    assert [packed(n, Fraction(16, 3)) for n in (1, 2, 3, 6)] == [1, 2, 2, 4]
