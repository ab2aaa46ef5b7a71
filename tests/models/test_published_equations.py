"""Are the closed forms right for sizes that nobody published? Against a second implementation, in plain floats."""

from __future__ import annotations

from fractions import Fraction
from math import isclose

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from models import straight
from models.straight import Chip, Product

from lsim.arch import Arch, load_arch
from lsim.models import predict
from lsim.models.published import FORMS
from lsim.models.published.chip import area_mm2, engine_um2, power_mw
from lsim.trace import Trace, loads
from lsim.trace.text import text_of
from lsim.trace.zoo.bert import bert
from lsim.trace.zoo.encoder import Sizes

TOLERANCE = 1e-12
LT_B = load_arch("lt-b-4bit")

CHIPS = st.builds(
    Chip,
    T=st.integers(1, 9),
    C=st.integers(1, 4),
    h=st.integers(1, 20),
    v=st.integers(1, 20),
    lam=st.integers(1, 20),
    f=st.sampled_from([1.0, 2.5, 5.0, 10.0]),
    b=st.integers(2, 9),
    efficiency=st.sampled_from([0.2, 0.35]),
    adc_mw=st.sampled_from([14.8, 7.25]),
    hbm_pj=st.sampled_from([62.4, 31.2]),
    modulator_db=st.sampled_from([1.2, 0.6]),
    integrate=st.sampled_from([1, 2, 3, 5]),
    slot=st.sampled_from([2048, 4096, 10000]),
    hbm_bytes=st.sampled_from([2**40, 3 * 10**11]),
    banks=st.sampled_from([64, 8]),
    access_ns=st.sampled_from([0.604347, 1.25]),
)


