"""Where do the energies of a run and of the published closed forms of the two baselines agree, and by which mechanism do they differ?

DeiT-Tiny at 4 bits, against the equations of the released estimator of Lightening-Transformer (Zhu et al., HPCA 2024) for a
microring bank of 7 tiles and an MZI mesh of 4, each tile two cores of 12 x 12. For a GEMM of H heads of (N1, D, N2), of which N1 x D
is held (of S·V it is V): r = ⌈N1/12⌉, d = ⌈D/12⌉; P passes, of the bank two, of S·V and of the mesh one; f = 5 GHz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

import pytest

from lsim import Result, load_arch, load_trace, simulate
from lsim.arch import device_power, event_energy
from lsim.units import ceil_div

F = Fraction
C, NODE = 2, 12
DAC, RING, RING_HELD, MZM, PHASE = F(50 * 16, 4) / 32 / 14, F("0.042"), F("1.2") / 5, F("0.45"), F("0.45")
ADC, TIA, PD, ADDER = F("14.8") / 10 / 2, F(3, 5), F("2.2") / 5, F("0.2") / F("4.39") / 5
RF, NOC, LB, DRAM = F("0.073"), F(2), F("0.92"), F("62.4")
W = F(4, 16)  # words of an operand
PHASES, DIAGONAL = 2 * 66, 12  # of a mesh of 12 inputs, 12·11/2, on either side


class Gemm(NamedTuple):
    """With what is held as N1 x D."""

    heads: int
    n1: int
    depth: int
    n2: int
    passes: int
    linear: bool
    tiles: int

    @property
    def r(self) -> int:
        return ceil_div(self.n1, NODE)

    @property
    def d(self) -> int:
        return ceil_div(self.depth, NODE)

    @property
    def held(self) -> int:
        return self.n1 * self.depth

    @property
    def symbols(self) -> int:
        return self.r * self.n2 * self.depth * self.passes

    @property
    def sums(self) -> int:
        """Of the model: one for each core's share of the depth."""
        return self.n1 * self.n2 * self.d * self.passes

    @property
    def samples(self) -> int:
        """Of the run: the photocurrents of the two cores of a tile are summed before they are converted."""
        return self.n1 * self.n2 * ceil_div(self.d, C) * self.passes


@pytest.fixture(scope="module", params=["mrr-bank", "mzi-mesh"])
def result(request: pytest.FixtureRequest) -> Result:
    return simulate(load_trace("deit-tiny"), load_arch(f"{request.param}-4bit"))


def gemms(result: Result) -> Iterator[tuple[Gemm, Mapping[str, Fraction]]]:
    """Each GEMM, and the dynamic energies of its operator."""
    bank, tiles = result.arch.core.kind == "mrr-bank", result.arch.core.tiles
    for op, one in zip(result.trace.operators, result.energy().operators, strict=True):
        if not op.is_gemm:
            continue
        of_scores = all(name.endswith("softmax.out") for name in op.operands[0])
        n1, n2 = (op.columns, op.rows) if of_scores else (op.rows, op.columns)
        passes = 2 if bank and not of_scores else 1
        yield Gemm(op.heads, n1, op.depth, n2, passes, result.trace.is_linear(op), tiles), one.dynamic


def holds(result: Result, component: str, of_a_head: Callable[[Gemm], Fraction]) -> None:
    """Whether the energy of each GEMM is that of the formula."""
    found = list(gemms(result))
    assert len(found) == 12 * 6 + 2
    for gemm, energies in found:
        assert energies[component] == gemm.heads * of_a_head(gemm), (component, gemm)


def written(result: Result) -> Callable[[Gemm], int]:
    """Values that are converted to be held: of the bank each weight, of a mesh its phases and its diagonal."""
    if result.arch.core.kind == "mrr-bank":
        return lambda g: g.held
    return lambda g: g.r * g.d * (PHASES + DIAGONAL)


def test_are_the_conversions_of_operands_those_of_the_model(result: Result) -> None:
    values = written(result)
    holds(result, "dac", lambda g: DAC * (values(g) + g.symbols))


def test_are_the_symbols_those_of_the_model(result: Result) -> None:
    """The model's ring is held on its wavelength for the period of a symbol; here that is static power, `tuning`."""
    symbol = RING if result.arch.core.kind == "mrr-bank" else MZM
    holds(result, "modulator", lambda g: symbol * g.symbols)


def test_are_the_weights_written_once(result: Result) -> None:
    """The model writes the weights of a linear layer anew for each pass of the bank; here both signs pass what is written. The
    model's mesh is the run's."""
    if result.arch.core.kind == "mrr-bank":
        holds(result, "weights", lambda g: RING * g.held)
    else:
        holds(result, "weights", lambda g: g.r * g.d * (PHASE * PHASES + MZM * DIAGONAL))


