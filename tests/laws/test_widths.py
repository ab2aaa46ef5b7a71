"""What do widths change of a run that can be worked out on paper, and what do they leave alone?"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import attention, linear, machine, only
from strategies import OPTIONS, Machine, machines, traces

from lsim import Result, load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.trace import Trace

RUNS = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
REGISTER, LOCAL, GLOBAL, HBM = (Fraction(pj) / 2 for pj in ("0.073", "0.92", "1.655", "62.4"))  # a byte
EVENTS = ("dac", "modulator", "photodetector", "tia", "adc", "adder", "registers", "interconnect", "act_sram")


@pytest.mark.parametrize(("bits", "ticks"), [(4, 512), (8, 1024), (16, 2048)])
def test_do_transfers_of_weights_take_as_long_as_they_are_wide(bits: int, ticks: int) -> None:
    """A token's layer bound by HBM: 64 · 32 weights at 2 B a tick. The channel never rests before the last of them; then, at any
    width, come its latency, the 4 shots of a chunk of 8 and the last result. Input and results are 48 ticks of the channel."""
    arch = only("hbm", hbm__bandwidth="2 GB/s", hbm__outstanding="2", m1_sram__slot="64 B")
    result = simulate(linear(64, 32, 1), arch.with_widths(f"W{bits}A8"))
    assert result.parts()["hbm0"].busy == ticks + 32 // 2 + 64 // 2
    assert result.ticks == ticks + 32 // 2 + 64 // 2 + 5 + 4


def test_are_half_the_bytes_of_weights_moved_at_half_the_width() -> None:
    """A decode step of Llama 2 7B: every parameter once, but of the embedding a row; gains, too, as one token is all there is."""
    work, arch = load_trace("llama-2-7b-decode-2048"), load_arch("lt-b-8bit")
    wide, narrow = (simulate(work, arch.with_widths(widths)).bytes()["hbm"] for widths in ("W8A8", "W4A8"))
    weights = work.parameters - 32000 * 4096 + 4096
    assert wide["out"] - narrow["out"] == weights // 2
    assert wide["in"] == narrow["in"]


def test_are_half_the_bytes_of_a_cache_moved_at_half_the_width() -> None:
    """The same with 4-bit keys and values: the cache of all layers in, and an entry of each out."""
    work, arch = load_trace("llama-2-7b-decode-2048"), load_arch("lt-b-8bit")
    wide, narrow = (simulate(work, arch.with_widths(widths)).bytes()["hbm"] for widths in ("W8A8", "W8A8KV4"))
    assert wide["out"] - narrow["out"] == 32 * 2 * 4096 * 2048 // 2
    assert wide["in"] - narrow["in"] == 32 * 2 * 4096 // 2


@pytest.mark.parametrize(("weights", "activations"), [(8, 8), (4, 8), (8, 4), (16, 8), (4, 16), (4, 4)])
def test_what_costs_the_same_at_every_width_and_what_does_not(weights: int, activations: int) -> None:
    """4 · 2 · 2 in one shot, converters of 8 bits: 8 weights, 4 inputs, 8 results, a byte of each at 8 bits."""
    result = simulate(linear(4, 2, 2), machine().with_widths(f"W{weights}A{activations}"))
    energy = {name: share.dynamic for name, share in result.energy().components.items()}
    same = simulate(linear(4, 2, 2), machine()).energy().components
    assert {name: energy[name] for name in EVENTS} == {name: same[name].dynamic for name in EVENTS}
    w, x, o = weights, activations // 2, activations  # bytes
    assert energy["m1_sram"] == LOCAL * 2 * w
    assert energy["m2_sram"] == LOCAL * 2 * x
    assert energy["global_sram"] == GLOBAL * 2 * (w + x + o)
    assert energy["hbm"] == HBM * (w + x + o)


def test_does_a_softmax_cost_by_the_width_that_it_works_on() -> None:
    """Of activations; in the lanes' other functions an operation is an operation."""
    work = attention()
    energies = [simulate(work, machine().with_widths(f"W8A{bits}KV8")) for bits in (4, 8, 16)]
    dpu = [result.energy().components["dpu"].dynamic for result in energies]
    assert dpu[1] - dpu[0] > 0
    assert dpu[2] - dpu[1] == 2 * (dpu[1] - dpu[0])
    logic = machine().devices.logic
    assert dpu[1] - dpu[0] == 2 * 8 * 8 * logic.softmax_power * 10**9 / logic.softmax_rate * Fraction(4, 8)


def test_does_a_port_take_longer_for_the_wider_operand() -> None:
    """Ports of 1 B a cycle of 2 ticks: a step of a tile has 2 · 2 weights, and 2 · 2 inputs. 3 steps of 2 columns, all else ideal."""
    arch = only("feed", m1_sram__port="1 B", m2_sram__port="1 B")
    for widths, feed in (("W8A8", 8), ("W4A8", 8), ("W4A4", 4), ("W4A16", 16), ("W16A4", 16)):
        assert simulate(linear(4, 6, 2), arch.with_widths(widths)).ticks == 3 * feed, widths


@RUNS
@given(traces(), machines(groups=("1", "2")), st.sampled_from(["4", "8", "16"]), OPTIONS)
def test_do_ticks_follow_from_what_is_stored_alone(
    work: Trace, drawn: Machine, bits: str, options: dict[str, str]
) -> None:
    """All stored at one width is the machine whose operands are so wide, whatever converters resolve."""
    slots = dict.fromkeys(("m1_sram.slot", "m2_sram.slot"), "40 B")
    plain = {
        key: value for key, value in drawn.settings.items() if not key.endswith(("_bits", "operands.bits"))
    }
    plain |= {**slots, "operands.partial_sum_bits": "16 bit"}
    given = {f"operands.{role}_bits": f"{bits} bit" for role in ("weight", "activation", "kv")}
    one = drawn._replace(settings={**plain, "operands.bits": "3 bit", **given})
    other = drawn._replace(settings={**plain, "operands.bits": f"{bits} bit"})
    a, b = (ran(work, machine, options) for machine in (one, other))
    assert (a.ticks, a.bytes(), a.tiles(), a.operators) == (b.ticks, b.bytes(), b.tiles(), b.operators)


def ran(work: Trace, machine: Machine, options: dict[str, str]) -> Result:
    try:
        return simulate(work, machine.arch, **options)
    except InputError:
        assume(False)
        raise
