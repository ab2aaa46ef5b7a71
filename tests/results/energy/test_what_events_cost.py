"""What does a run cost that can be worked out on paper? On the machine of `small`, with LT's devices at 8 bits and 1 GHz.

pJ: a DAC 50 mW / 14 GHz, a modulator 0.45, two photodetectors 2.2 mW / 1 GHz, a TIA 3 mW / 1 GHz, an ADC 14.8 mW / 10 GHz,
an adder 0.2 / 4.39 mW / 1 GHz. A byte is half a word: registers 0.073 / 2, local SRAM 0.92 / 2, global SRAM 1.655 / 2,
HBM 62.4 / 2.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from small import gemm, linear, machine, trace, vector

from lsim import Result, load_arch, simulate
from lsim.arch import IDEALS, device_power
from lsim.arch.compute import CORE_KINDS
from lsim.results.energy.cores import KINDS
from lsim.results.energy.meanings import COMPONENTS
from lsim.results.energy.prices import COMPONENTS as NAMES
from lsim.results.energy.prices import Prices
from lsim.trace import Kind, Trace

F = Fraction
DAC, MODULATOR, DETECTORS, TIA = F(50, 14), F("0.45"), F("2.2"), F(3)
ADC, ADDER = F("1.48"), F("0.2") / F("4.39")
REGISTER, LOCAL, GLOBAL, HBM, WIRES = (F(pj) / 2 for pj in ("0.073", "0.92", "1.655", "62.4", "2"))  # a byte


def dynamic(result: Result) -> dict[str, Fraction]:
    return {name: share.dynamic for name, share in result.energy().components.items() if share.dynamic}


def counted(result: Result, *counters: str) -> tuple[int, ...]:
    return tuple(result.statistics.amounts.get(counter, 0) for counter in counters)


def test_what_does_one_block_cost() -> None:
    """4 · 2 · 2 on 2 tiles of a core of 2 · 2 · 2: one shot. W 8 B, x 4 B from HBM, 8 B back; sums of 2 B."""
    result = simulate(linear(4, 2, 2), machine())
    assert dynamic(result) == {
        "dac": (8 + 4) * DAC,
        "modulator": (8 + 4) * MODULATOR,
        "photodetector": 8 * DETECTORS,
        "tia": 8 * TIA,
        "adc": 8 * ADC,
        "adder": 8 * ADDER,
        "registers": 2 * REGISTER * (8 + 4 + 2 * 8),
        "interconnect": WIRES * 2 * 8,
        "m1_sram": LOCAL * (8 + 8),
        "m2_sram": LOCAL * (4 + 4),
        "act_sram": LOCAL * (16 + 16),
        "global_sram": GLOBAL * 2 * (8 + 4 + 8),
        "hbm": HBM * (8 + 4 + 8),
    }


def test_what_is_drawn_all_the_time() -> None:
    """2 lasers; microdisks of 2 tiles · 2 · 2 and of 2 · 2 encoders, two each; SRAMs; 2·2 + 2 + 1 buffers. 1 tick is 1 ns."""
    result = simulate(linear(4, 2, 2), machine())
    energy, ns = result.energy(), result.ticks
    assert {name: share.static for name, share in energy.components.items() if share.static} == {
        "laser": 2 * device_power(result.arch).laser * ns,
        "tuning": (8 + 4) * 2 * F("0.275") * ns,
        "registers": 7 * F("0.0154") * ns,
        "m1_sram": 2 * F("0.172725") * ns,
        "m2_sram": F("0.172725") * ns,
        "act_sram": 2 * F("0.172725") * ns,
        "global_sram": 2 * F("78.8128") * ns,
    }
    assert energy.all.useful == energy.all.static / ns  # one shot, every engine and wavelength at work


def test_is_an_operand_that_is_held_encoded_once() -> None:
    """4 · 2 · 6: three blocks of one step. M1 stays on its encoders, M2 changes; samples are the blocks' own."""
    result = simulate(linear(4, 2, 6), machine())
    assert counted(result, "m1_encodings", "m2_encodings", "conversions") == (8, 3 * 4, 3 * 8)
    again = simulate(linear(4, 4, 6), machine())  # of two steps: encoded for each block
    assert counted(again, "m1_encodings", "m2_encodings") == (3 * 16, 3 * 8)