@st.composite
def models(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Layers, tokens, features, heads."""
    heads, size = draw(st.integers(1, 4)), draw(st.integers(1, 40))
    return draw(st.integers(1, 2)), draw(st.integers(2, 400)), heads * size, heads


def arch_of(k: Chip, kind: str = "dptc") -> Arch:
    """The machine in the terms of an architecture."""
    sizes = {
        "tiles": k.T,
        "cores": k.C,
        "rows": k.h,
        "columns": k.v,
        "wavelengths": k.lam,
        "clock": f"{k.f} GHz",
    }
    if kind != "dptc":
        sizes["columns"] = 1
        sizes["reload"], sizes["passes"] = ("0 ps", 2) if kind == "mrr-bank" else ("2 us", 1)
    return LT_B.with_settings(
        {"core.kind": kind, "broadcast.groups": "1", "encoder.sample_rate": f"{k.f} GHz"}
        | {f"core.{key}": str(value) for key, value in sizes.items()}
        | {
            "operands.bits": f"{k.b} bit",
            "laser.efficiency": str(k.efficiency),
            "adc.power": f"{k.adc_mw} mW",
        }
        | {"readout.integrate": str(k.integrate), "hbm.bandwidth": f"{k.hbm_bytes} B/s"}
        | {"m1_sram.slot": f"{k.slot} B", "global_sram.banks": str(k.banks)}
        | {"global_sram_macro.access": f"{k.access_ns} ns"}
        | {"word.hbm": f"{k.hbm_pj} pJ", "modulator.loss": f"{k.modulator_db} dB"}
    )


def trace_of(sizes: tuple[int, int, int, int]) -> Trace:
    depth, tokens, features, heads = sizes
    return loads(text_of(bert("any", "any", Sizes(layers=depth, width=features, heads=heads, tokens=tokens))))


def totals(arch: Arch, sizes: tuple[int, int, int, int], level: str) -> tuple[float, float]:
    said = predict(FORMS[arch.core.kind](level), trace_of(sizes), arch).to_dict()
    return said["latency_ms"], said["energy_mj"]


@pytest.mark.parametrize("level", ["arch_opt", "crossbar", "broadcast"])
@given(k=CHIPS, sizes=models())
@example(
    k=Chip(T=9, C=1, h=20, v=1, lam=1, f=2.5, b=7, hbm_bytes=3 * 10**11), sizes=(1, 2, 60, 2)
)  # 63 cycles exactly
def test_are_time_and_energy_of_any_dptc_those_of_the_equations(
    level: str, k: Chip, sizes: tuple[int, int, int, int]
) -> None:
    products = straight.transformer(*sizes)
    ms, mj = straight.others(k, *sizes[1:])
    ms += sum(straight.lt_latency(k, p) for p in products)
    mj += sum(straight.lt_energy(k, p, level) for p in products)
    latency, energy = totals(arch_of(k), sizes, level)
    assert isclose(latency, ms, rel_tol=TOLERANCE)
    assert isclose(energy, mj, rel_tol=TOLERANCE)


@given(k=CHIPS.filter(lambda k: k.C <= 2), sizes=models())
def test_are_those_of_any_microring_bank(k: Chip, sizes: tuple[int, int, int, int]) -> None:
    said = [straight.others(k, *sizes[1:]), *(straight.ring(k, p) for p in straight.transformer(*sizes))]
    latency, energy = totals(arch_of(k, "mrr-bank"), sizes, "ws")
    assert isclose(latency, sum(ms for ms, _ in said), rel_tol=TOLERANCE)
    assert isclose(energy, sum(mj for _, mj in said), rel_tol=TOLERANCE)


@given(k=CHIPS.filter(lambda k: k.C <= 2), sizes=models())
def test_are_those_of_any_mzi_mesh(k: Chip, sizes: tuple[int, int, int, int]) -> None:
    products = [p for p in straight.transformer(*sizes) if p.kind == "linear"]
    depth, tokens, features, _ = sizes
    again = [Product("linear", 3 * features, features, tokens)] * depth
    said = [straight.others(k, *sizes[1:]), *(straight.mesh(k, p) for p in products + again)]
    latency, energy = totals(arch_of(k, "mzi-mesh"), sizes, "ws")
    assert isclose(latency, sum(ms for ms, _ in said), rel_tol=TOLERANCE)
    assert isclose(energy, sum(mj for _, mj in said), rel_tol=TOLERANCE)


@given(k=CHIPS, level=st.sampled_from(["arch_opt", "crossbar", "broadcast"]))
def test_are_area_and_power_of_any_dptc_those_of_the_equations(k: Chip, level: str) -> None:
    arch, shared = arch_of(k), level == "arch_opt"
    assert isclose(float(sum(area_mm2(arch, level).values())), straight.lt_area(k, shared), rel_tol=TOLERANCE)
    assert isclose(
        float(sum(power_mw(arch, level).values())), straight.lt_power(k, shared), rel_tol=TOLERANCE
    )


@given(k=CHIPS, sizes=models())
def test_are_times_exact_numbers(k: Chip, sizes: tuple[int, int, int, int]) -> None:
    said = predict(FORMS["dptc"](), trace_of(sizes), arch_of(k))
    assert all(estimate.ticks.denominator == 1 for _, estimate in said.operators)
    assert said.ticks == sum(estimate.ticks for _, estimate in said.operators) + said.terms["others"].ticks
    # others: elements x 4 bits over banks x 64 x 8 bits x 2^30 / access time, seconds taken for ms
    _, n, features, heads = sizes
    elements = n * n * heads + n * (features + 1) + 6 * n * features
    seconds = Fraction(elements * 4, k.banks * 64 * 8 * 2**30) * Fraction(str(k.access_ns))
    assert said.terms["others"].ticks == seconds / 1000 * int(k.f * 10**9)


@pytest.mark.parametrize(
    ("device", "width"),
    [("phase_shifter.width", 60), ("coupler.width", 60), ("photodetector.width", 30)],
)
def test_is_an_engine_as_wide_as_its_widest_device(device: str, width: int) -> None:
    arch = LT_B.with_settings({device: f"{width} um"})
    length = Fraction("1.8") + 100 + Fraction("5.25") + 10 + 30
    assert engine_um2(arch.devices) == length * (Fraction("1.8") + 60 + 20)
