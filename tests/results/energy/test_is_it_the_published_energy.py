"""Where do the energies of a run and of the published closed form agree, and by which mechanism do they differ?

DeiT-Tiny on LT-B at 4 bits, against the equations of the released estimator of Lightening-Transformer (Zhu et al., HPCA 2024) at its
level "arch_opt": M2 modulators shared by the tiles, ADCs shared by the cores, up to three shots integrated. For a GEMM of
H heads of (N1, D, N2): r = ⌈N1/12⌉, c = ⌈N2/12⌉, d = ⌈D/12⌉; T = 4 tiles of C = 2 cores; f = 5 GHz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest

from lsim import Result, list_archs, load_arch, load_trace, simulate
from lsim.arch import device_power, event_energy
from lsim.trace import Operator
from lsim.units import ceil_div

F = Fraction
T, C, NODE = 4, 2, 12
DAC, TX = F(50 * 16, 4) / 32 / 14, F("0.45") + F(2) * F("0.275") / 5
ADC, TIA, PD, ADDER = F("14.8") / 10 / 2, F(3, 5), F("2.2") / 5, F("0.2") / F("4.39") / 5
RF, NOC, LB, DRAM = F("0.073"), F(2), F("0.92"), F("62.4")
W = F(4, 16)  # words of an operand


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))


def gemms(result: Result) -> Iterator[tuple[Operator, int, int, int]]:
    """Each GEMM with its r, c and d."""
    for op in result.trace.operators:
        if op.is_gemm:
            yield op, ceil_div(op.rows, NODE), ceil_div(op.columns, NODE), ceil_div(op.depth, NODE)


def total(result: Result, of: Callable[[Operator, int, int, int], Fraction | int]) -> Fraction:
    return sum((F(op.heads) * of(op, r, c, d) for op, r, c, d in gemms(result)), F(0))


def encodings(op: Operator, r: int, c: int, d: int) -> Fraction:
    """m1 + m2 of the model, M2 divided by the tiles that share it."""
    return op.rows * op.depth * c + F(r * op.columns * op.depth, T)


def edge_encodings(op: Operator, r: int, c: int, d: int) -> Fraction:
    """The last row pass encodes M2 in full, however few of the tiles have rows in it: ⌈r/T⌉ passes, not r/T."""
    return (ceil_div(r, T) - F(r, T)) * op.columns * op.depth


def samples(op: Operator, r: int, c: int, d: int) -> int:
    """q of the model."""
    integrated = min(3, ceil_div(op.depth, C * NODE))
    return op.rows * op.columns * ceil_div(ceil_div(d, integrated), C)


def chunk_samples(op: Operator, r: int, c: int, d: int) -> int:
    """A slot of 4 KiB holds a depth of 672, 28 steps: the groups of three of a deeper GEMM begin anew at 672."""
    steps, chunk = ceil_div(op.depth, C * NODE), 28
    depths = [min(chunk, steps - at) for at in range(0, steps, chunk)]
    return op.rows * op.columns * sum(ceil_div(n, 3) for n in depths) - samples(op, r, c, d)


def dynamic(result: Result, component: str) -> Fraction:
    return result.energy().components[component].dynamic


def test_is_the_laser_that_of_the_model_while_shots_are_fired(result: Result) -> None:
    """The model's d counts a core's shot for each twelve of depth. Here both cores of a tile fire a step together, so that an odd
    d (17, of S·V) takes one more core's shot. Whatever else the laser costs is dark, which the model leaves out."""
    laser = event_energy(result.arch, device_power(result.arch).laser)
    model = laser * total(result, lambda op, r, c, d: r * c * d)
    odd = laser * total(result, lambda op, r, c, d: r * c * (d % C))
    share = result.energy().components["laser"]
    lit = share.useful + share.dark["idle_engines"] + share.dark["idle_wavelengths"]
    assert lit == model + odd
    assert 0 < odd < model / 100
    assert share.total == laser * T * C * result.ticks > 1.8 * lit


def test_are_the_encodings_those_of_the_model(result: Result) -> None:
    """But for the last row pass of attention: 17 row blocks are five passes of four tiles, the model's 4.25.

    The model's modulator holds its microdisks for the period of a symbol; here that is static power, `tuning`.
    """
    model, edge = total(result, encodings), total(result, edge_encodings)
    assert dynamic(result, "dac") == DAC * (model + edge)
    assert dynamic(result, "modulator") == (TX - F("0.11")) * (model + edge)
    assert 0 < edge < model / 20
    attention = total(result, lambda op, r, c, d: edge_encodings(op, r, c, d) if op.heads == 3 else 0)
    assert attention == edge


def test_are_the_conversions_those_of_the_model(result: Result) -> None:
    """But for one more sample where K is deeper than a slot (embedding and second feed-forward layer).

    The model's TIA works for one shot a sample; here for each shot that it integrates (up to three), the last one too if
    only one core has depth in it.
    """
    model, chunked = total(result, samples), total(result, chunk_samples)
    assert dynamic(result, "adc") == ADC * (model + chunked)
    deep = total(result, lambda op, r, c, d: op.rows * op.columns if op.depth > 672 else 0)
    assert chunked == deep > 0
    merged = total(
        result,
        lambda op, r, c, d: op.rows * op.columns * (op.depth > 672 and not result.plan.tilings[op.name].keep),
    )
    assert dynamic(result, "adder") == ADDER * (model + chunked + merged)
    shots = total(result, lambda op, r, c, d: op.rows * op.columns * ceil_div(d, C))
    assert dynamic(result, "tia") == TIA * shots
    assert 2 < shots / model < 3