@pytest.mark.parametrize(("steps", "samples"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_is_a_group_of_shots_converted_once(steps: int, samples: int) -> None:
    """An integrator sums up to 3 shots; photodetectors and TIAs work in each."""
    result = simulate(linear(4, 2 * steps, 2), machine(m1_sram__slot="32 B", m2_sram__slot="32 B"))
    assert counted(result, "conversions", "engine_shots") == (8 * samples, 8 * steps)
    energies = dynamic(result)
    assert energies["adc"] == 8 * samples * ADC
    assert (energies["photodetector"], energies["tia"]) == (8 * steps * DETECTORS, 8 * steps * TIA)


def test_what_do_sums_cost_that_wait_in_an_act_slot() -> None:
    """Depth 16 in chunks of 8: a block's sums of 16 B are written, read back, written again and read out."""
    result = simulate(linear(4, 16, 2), machine())
    assert counted(result, "act_sram.kept", "act_sram.in", "merged") == (16, 16, 0)
    assert dynamic(result)["act_sram"] == LOCAL * 4 * 16


def test_what_do_sums_cost_that_leave_their_tile() -> None:
    """The same spilled: the first chunk's sums go to the global SRAM, come back and are added to the second's."""
    arch = machine(act_sram__slot="8 B", global_sram__psum_staging="1 KiB")
    result = simulate(linear(4, 16, 63), arch)
    assert not result.plan.tilings["make o"].keep
    outputs = 4 * 63
    assert counted(result, "merged", "act_sram.kept", "act_sram.in") == (outputs, 0, 2 * 2 * outputs)
    samples = counted(result, "conversions")[0]
    assert dynamic(result)["adder"] == (samples + outputs) * ADDER
    moved = result.bytes()
    there, back = moved["hbm"]["out"], moved["hbm"]["in"]
    fills, sums = moved["m1_sram"]["in"] + moved["m2_sram"]["in"], 2 * outputs
    assert dynamic(result)["global_sram"] == GLOBAL * (there + sums + outputs + fills + sums + back)


@pytest.mark.parametrize(
    ("kind", "operands", "pj"),
    [
        (Kind.NORM, 1, F("0.5")),
        (Kind.ACTIVATION, 1, F("0.8")),
        (Kind.RESIDUAL, 2, F("0.1")),
        (Kind.SOFTMAX, 1, F("51.6") / F("44.8")),
    ],
)
def test_what_does_an_element_cost_in_the_dpu(kind: Kind, operands: int, pj: Fraction) -> None:
    """48 elements; softmax at 44.8 GB/s and 51.6 mW, a byte each. Everything comes from HBM and goes there."""
    work = trace(vector(kind, [f"x{i}" for i in range(operands)], "o", 6, 8))
    energies = dynamic(simulate(work, machine()))
    assert energies["dpu"] == 48 * pj
    assert energies["dpu_buffers"] == LOCAL * 2 * 48 * (operands + 1)
    assert energies["global_sram"] == GLOBAL * 2 * 48 * (operands + 1)
    assert energies["hbm"] == HBM * 48 * (operands + 1)


def test_does_a_row_that_is_swept_twice_cost_twice() -> None:
    """A row of 40 elements in slots of 16 B."""
    work = trace(vector(Kind.NORM, ["x"], "o", 1, 40))
    assert dynamic(simulate(work, machine()))["dpu"] == 2 * 40 * F("0.5")


def test_does_a_fused_chain_cost_the_sum_of_its_functions() -> None:
    chain = (vector(Kind.ACTIVATION, ["x"], "a", 6, 8), vector(Kind.MULTIPLY, ["a", "y"], "o", 6, 8))
    result = simulate(trace(*chain), machine())
    assert dynamic(result)["dpu"] == 48 * (F("0.8") + F("0.1"))
    (one,) = result.energy().operators
    assert one.names == ("make a", "make o") and one.total == result.energy().total_pj


def test_what_is_dark_of_rows_columns_and_depth_that_are_missing() -> None:
    """3 · 1 · 1: of two tiles of 2 · 2 engines, tile0 has 2 rows and tile1 1, a column of two, a wavelength of two."""
    result = simulate(trace(gemm("w", "x", "o", 3, 1, 1)), machine())
    energy = result.energy()
    a_tick = energy.prices.static_pj / 2
    for name, engines in (("tile0", F(2, 4)), ("tile1", F(1, 4))):
        tile = energy.tiles[name]
        assert tile.useful == a_tick * engines / 2
        assert tile.dark["idle_engines"] == a_tick * (1 - engines)
        assert tile.dark["idle_wavelengths"] == a_tick * engines / 2
        assert tile.static == a_tick * result.ticks


def test_is_a_tile_without_rows_dark_at_the_edge() -> None:
    """6 rows in passes of 4: in the second only tile0 has rows."""
    result = simulate(linear(6, 2, 2), machine())
    tile = result.energy().tiles["tile1"]
    assert tile.dark["edge"] == result.energy().prices.static_pj / 2 * result.tiles()["tile1"]["edge"] > 0
    assert "edge" not in result.energy().tiles["tile0"].dark


def test_is_nothing_but_static_power_spent_on_an_empty_trace() -> None:
    result = simulate(Trace("empty", {}, ()), machine())
    assert result.energy().total_pj == result.energy().prices.static_pj * result.ticks == 0


def test_is_energy_spent_where_no_time_is() -> None:
    """A vector operator on a machine that takes no time for it."""
    work = trace(vector(Kind.NORM, ["x"], "o", 6, 8))
    result = simulate(work, machine(IDEALS))
    assert result.ticks == 0
    assert dynamic(result) == dynamic(simulate(work, machine()))


# -- cores that hold an operand --------------------------------------------------------------------------------------
def held(kind: str, **settings: str) -> Result:
    """4 · 2 · 3 on 2 tiles of one core that holds 2 · 2: one chunk, three columns of two values."""
    holds = {"core__kind": kind, "core__columns": "1", "readout__integrate": "1"}
    return simulate(linear(4, 2, 3), machine(**holds, **settings))


RING = F("0.042")


@pytest.mark.parametrize("ideal", [(), ("reload",)])
def test_what_do_rings_cost(ideal: tuple[str, ...]) -> None:
    """Two tiles write 4 values each, once; then 6 values pass on each of them, once for either sign. Encoders and weights are
    rings, 2 of a tile and 4, always on resonance. It costs the same to write where it takes no time."""
    holds = {"core__kind": "mrr-bank", "core__columns": "1", "core__passes": "2", "readout__integrate": "1"}
    result = simulate(linear(4, 2, 3), machine(ideal, **holds))
    energies, outputs = dynamic(result), 4 * 3
    assert counted(result, "held", "inputs", "m2_fed_bits") == (8, 2 * 2 * 6, 2 * 6 * 8)
    assert energies["dac"] == (8 + 24) * DAC
    assert energies["modulator"] == 24 * RING
    assert energies["weights"] == 8 * RING
    assert energies["m1_sram"] == LOCAL * (8 + 8)
    assert energies["m2_sram"] == LOCAL * (6 + 12)
    assert energies["registers"] == 2 * REGISTER * (8 + 24 + 2 * 2 * outputs)
    assert energies["photodetector"] == 2 * outputs * DETECTORS
    assert energies["tia"] == 2 * outputs * TIA
    assert energies["adc"] == 2 * outputs * ADC
    static = {name: share.static / result.ticks for name, share in result.energy().components.items()}
    assert static["tuning"] == 2 * 2 * F("1.2")
    assert static["weights"] == 2 * 4 * F("1.2")
    assert static["registers"] == (2 * 2 + 2 * 2) * F("0.0154")
    assert static["laser"] == 2 * device_power(result.arch).laser
    shots = result.energy().all
    assert shots.useful == shots.dark["signs"] == result.energy().prices.static_pj * 3


def test_what_does_a_mesh_cost() -> None:
    """Two meshes of 2 inputs are a phase each, with a diagonal of 2, on each of two tiles; one pass."""
    result = held("mzi-mesh", core__reload="5 ns")
    energies = dynamic(result)
    assert counted(result, "held", "phases", "diagonals", "inputs") == (8, 2 * 2, 2 * 2, 2 * 6)
    assert energies["dac"] == (4 + 4 + 12) * DAC
    assert energies["modulator"] == 12 * MODULATOR
    assert energies["weights"] == 4 * F("0.45") + 4 * MODULATOR
    assert energies["m1_sram"] == LOCAL * (8 + 8)
    assert energies["registers"] == 2 * REGISTER * (8 + 12 + 2 * 12)
    energy = result.energy()
    assert energy.all.dark["reload"] == energy.prices.static_pj * 5
    assert "tuning" not in energy.components and not energy.components["weights"].static


def test_is_a_whole_mesh_written_for_a_part_of_one() -> None:
    """Depth 3 is two steps, each a chunk, of two values and one; 3 rows are two tiles' in part."""
    arch = machine(core__kind="mzi-mesh", core__columns="1", readout__integrate="1")
    result = simulate(linear(3, 3, 1), arch)
    assert counted(result, "held", "phases", "diagonals") == (9, 2 * 2 * 2, 2 * 2 * 2)


def test_does_a_tile_pay_for_what_it_writes() -> None:
    """3 rows: tile0 writes 2 · 2 values and tile1 1 · 2; what passes, each encodes for itself."""
    arch = machine(core__kind="mrr-bank", core__columns="1", readout__integrate="1")
    tiles = simulate(linear(3, 2, 1), arch).energy().tiles
    encoded = 2 * (DAC + RING + 2 * REGISTER)
    written, read_out = 2 * (DAC + RING + 2 * REGISTER + LOCAL), DETECTORS + TIA + ADC + ADDER
    output = read_out + 2 * (2 * REGISTER + WIRES)
    assert tiles["tile0"].dynamic == encoded + 2 * (written + output)
    assert tiles["tile1"].dynamic == encoded + written + output


def test_has_every_kind_of_core_its_prices() -> None:
    assert KINDS.keys() == set(CORE_KINDS)


# -- meanings ------------------------------------------------------------------------------------------------------
def test_says_each_component_which_entries_it_is_made_of() -> None:
    prices = [Prices(load_arch(f"{name}-4bit")).of for name in ("lt-b", "mrr-bank", "mzi-mesh")]
    for name in NAMES:
        made_of = {
            counter
            for of in prices
            for counter, price in of.items()
            if any(name == component for component, _ in price)
        }
        assert made_of == set(COMPONENTS[name].entries.split(", ")) - {""}, name
    assert COMPONENTS.keys() == set(NAMES)