def test_is_the_readout_that_of_the_model_with_cores_summed_before_it(result: Result) -> None:
    """The model has a TIA, a conversion and an addition for each core's sum; here one for both cores of a tile, so half as many, and
    one more where d is odd (17, of S·V and Q·Kᵀ has an even 6). Photodetectors are of a core, the second's too where d is odd."""
    for name, each in (("adc", ADC), ("tia", TIA)):
        holds(result, name, lambda g, each=each: each * g.samples)  # type: ignore[misc]
    holds(result, "photodetector", lambda g: PD * C * g.samples)
    found = [gemm for gemm, _ in gemms(result)]
    assert {gemm.d % C for gemm in found if gemm.linear} == {0}
    assert all(C * gemm.samples == gemm.sums for gemm in found if gemm.d % C == 0)
    merged = result.statistics.amounts["merged"]
    samples = sum(gemm.heads * gemm.samples for gemm in found)
    assert result.energy().components["adder"].dynamic == ADDER * (samples + merged)


def test_are_registers_and_wires_those_of_the_model_at_the_width_of_a_sum(result: Result) -> None:
    """The model moves a sum as an operand, 4 bits, and has as many in its wires as cores; a partial sum has 16, of a tile."""
    values = written(result)
    holds(result, "registers", lambda g: 2 * RF * (W * (values(g) + g.symbols) + g.samples))
    holds(result, "interconnect", lambda g: NOC * g.samples)


def test_are_the_operand_srams_those_of_the_model_shared(result: Result) -> None:
    """The model writes and reads a local SRAM for each value that is converted. Here M1 is so, as values, not as phases. M2 is
    filled once a row pass, in whole bytes for each column of a chunk of 24, and read for each shot once for all tiles; the model has
    a copy for each row block."""
    holds(result, "m1_sram", lambda g: 2 * LB * W * g.held)

    def m2(g: Gemm) -> Fraction:
        column = g.depth // 24 * 12 + ceil_div(g.depth % 24, 2)  # bytes
        return LB * ceil_div(g.r, g.tiles) * g.n2 * (F(column, 2) + W * g.depth * g.passes)

    holds(result, "m2_sram", m2)


def test_are_the_weights_of_hbm_those_of_the_model(result: Result) -> None:
    """Of the layers in the middle, whose other operands stay on the chip. The model's mesh fetches phases, here its weights."""
    for gemm, energies in list(gemms(result))[1:-1]:
        assert energies.get("hbm", 0) == (DRAM * W * gemm.held if gemm.linear else 0), gemm


def lit(result: Result, component: str) -> Fraction:
    """Static energy of a component while shots are fired."""
    share = result.energy().components[component]
    return share.useful + sum(
        share.dark.get(cause, 0) for cause in ("idle_engines", "signs", "idle_wavelengths")
    )


def test_is_the_laser_that_of_the_model_while_shots_are_fired(result: Result) -> None:
    """Both cores of a tile fire together, so an odd d takes one more core's shot. The model's mesh does no attention."""
    laser = event_energy(result.arch, device_power(result.arch).laser)
    found = [gemm for gemm, _ in gemms(result)]
    shots = sum(g.heads * g.r * g.d * g.n2 * g.passes for g in found)
    odd = sum(g.heads * g.r * (g.d % C) * g.n2 * g.passes for g in found)
    assert lit(result, "laser") == laser * (shots + odd)
    assert 0 < odd < shots / 100


def test_are_rings_held_as_in_the_model_while_shots_are_fired() -> None:
    """The model holds a ring for each MAC of each pass; here all rings of a core that fires, those without a value too (heads of 64 fill
    5⅓ rows of cores), and those of all others, all the time, which is dark."""
    result = simulate(load_trace("deit-tiny"), load_arch("mrr-bank-4bit"))
    found = [gemm for gemm, _ in gemms(result)]
    model = RING_HELD * sum(g.heads * g.n1 * g.n2 * g.depth * g.passes for g in found)
    rings = sum(g.heads * g.r * ceil_div(g.d, C) * C * g.n2 * g.passes for g in found) * NODE * NODE
    assert lit(result, "weights") == RING_HELD * rings
    assert model < RING_HELD * rings < model * F("1.05")
    share, tiles = result.energy().components["weights"], result.arch.core.tiles
    assert share.static == RING_HELD * tiles * C * NODE * NODE * result.ticks
    assert share.useful == RING_HELD * result.macs


def test_is_a_mesh_dark_while_it_is_written() -> None:
    """The lasers cannot be switched: what a mesh takes to be written costs more light than its shots."""
    result = simulate(load_trace("deit-tiny"), load_arch("mzi-mesh-4bit"))
    laser = result.energy().components["laser"]
    written = sum(tile["reload"] for tile in result.tiles().values())
    assert laser.dark["reload"] == C * event_energy(result.arch, device_power(result.arch).laser) * written
    assert laser.dark["reload"] > 10 * lit(result, "laser")