def test_are_the_photodetectors_those_of_the_model(result: Result) -> None:
    """But for the second core of the last step where d is odd."""
    model = PD * total(result, lambda op, r, c, d: op.rows * op.columns * d)
    odd = PD * total(result, lambda op, r, c, d: op.rows * op.columns * (d % C))
    assert dynamic(result, "photodetector") == model + odd


def test_are_registers_and_wires_those_of_the_model_at_the_width_of_a_sum(result: Result) -> None:
    """The model moves a sample as an operand, 4 bits; a partial sum has 16."""
    encoded = total(result, encodings) + total(result, edge_encodings)
    sampled = total(result, samples) + total(result, chunk_samples)
    assert dynamic(result, "registers") == 2 * RF * (W * encoded + sampled)
    assert dynamic(result, "interconnect") == NOC * sampled


def test_is_the_m2_sram_that_of_the_model(result: Result) -> None:
    """Filled and read once a row pass, which are ⌈r/T⌉ and not r/T."""
    passes = total(result, lambda op, r, c, d: ceil_div(r, T) * op.columns * op.depth)
    assert dynamic(result, "m2_sram") == 2 * LB * W * passes


def test_are_the_weights_of_hbm_those_of_the_model(result: Result) -> None:
    """Of the layers in the middle, whose operands stay on the chip: N1·D from HBM, and nothing for attention. The model leaves out
    what the first layer reads and the last one writes."""
    ends = {"embed", "head"}
    for one in result.energy().operators:
        op = next(o for o in result.trace.operators if o.name == one.names[0])
        if op.is_gemm and op.name not in ends:
            weights = op.rows * op.depth if result.trace.is_linear(op) else 0
            assert one.dynamic.get("hbm", 0) == DRAM * W * weights, op.name


def test_is_the_dpu_that_of_the_elements_of_all_layers(result: Result) -> None:
    """The model counts one layer, with one norm of E + 1; DeiT-Tiny has twelve with two norms of E each, a last norm, and
    position embeddings."""
    n, features, heads, layers = 197, 192, 3, 12
    softmax = n * n * heads * F("51.6") / F("44.8") / 2
    operations = 8 * 4 * n * features + 2 * 5 * n * features + 2 * n * features
    once = 5 * n * features + n * features
    assert dynamic(result, "dpu") == layers * (softmax + F(operations, 10)) + F(once, 10)


# -- bounds --------------------------------------------------------------------------------------------------------
PRESETS = ("lt-b-4bit", "lt-b-8bit", "lt-l-4bit", "lt-l-8bit", "lt-b-4bit-narrow")
HELD = ("mrr-bank-4bit", "mrr-bank-8bit", "mzi-mesh-4bit", "mzi-mesh-8bit")


@pytest.mark.parametrize("arch", [*PRESETS, *HELD])
@pytest.mark.parametrize("trace", ["deit-tiny", "bert-base", "llama-2-7b-decode-2048"])
def test_is_the_energy_of_a_mac_physical(trace: str, arch: str) -> None:
    """At least the light that a photodetector must see for a MAC, and what encoding, detecting and fetching it costs once each shared
    as widely as the core can; at most what the chip draws if every device and memory works all the time, over its MACs."""
    result = simulate(load_trace(trace), load_arch(arch))
    a, of = result.arch, device_power(result.arch)
    core, word = a.core, a.devices.word
    engine = core.wavelengths  # MACs of a shot of an engine
    light = event_energy(a, F(3, 1000)) / engine  # −25 dBm is a little more than 3 uW
    values = (
        F(1, core.rows) if a.holds_operand else F(1, core.columns) + F(1, core.rows * core.tiles)
    )  # encoded for a MAC
    least = light + event_energy(a, of.dac) * values
    least += event_energy(a, of.detector) / engine
    weights = sum(t.elements for t in result.trace.tensors.values() if t.role.value == "weight")
    energy = result.energy().total_pj
    assert energy > least * result.macs
    assert energy > word.hbm * a.operands.bits / word.bits * weights / 2  # embeddings are gathered in part
    cores = core.tiles * core.cores
    encoders = (
        core.rows * cores + core.columns * (cores if a.holds_operand else core.cores)
    ) * core.wavelengths
    engines = core.rows * core.columns * cores
    chip = (
        cores * of.laser
        + encoders * (of.dac + of.encoder)
        + engines * (of.detector + of.tia + of.adc + of.adder)
    )
    words = encoders * core.clock * F(a.operands.bits, word.bits) + 4 * engines * core.clock
    moved = words * (2 * word.register + 2 * word.local + word.interconnect)
    moved += (
        2
        * (a.global_sram.banks * a.global_sram.line * a.global_sram.clock)
        * F(8, word.bits)
        * word.global_sram
    )
    moved += a.hbm.bandwidth * F(8, word.bits) * word.hbm
    dpu = a.dpu.lanes * a.dpu.clock * (1 + 4 * word.local)
    idle = sum(result.energy().prices.static.values()) * core.clock
    most = chip / 1000 + (moved + dpu + idle) / 10**12  # W
    assert float(energy) / 1e12 < float(most) * result.seconds


def test_are_all_presets_bounded() -> None:
    assert set(list_archs()) == {*PRESETS, *HELD}
