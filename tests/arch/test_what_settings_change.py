"""What do settings change, and what is said of those that are refused?"""

from fractions import Fraction
from typing import Any

import attrs
import pytest

from lsim.arch import Provenance, load_arch
from lsim.errors import InputError

LT_B = load_arch("lt-b-4bit")


def test_do_settings_change_what_they_name_and_nothing_else() -> None:
    arch = LT_B.with_settings({"hbm.channels": "4", "hbm.latency": "1.5 us", "m1_sram.port": "64 B"})
    new = {key: value for key, _, value in arch.parameters()}
    old = {key: value for key, _, value in LT_B.parameters()}
    assert new == old | {"hbm.channels": 4, "hbm.latency": 1_500_000, "m1_sram.port": 64}


def test_is_a_value_that_was_set_an_assumption_that_remembers_what_it_replaced() -> None:
    arch = LT_B.with_settings({"core.tiles": "8"})
    source = "--set in place of 4 [P] Zhu et al., Lightening-Transformer, HPCA 2024: LT-B"
    assert arch.provenance["core.tiles"] == Provenance("A", source)
    assert ("core.tiles", "8", source) in arch.assumptions


def test_does_a_setting_reach_a_device_and_leave_what_ticks_follow_from() -> None:
    arch = LT_B.with_settings({"modulator.loss": "1.35 dB", "dac.rate": "12.5 GHz"})
    assert (arch.devices.modulator.loss, arch.devices.dac.rate) == (Fraction(27, 20), 12_500_000_000)
    source = "--set in place of 1.2 dB [R] released LT hardware estimator"
    assert arch.provenance["modulator.loss"] == Provenance("A", source)
    assert ("modulator.loss", "1.35 dB", source) in arch.device_assumptions
    assert (arch.sha256, arch.assumptions) == (LT_B.sha256, LT_B.assumptions)
    assert arch.devices_sha256 != LT_B.devices_sha256
    assert attrs.evolve(arch, devices=LT_B.devices, provenance=LT_B.provenance) == LT_B


def test_does_setting_what_is_there_already_change_nothing() -> None:
    assert LT_B.with_settings({"global_sram.capacity": "2048 KiB"}) == LT_B


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"hbm.chanels": "4"},
            "--set: hbm.chanels: unknown parameter 'chanels' of hbm; did you mean 'channels'?;"
            " allowed: bandwidth, channels, latency, transaction, outstanding",
        ),
        (
            {"hbn.channels": "4"},
            "--set: hbn.channels: unknown part 'hbn'; did you mean 'hbm'?; allowed: core, operands,"
            " global_sram, m1_sram, m2_sram, act_sram, encoder, broadcast, readout, dpu, hbm, controller,"
            " laser, comb, modulator, microdisk, y_branch, phase_shifter, coupler, engine, microring, mzi,"
            " photodetector, dac, adc, tia, adder, word, global_sram_macro, operand_sram_macro, act_sram_macro, buffer_macro, logic",
        ),
        (
            {"operands": "4 bit"},
            "--set: operands: operands is a part, not a parameter; allowed: bits, partial_sum_bits, weight_bits, activation_bits, kv_bits",
        ),
        ({"hbm.channels": "0"}, "--set: hbm.channels: 0 is below the least, 1"),
        ({"hbm.channels": "four"}, "--set: hbm.channels: 'four' is not a whole number"),
        ({"operands.bits": "32 bit"}, "--set: operands.bits: 32 bit is above the most, 16 bit"),
        ({"operands.bits": "8"}, "--set: operands.bits: '8' has no unit; allowed: bit, bits"),
        (
            {"hbm.latency": "100 ticks"},
            "--set: hbm.latency: 'ticks' is not a unit of time; allowed: ps, ns, us, ms, s",
        ),
        (
            {"broadcast.arbitration": "round_robin"},
            "--set: broadcast.arbitration: 'round_robin' is not a choice; did you mean 'round-robin'?;"
            " allowed: fifo, round-robin, priority",
        ),
        (
            {"m1_sram.port": "mached"},
            "--set: m1_sram.port: 'mached' is not a choice; did you mean 'matched'?;"
            " allowed: matched, a size in B",
        ),
        ({"m1_sram.port": "0 B"}, "--set: m1_sram.port: 0 B is below the least, 1 B"),
        (
            {"core.clock": "4.75 GHz"},
            "--set: global_sram.clock: one period of 500 MHz is 19/2 ticks of the 4750 MHz photonic clock,"
            " not a whole number",
        ),
        ({"global_sram.groups": "3"}, "--set: global_sram.groups: 3 groups do not divide 64 banks"),
        ({"core.tiles": "5"}, "--set: broadcast.groups: 2 groups do not divide 5 tiles"),
        (
            {"global_sram.m1_staging": "1728 KiB"},
            "--set: global_sram.capacity: the staging areas, 1728 KiB + 128 KiB + 64 KiB + 64 KiB + 64 KiB = 2 MiB,"
            " leave nothing of 2 MiB",
        ),
        (
            {"m1_sram.slot": "128 B"},
            "--set: m1_sram.slot: 128 B cannot hold one step:"
            " 2 cores x 12 rows x 12 wavelengths x 4 bit = 144 B",
        ),
        (
            {"m2_sram.slot": "143 B"},
            "--set: m2_sram.slot: 143 B cannot hold one step:"
            " 2 cores x 12 columns x 12 wavelengths x 4 bit = 144 B",
        ),
        (
            {"act_sram.slot": "256 B"},
            "--set: act_sram.slot: 256 B cannot hold one block: 12 rows x 12 columns x 16 bit = 288 B",
        ),
        (
            {"core.reload": "2 us"},
            "--set: core.reload: a dptc encodes both operands for each shot and holds none to write",
        ),
        (
            {"core.passes": "2"},
            "--set: core.passes: a dptc takes operands of either sign in 1 pass, not 2",
        ),
        (
            {"core.kind": "mzi-mesh"},
            "--set: core.columns: a mzi-mesh multiplies what it holds by 1 vector a shot, not 12",
        ),
        ({"laser.efficiency": "0"}, "--set: laser.efficiency: 0 is not above 0"),
        (
            {"photodetector.sensitivity": "-25 dB"},
            "--set: photodetector.sensitivity: 'dB' is not a unit of optical power level; did you mean 'dBm'?;"
            " allowed: dBm",
        ),
        (
            {"operands.bits": "8 bit", "operands.partial_sum_bits": "7 bit"},
            "--set: operands.partial_sum_bits: 7 bit is narrower than an operand, 8 bit",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_setting_that_is_refused(setting: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        LT_B.with_settings(setting)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "Hbm.channels: 0 is below the least, 1"),
        (2.0, "Hbm.channels: 2.0 is not a whole number"),
        (True, "Hbm.channels: True is not a whole number"),
    ],
)
def test_is_a_part_made_in_python_checked_too(value: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        attrs.evolve(LT_B.hbm, channels=value)
    assert str(error.value) == message


@pytest.mark.parametrize("value", [0.3, True, 1, "0.3"])
def test_is_a_device_value_made_in_python_exact(value: Any) -> None:
    with pytest.raises(InputError) as error:
        attrs.evolve(LT_B.devices.laser, efficiency=value)
    assert str(error.value) == f"Laser.efficiency: {value!r} is not a fraction"
