"""Is the roofline the largest of its three times? Worked by hand on a small machine: 1 tick is 1 ns.

2 tiles of 1 core of 2 x 2 x 2: 16 MACs a tick. HBM 8 B a tick; global SRAM 8 B each 2 ticks; 8-bit operands.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from small import gemm, linear, machine, trace, vector
from strategies import Machine, machines, traces

from lsim.models import load_model, predict
from lsim.models.roofline import BoundRoofline
from lsim.trace import Kind, Trace, load_trace


def times(work: Trace, n: int = 0) -> dict[str, Fraction]:
    return BoundRoofline(work).times(work.operators[n], machine())


def test_how_long_does_a_gemm_take() -> None:
    # 5·7·3 MACs; weights and input 5·7 + 7·3 bytes from HBM; with 5·3 of results over the SRAM
    assert times(linear(5, 7, 3)) == {
        "compute": Fraction(105, 16),
        "hbm": Fraction(56, 8),
        "global_sram": Fraction(71 * 2, 8),
    }
    assert predict(load_model("roofline", machine()), linear(5, 7, 3), machine()).ticks == Fraction(71, 4)


def test_how_long_does_a_vector_operator_take() -> None:
    work = trace(gemm("w", "x", "y", 4, 4, 4), vector(Kind.SOFTMAX, ["y"], "z", 4, 4))
    assert times(work, 1) == {"compute": 0, "hbm": 0, "global_sram": Fraction(32 * 2, 8)}


def test_is_an_operand_that_is_read_twice_moved_once() -> None:
    work = trace(gemm("w", "x", "y", 4, 4, 4), gemm("y", "y", "z", 4, 4, 4))
    assert times(work, 1)["global_sram"] == Fraction(32 * 2, 8)


def test_are_new_keys_stored_in_hbm() -> None:
    work = trace(gemm("w", "x", "k", 4, 4, 4), gemm("k", "x", "s", 4, 4, 4), kv=["k"])
    assert times(work, 0)["hbm"] == Fraction(48, 8)
    assert times(work, 1)["hbm"] == Fraction(32, 8)


def test_is_each_tensor_moved_at_its_own_width() -> None:
    """4 · 4 weights of 4 bits are 8 B, inputs of 16 bits 32 B, keys of 8 bits 16 B, scores 32 B."""
    work = trace(gemm("w", "x", "k", 4, 4, 4), gemm("k", "x", "s", 4, 4, 4), kv=["k"])
    arch, bound = machine().with_widths("W4A16KV8"), BoundRoofline(work)
    first, second = (bound.times(op, arch) for op in work.operators)
    assert (first["hbm"], second["hbm"]) == (Fraction(8 + 32 + 16, 8), Fraction(16 + 32, 8))
    assert second["global_sram"] == Fraction((16 + 32 + 32) * 2, 8)


def test_are_only_the_rows_of_a_table_that_are_gathered_moved() -> None:
    work = load_trace("bert-base")
    of = BoundRoofline(work).times(work.operators[0], machine())
    # 128 tokens of 768 features from tables of words, positions and segments (2 rows); two lists of 128 ids
    assert of["hbm"] == Fraction(2 * 128 + 2 * 128 * 768 + 2 * 768, 8)


@given(work=traces(), small=machines())
def test_is_the_roofline_of_a_trace_the_sum_of_the_largest_times(work: Trace, small: Machine) -> None:
    arch = small.arch
    bound = BoundRoofline(work)
    said = predict(load_model("roofline", arch), work, arch)
    assert said.ticks == sum(max(bound.times(op, arch).values()) for op in work.operators)
    assert said.ticks * arch.peak_macs_per_tick >= work.macs
    assert said.components is None
