"""Which laser does a core need, and what do its devices draw? Expected values are worked by hand."""

from fractions import Fraction
from math import isclose

import pytest

from lsim.arch import Arch, device_power, event_energy, link_budget, load_arch
from lsim.errors import ArchError

LT_B = load_arch("lt-b-4bit")
RING = load_arch("mrr-bank-4bit")
MESH = load_arch("mzi-mesh-4bit")


def test_what_does_light_lose_on_its_way() -> None:
    # modulator, two microdisks, five Y-branches (log2 of 12 is 4, and one at the engine), phase shifter, coupler
    assert link_budget(LT_B).loss == Fraction("1.2") + 2 * Fraction("0.93") + Fraction("0.5") + Fraction(
        "0.66"
    )
    # two buses of 11 rings passed and one that drops, four Y-branches
    assert link_budget(RING).loss == 2 * (11 * Fraction("0.1") + Fraction("0.95")) + Fraction("0.4")
    # a modulator, two meshes 12 deep and the diagonal
    assert link_budget(MESH).loss == Fraction("1.2") + 25 * Fraction("0.99")


def test_what_power_does_a_laser_draw() -> None:
    # -25 dBm + 4.22 dB + 10 log10(144) dB = 0.8036 dBm = 1.2033 mW for a value, 16 values, a fifth of it light
    assert isclose(link_budget(LT_B).laser_mw, 96.2614677, rel_tol=1e-9)
    one_value = 10 ** ((-25 + 4.5) / 10) * 12
    assert isclose(link_budget(RING).optical_mw, 16 * one_value, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("settings", "factor"),
    [
        ({"operands.bits": "5 bit"}, 2),
        ({"laser.efficiency": "0.1"}, 2),
        ({"photodetector.sensitivity": "-15 dBm"}, 10),
        ({"coupler.loss": "10.33 dB"}, 10),
        ({"microdisk.loss": "5.93 dB"}, 10),
        ({"y_branch.loss": "2.1 dB"}, 10),
        ({"core.rows": "6"}, 0.5),
        ({"core.rows": "6", "core.columns": "6"}, 0.25 * 10 ** (-0.1 / 10)),
        ({"core.wavelengths": "24", "microring.drop_loss": "9 dB"}, 1),
    ],
)
def test_what_does_a_device_change_of_the_laser(settings: dict[str, str], factor: float) -> None:
    changed = link_budget(LT_B.with_settings(settings)).laser_mw
    assert isclose(changed, factor * link_budget(LT_B).laser_mw, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("arch", "settings", "decibels"),
    [
        (RING, {"core.wavelengths": "20"}, 16 * 0.1),
        (RING, {"microring.drop_loss": "1.95 dB"}, 2),
        (RING, {"core.rows": "16"}, 0),
        (MESH, {"core.rows": "14"}, 2 * 0.99),
        (MESH, {"core.wavelengths": "10"}, -2 * 0.99),
        (MESH, {"mzi.loss": "1.99 dB"}, 25),
    ],
)
def test_what_do_size_and_devices_change_of_the_loss(
    arch: Arch, settings: dict[str, str], decibels: float
) -> None:
    loss = link_budget(arch.with_settings(settings)).loss
    assert isclose(loss - link_budget(arch).loss, decibels, abs_tol=1e-12)


def test_is_light_that_no_laser_has_refused() -> None:
    arch = MESH.with_settings({"core.rows": "5000", "act_sram.slot": "16 KiB", "m1_sram.slot": "128 KiB"})
    with pytest.raises(ArchError, match=r"^core: a loss of 4964\.07 dB is beyond any laser$"):
        link_budget(arch)


def test_what_do_the_devices_of_a_dptc_draw() -> None:
    power = device_power(LT_B)
    assert power.dac == Fraction(50 * 16, 4) / 32 * Fraction(5, 14)
    assert power.adc == Fraction("14.8") / 2 / 2
    assert power.encoder == Fraction("2.25") + 2 * Fraction("0.275")
    assert (power.detector, power.tia, power.adder) == (
        Fraction("2.2"),
        3,
        Fraction("0.2") / Fraction("4.39"),
    )
    assert power.hold == 0


def test_what_do_the_devices_of_the_baselines_draw_otherwise() -> None:
    ring, mesh = device_power(RING), device_power(MESH)
    assert (ring.encoder, ring.hold) == (Fraction("1.2") + Fraction("0.042") * 5, Fraction("1.2"))
    assert (mesh.encoder, mesh.hold) == (Fraction("2.25"), 0)
    assert ring.dac == mesh.dac == device_power(LT_B).dac


def test_does_a_conversion_cost_the_same_at_any_clock() -> None:
    fast = LT_B.with_settings({"core.clock": "10 GHz"})
    for device in ("dac", "adc"):
        slow_pj, fast_pj = (event_energy(a, getattr(device_power(a), device)) for a in (LT_B, fast))
        assert slow_pj == fast_pj
    assert event_energy(LT_B, device_power(LT_B).tia) == 2 * event_energy(fast, device_power(fast).tia)
