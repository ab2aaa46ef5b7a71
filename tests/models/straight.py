"""The published equations once more, straight down in floats: mJ, ms, GHz. Written from the equations and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log2, log10


@dataclass(frozen=True)
class Chip:
    """T tiles of C cores of h x v x lam at f GHz, b bits. A few device values may differ."""

    T: int
    C: int
    h: int
    v: int
    lam: int
    f: float
    b: int
    efficiency: float = 0.2
    adc_mw: float = 14.8
    hbm_pj: float = 62.4
    modulator_db: float = 1.2
    integrate: int = 3
    slot: int = 4096
    hbm_bytes: int = 2**40
    banks: int = 64
    access_ns: float = 0.604347


@dataclass(frozen=True)
class Product:
    """One GEMM; `kind` is linear, qk or sv."""

    kind: str
    N1: int
    D: int
    N2: int
    H: int = 1


RF, LB, GB, NOC = 0.073e-9, 0.92e-9, 1.655e-9, 2.0e-9


def b_gb(k: Chip) -> float:
    """Bits a second of the global SRAM."""
    return k.banks * 64 * 2**30 * 8 / k.access_ns


def transformer(depth: int, n: int, E: int, heads: int) -> list[Product]:
    """The GEMMs of a BERT."""
    size = E // heads
    block = [
        Product("linear", 3 * E, E, n),
        Product("qk", n, size, n, heads),
        Product("sv", n, n, size, heads),
        Product("linear", E, E, n),
        Product("linear", 4 * E, E, n),
        Product("linear", E, 4 * E, n),
    ]
    return block * depth + [Product("linear", 2, E, 1)]


def others(k: Chip, n: int, E: int, heads: int) -> tuple[float, float]:
    """ms, mJ."""
    softmax, norm, residual, gelu = n * n * heads, n * (E + 1), 2 * n * E, 4 * n * E
    everything = softmax + norm + residual + gelu
    mj = (8 * gelu + 5 * norm + residual) * 1e-10 + 51.6 / 44.8 * 1e-9 * softmax * 4 / 8
    return everything * 4 / b_gb(k), mj + everything * 1.655e-9 * (4 / 16) * 2


def converters(k: Chip) -> tuple[float, float, float]:
    """DAC, ADC, adder in pJ."""
    dac = 50 * (2**k.b / k.b) / (2**8 / 8) * (k.f / 14) / k.f
    return dac, k.adc_mw * (k.f / 10) * (k.b / 8) / k.f, 0.2 / 4.39 / k.f


def lt_laser_mw(k: Chip) -> float:
    loss = k.modulator_db + 2 * 0.93 + 0.1 * ceil(log2(max(k.h, k.v))) + 0.1 + 0.33 + 0.33
    return 10 ** ((-25 + loss + 10 * log10(k.h * k.v)) / 10) / k.efficiency * 2**k.b


def lt_latency(k: Chip, p: Product) -> float:
    r, c, d = ceil(p.N1 / k.h), ceil(p.N2 / k.v), ceil(p.D / k.lam)
    compute = ceil(r * c * d * p.H / (k.T * k.C)) / (k.f * 1e9)
    rounds = ceil(p.N1 / (k.T * k.h))
    if p.kind == "linear":
        # exact: in floats 63 cycles may come out a little more, and be rounded up to 64
        cycles = rounds * ceil(Fraction(k.h * p.D * k.b * k.T * 500_000_000, 8 * k.hbm_bytes))
    else:
        cycles = p.H * rounds * ceil((k.h * p.D * k.T + p.D * p.N2) * k.b / b_gb(k) * 500e6)
    return max(compute, cycles / 500e6) * 1e3


def lt_energy(k: Chip, p: Product, level: str) -> float:
    r, c, d, w = ceil(p.N1 / k.h), ceil(p.N2 / k.v), ceil(p.D / k.lam), k.b / 16
    shared = level == "arch_opt"
    S, A = (k.T, min(k.integrate, ceil(p.D / (k.C * k.lam)))) if shared else (1, 1)
    dac, adc, adder = converters(k)
    m1 = p.N1 * p.D * p.N2 if level == "broadcast" else p.N1 * p.D * c
    m2 = r * p.N2 * p.D / S
    q_rf = p.N1 * p.N2 * ceil(ceil(d / A) / k.C)
    q = q_rf if shared else p.N1 * p.N2 * ceil(d / A)
    compute = (
        lt_laser_mw(k) / k.f * r * c * d
        + (dac + (0.45 * k.f + 2 * 0.275) / k.f) * (m1 + m2)
        + (adc + 3 / k.f + adder) * q
        + 2 * 1.1 / k.f * p.N1 * p.N2 * d
    )
    o = k.h * p.D * k.b / 8 / k.slot
    o = max(1, ceil(o) if p.kind == "linear" else o)
    X = p.N1 * p.D + r * p.D * p.N2 / S
    data = 2 * RF * (m1 + m2 + q_rf) + NOC * q
    data += LB * (p.N1 * p.D * c + r * p.D * p.N2 / S + X + p.N1 * p.N2 * (2 * o - 1))
    if p.kind == "linear":
        data += GB * (p.N1 * p.N2 * (2 * o - 1) + X + p.N1 * p.D) + k.hbm_pj * 1e-9 * p.N1 * p.D
    else:
        data += GB * (p.N1 * p.N2 * (2 * o - 1) + GB * X)
    return p.H * (compute * 1e-9 + data * w)


def ring(k: Chip, p: Product) -> tuple[float, float]:
    """ms, mJ of the microring bank."""
    F = 1 if p.kind == "sv" else 2
    N1, D, N2 = (p.N2, p.D, p.N1) if p.kind == "sv" else (p.N1, p.D, p.N2)
    r, d, w, linear = ceil(N1 / k.h), ceil(D / k.lam), k.b / 16, p.kind == "linear"
    ms = ceil(r * d * N2 * p.H / (k.T * k.C)) * F / (k.f * 1e9) * 1e3
    dac, adc, adder = converters(k)
    loss = 2 * (0.1 * (k.lam - 1) + 0.95) + 0.1 * ceil(log2(k.h))
    laser = 10 ** ((-25 + loss + 10 * log10(k.h)) / 10) / k.efficiency * 2**k.b / k.f
    held, streamed = N1 * D, r * N2 * D * F
    compute = laser * r * d * N2 * F + dac * (held + streamed) + (1.2 + 0.042 * k.f) / k.f * streamed
    compute += 1.2 / k.f * N1 * N2 * D * F + 0.042 * N1 * D * (F if linear else 1)
    compute += (adc + (2 * 1.1 + 3) / k.f + adder) * N1 * N2 * d * F
    data = stationary(k, N1, N2, held, streamed, d * F)
    if linear:
        data += (GB + k.hbm_pj * 1e-9) * held
    return ms, p.H * (compute * 1e-9 + w * data)


def mesh(k: Chip, p: Product) -> tuple[float, float]:
    """ms, mJ of the MZI mesh, of a linear layer."""
    r, d, w = ceil(p.N1 / k.h), ceil(p.D / k.lam), k.b / 16
    units = k.T * k.C
    ms = ceil(r * d * p.N2 / units) / (k.f * 1e9) * 1e3 + ceil(r * d / units) * 2e-3
    dac, adc, adder = converters(k)
    loss = k.modulator_db + 0.99 * (k.h + k.lam) + 0.99
    laser = 10 ** ((-25 + loss + 10 * log10(k.lam)) / 10) / k.efficiency * 2**k.b / k.f
    inside, diagonal = k.h * (k.h - 1) // 2 + k.lam * (k.lam - 1) // 2, min(k.h, k.lam)
    P, streamed = r * d * (inside + diagonal), r * p.N2 * p.D
    compute = laser * r * d * p.N2 + dac * (P + streamed) + 0.45 * streamed
    compute += r * d * (0.45 * inside + diagonal * 0.45)
    compute += (adc + (2 * 1.1 + 3) / k.f + adder) * p.N1 * p.N2 * d
    data = stationary(k, p.N1, p.N2, P, streamed, d) + GB * p.N1 * p.D + k.hbm_pj * 1e-9 * P
    return ms, compute * 1e-9 + w * data


def stationary(k: Chip, N1: int, N2: int, held: int, streamed: int, dF: int) -> float:
    """Words moved by both baselines, HBM aside, times their energies."""
    if ceil(k.h * N2 * k.b / 8 / k.slot) > 1:
        out, spill = 2 * dF / k.C - 1, N1 * N2 * (2 * dF / k.C - 2)
    else:
        out, spill = dF / k.C, 0
    data = 2 * RF * (held + streamed + N1 * N2 * dF / k.C) + NOC * N1 * N2 * dF
    data += LB * (2 * (held + streamed) + N1 * N2 * out)
    return data + GB * (held + streamed + N1 * N2 + spill)


def lt_area(k: Chip, shared: bool) -> float:
    """mm2 of a chip."""
    m2, units = (k.C if shared else k.T * k.C), k.T * k.C
    encoders = k.h * k.lam * units + k.v * k.lam * m2
    outputs = k.h * k.v * (k.T if shared else units)
    um2 = 11000 * encoders + 260 * 20 * encoders + 4.8**2 * (k.h + k.v) * k.lam * 2 * units
    um2 += (2850 + 50) * outputs + (400 * 300 + 1184**2) * (k.T + k.C)
    node = (1.8 + 100 + 5.25 + 10 + 30) * (1.8 + max(45, 2.4, 2 * 4) + 20)
    tree = 1.8 * 1.3 + sum(1.8 * ceil(log2(x) + 1) * 1.3 * x for x in (k.h, k.v))
    um2 += (node * k.h * k.v + tree) * units
    memory = 14.348352 * k.T / 4 + 0.0683105 * (k.T + 1) + 0.000305237 * (2 * k.T + k.T * k.C + k.C)
    return um2 / 1e6 + 0.00024 / 2.7 * k.h * k.v * k.T + memory


def lt_power(k: Chip, shared: bool) -> float:
    """mW of a chip."""
    m2, units = (k.C if shared else k.T * k.C), k.T * k.C
    encoders = k.h * k.lam * units + k.v * k.lam * m2
    outputs = k.h * k.v * (k.T if shared else units)
    mw = lt_laser_mw(k) * units + (0.45 * k.f + 0.55 + 50 * (2**k.b / k.b) / 32 * k.f / 14) * encoders
    mw += (k.adc_mw * k.f / 10 * k.b / 8 + 3) * outputs + 2 * 1.1 * k.h * k.v * units
    mw += 0.2 / 4.39 * k.h * k.v * k.T
    memory = 315.2512 * k.T / 4 + k.T * (0.172725 + 2 * 0.0154) + 0.0154 * units + 0.172725
    return mw + memory + 0.0154 * m2
