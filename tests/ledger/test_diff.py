"""Is the difference between two runs the sum of its rows, operator by operator, whatever differs between them?"""

from __future__ import annotations

from fractions import Fraction

from attrs import evolve
from hypothesis import HealthCheck, given, settings
from small import attention, gemm, layers, machine, trace, vector
from strategies import runs

import lsim
from lsim import Result, simulate
from lsim.ledger.diff import Difference
from lsim.trace import Kind


def check(found: Difference) -> None:
    """All sums, from the JSON alone."""
    told = found.to_dict()
    before, after = (Fraction(told[side]["time"]) for side in "ab")
    assert after - before == Fraction(told["difference"]) == sum(map(Fraction, told["rows"].values()))
    for side, total in (("a", before), ("b", after)):
        assert sum(Fraction(line[side] or 0) for line in told["operators"]) == total
    for line in told["operators"]:
        assert Fraction(line["b"] or 0) - Fraction(line["a"] or 0) == Fraction(line["difference"])
        assert Fraction(line["difference"]) == sum(map(Fraction, line["rows"].values()))
    for row in told["rows"]:
        assert sum(Fraction(line["rows"].get(row, 0)) for line in told["operators"]) == Fraction(
            told["rows"][row]
        )


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(runs(), runs())
def test_are_the_rows_the_difference(one: Result, other: Result) -> None:
    check(lsim.diff(one, other))
    nothing = lsim.diff(one, one)
    assert (nothing.difference, nothing.rows, nothing.inputs) == (0, {}, {})


def test_is_a_difference_the_other_way_round_its_negative() -> None:
    one, other = simulate(layers(2), machine()), simulate(layers(3), machine(hbm__latency="50 ns"))
    there, back = lsim.diff(one, other), lsim.diff(other, one)
    assert {row: -value for row, value in there.rows.items()} == back.rows
    assert there.difference == -back.difference == other.ticks - one.ticks


def test_are_operators_that_only_one_run_has_shown_as_such() -> None:
    two = trace(gemm("w0", "x", "a", 8, 8, 8), gemm("w1", "a", "b", 8, 8, 8))
    three = trace(
        gemm("w0", "x", "a", 8, 8, 8), vector(Kind.SOFTMAX, ["a"], "p", 8, 8), gemm("w1", "p", "b", 8, 8, 8)
    )
    found = lsim.diff(simulate(two, machine()), simulate(three, machine()))
    check(found)
    assert [(one.name, one.a is None, one.b is None) for one in found.operators] == [
        ("make a", False, False), ("make p", True, False), ("make b", False, False),
    ]  # fmt: skip
    back = lsim.diff(simulate(three, machine()), simulate(two, machine()))
    assert [(one.name, one.b is None) for one in back.operators] == [
        ("make a", False),
        ("make p", True),
        ("make b", False),
    ]


def test_are_gemms_that_take_turns_in_one_run_taken_together_in_both() -> None:
    work, arch = attention(tokens=14, heads=3, blocks=2), machine(global_sram__capacity="64 KiB")
    found = lsim.diff(simulate(work, arch), simulate(work, arch, deps="chunked"))
    check(found)
    pair = next(one for one in found.operators if one.name == "make s0 + make a0")
    assert None not in (pair.a, pair.b)
    assert found.inputs == {"option deps": ("barrier", "chunked")}


def test_are_runs_of_different_clocks_compared_in_seconds() -> None:
    """Twice the clock, and all times of the machine the same number of ticks: half the seconds, in every row."""
    slow = machine(hbm__latency="0 ns")
    fast = slow.with_settings({"core.clock": "2 GHz", "global_sram.clock": "1 GHz", "dpu.clock": "1 GHz", "encoder.sample_rate": "2 GHz", "hbm.bandwidth": "16 GB/s"})  # fmt: skip
    one, other = simulate(layers(2), slow), simulate(layers(2), fast)
    assert one.ticks == other.ticks
    found = lsim.diff(one, other)
    check(found)
    assert (found.unit, found.times) == ("s", (Fraction(one.ticks, 10**9), Fraction(one.ticks, 2 * 10**9)))
    assert found.operators[0].b == found.operators[0].a / 2  # type: ignore[operator]


def test_what_differs_of_the_inputs() -> None:
    work = layers(2)
    found = lsim.diff(
        simulate(work, machine(), ideal=["dpu"]),
        simulate(evolve(work, name="other"), machine(core__tiles="4", hbm__latency="7 ns"), deps="chunked"),
    )
    trace_name, *others = found.inputs.items()
    assert trace_name[0] == "trace"
    assert dict(others) == {
        "option deps": ("barrier", "chunked"),
        "option ideal": ("dpu", ""),
        "core.tiles": ("2", "4"),
        "hbm.latency": ("5 ns", "7 ns"),
    }
