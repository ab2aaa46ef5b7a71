"""Are the energies of a run one number, however it is simulated and added up, and that of an independent count?"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import comb

import pytest
from attrs import evolve
from eager import eager_folding
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reference.layout import read_width
from small import attention, linear, machine
from strategies import Machine, machines, traces
from unfold import records

from lsim import Result, simulate
from lsim.errors import InputError, LawBroken
from lsim.plan.tiling import Tiling
from lsim.results.energy.account import Energy
from lsim.trace import Kind, Operator, Trace
from lsim.units import ceil_div

RUNS = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
POLICIES = st.fixed_dictionaries(
    {
        "mapping": st.sampled_from([None, "lockstep", "head-parallel"]),
        "deps": st.sampled_from(["barrier", "chunked"]),
    }
)


def ran(work: Trace, machine: Machine, **options: object) -> Result:
    try:
        return simulate(work, machine.arch, **options)  # type: ignore[arg-type]
    except InputError:
        assume(False)
        raise


# -- an independent account ----------------------------------------------------------------------------------------
def static_mw(result: Result) -> Fraction:
    """Lasers, microdisks or microrings, SRAMs and buffers of a chip, device by device."""
    arch, d = result.arch, result.arch.devices
    c, t = arch.core, arch.core.tiles
    milliwatts = t * (d.global_sram_macro.power + d.operand_sram_macro.power + d.act_sram_macro.power)
    buffers = 2 * t
    for _ in range(t * c.cores):
        milliwatts += result.energy().prices.power.laser
        buffers += 1 if c.kind == "dptc" else 2
        if c.kind == "dptc":
            milliwatts += 2 * d.microdisk.power * c.rows * c.wavelengths
        if c.kind == "mrr-bank":  # a bus of rings that modulate, one of rings that weight for each row
            milliwatts += d.microring.power * c.wavelengths * (1 + c.rows)
    if c.kind == "dptc":
        milliwatts += 2 * d.microdisk.power * c.columns * c.wavelengths * c.cores * arch.broadcast.streams
        buffers += c.cores
    return milliwatts + d.operand_sram_macro.power + buffers * d.buffer_macro.power


def dynamic_pj(result: Result, seen: Counter[str]) -> dict[str, Fraction]:
    """Dynamic energy by component of what was counted: the equations of the published model, written once more."""
    arch, d = result.arch, result.arch.devices
    b, p = arch.operands.bits, arch.operands.partial_sum_bits
    ns = Fraction(10**9, arch.core.clock)
    m1, m2, q = seen["m1_encodings"], seen["m2_encodings"], seen["conversions"]
    modulated, activation = seen["inputs"] or m1 + m2, arch.operands.activation_bits or b
    written = {"mrr-bank": seen["held"], "mzi-mesh": seen["phases"] + seen["diagonals"]}.get(
        arch.core.kind, 0
    )
    bank = arch.core.kind == "mrr-bank"
    rf, lb = d.word.register / 16, d.word.local / 16
    ops = {"norm": 5, "activation": 8, "residual": 1, "multiply": 1, "rotary": 3}
    dac = Fraction(50 * 2**b, b) / Fraction(2**8, 8) / 14
    return {
        "dac": dac * (modulated + written),
        "modulator": Fraction("0.042" if bank else "0.45") * modulated,
        "weights": Fraction("0.042" if bank else "0.45")
        * written,  # a phase costs what a modulator's symbol does
        "photodetector": Fraction("2.2") * ns * seen["engine_shots"],
        "tia": 3 * ns * seen["engine_shots"] / arch.core.cores,
        "adc": Fraction("14.8") / 10 * b / 8 * q,
        "adder": Fraction("0.2") / Fraction("4.39") * ns * (q + seen["merged"]),
        "registers": 2 * rf * (b * (modulated + written) + p * q),
        "interconnect": d.word.interconnect / 16 * p * q,
        "m1_sram": lb * (8 * seen["m1_sram.in"] + seen["m1_fed_bits"]),
        "m2_sram": lb * (8 * seen["m2_sram.in"] + seen["m2_fed_bits"]),
        "act_sram": lb * 8 * (2 * seen["act_sram.in"] + 2 * seen["act_sram.kept"]),
        "global_sram": d.word.global_sram / 2 * (seen["global_sram.in"] + seen["global_sram.out"]),
        "hbm": d.word.hbm / 2 * (seen["hbm.in"] + seen["hbm.out"]),
        "dpu_buffers": lb * 8 * 2 * (seen["dpu_in.in"] + seen["dpu_out.in"]),
        "dpu": sum((Fraction(n, 10) * seen[f"dpu.{name}"] for name, n in ops.items()), Fraction(0))
        + d.logic.softmax_power * 10**9 / d.logic.softmax_rate * activation / 8 * seen["dpu.softmax"],
    }


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), POLICIES)
def test_is_the_energy_that_of_the_run_written_out(
    work: Trace, machine: Machine, policies: dict[str, str]
) -> None:
    result = ran(work, machine, **policies)
    seen: Counter[str] = Counter()
    for part in range(len(result.log.parts)):
        for _, code, _ in records(result, part):
            for name, quantity in result.log.labels[code].amounts:
                seen[name] += quantity
    energy = result.energy()
    expected = {name: pj for name, pj in dynamic_pj(result, seen).items() if pj}
    told = {name: share.dynamic for name, share in energy.components.items() if share.dynamic}
    assert told == expected
    a_tick = static_mw(result) * 10**9 / result.arch.core.clock
    assert energy.all.static == a_tick * result.ticks
    peak = result.arch.peak_macs_per_tick * result.ticks
    assert energy.all.useful == (a_tick * result.ticks * Fraction(result.macs, peak) if peak else 0)
    for name, ticks in result.tiles().items():
        tile, a_tile = energy.tiles[name], a_tick / result.arch.core.tiles
        lit = {"compute", "idle_engines", "signs", "idle_wavelengths"}
        waited = {cause: a_tile * n for cause, n in ticks.items() if cause not in lit}
        assert {cause: pj for cause, pj in tile.dark.items() if cause not in lit} == waited
        firing = tile.useful + sum(tile.dark.get(cause, 0) for cause in lit)
        assert firing == a_tile * ticks.get("compute", 0)
        assert all(pj > 0 for pj in tile.dark.values())
    fired = result.statistics.amounts.get("core_shots", 0) // result.arch.core.cores
    idle = (energy.all.dark.get(f"idle_{what}", 0) for what in ("engines", "wavelengths"))
    lit = energy.all.useful + sum(idle) + energy.all.dark.get("signs", 0)
    assert lit == a_tick / result.arch.core.tiles * fired


@RUNS
@given(traces(), machines())
def test_are_the_events_those_that_the_tilings_say(work: Trace, machine: Machine) -> None:
    """Counts of a GEMM in closed form: a sample of each output for each group of shots. Sums of all chunks but the last wait in
    their slot, two bytes each, or leave it and are merged."""
    result = ran(work, machine)
    core, integrate = result.arch.core, result.arch.readout.integrate
    expected: Counter[str] = Counter()
    for op in work.operators:
        if op.kind is not Kind.GEMM:
            if (
                op.kind is not Kind.OPAQUE
            ):  # which reads more elements than it writes, and costs the lanes nothing
                expected[f"dpu.{op.kind.value}"] += op.elements
            continue
        tiling = result.plan.tilings[op.name]
        again = op.elements * (len(tiling.chunks) - 1)
        expected["act_sram.kept" if tiling.keep else "merged"] += 2 * again if tiling.keep else again
        expected += values(result, work, op, tiling)
        for depth in tiling.chunks:
            shots = ceil_div(depth, core.cores * core.wavelengths) * signs(result, work, op)
            expected["conversions"] += op.elements * ceil_div(shots, integrate)
            expected["engine_shots"] += op.elements * shots * core.cores
    amounts = result.statistics.amounts
    for counter in (*VALUES, "conversions", "engine_shots", "merged", "act_sram.kept"):
        assert amounts.get(counter, 0) == expected[counter], counter
    for counter, elements in expected.items():
        if counter.startswith("dpu."):
            sweeps = 2 if counter in ("dpu.softmax", "dpu.norm") else 1  # of rows that are longer than a slot
            assert elements <= amounts[counter] <= sweeps * elements, counter


VALUES = (
    "m1_encodings",
    "m2_encodings",
    "m1_fed_bits",
    "m2_fed_bits",
    "inputs",
    "held",
    "phases",
    "diagonals",
)


def signs(result: Result, work: Trace, op: Operator) -> int:
    """Two operands of either sign take the passes of the core; of S·V, as what passes by is S, one."""
    return 1 if of_scores(work, op) else result.arch.core.passes


def of_scores(work: Trace, op: Operator) -> bool:
    makers = [work.producer(name) for name in op.operands[0]]
    return all(maker is not None and maker.kind is Kind.SOFTMAX for maker in makers)


def values(result: Result, work: Trace, op: Operator, tiling: Tiling) -> Counter[str]:
    """What becomes light. M1, N1·D values for each column block (of one step: each inner panel), M2, N2·D for each row pass.

    Where cores hold M1 (of S·V, V): N1·D values are written for each inner panel, a mesh of Nh and one of Nλ inputs and the
    diagonal between for each Nh x Nλ of them; and each row block of Nh has N2·D encoded for itself, for each sign. Out of the SRAMs
    come these values, N2·D once for all tiles, as wide as they are stored.
    """
    arch, core = result.arch, result.arch.core
    w1, w2 = (read_width(work, arch, operand) for operand in op.operands[:2])
    if not arch.holds_operand:
        m1 = sum(
            op.heads
            * op.rows
            * depth
            * (tiling.blocks if depth > core.cores * core.wavelengths else tiling.inner_panels)
            for depth in tiling.chunks
        )
        m2 = op.heads * tiling.passes * op.columns * op.depth
        return Counter(m1_encodings=m1, m2_encodings=m2, m1_fed_bits=m1 * w1, m2_fed_bits=m2 * w2)
    rows, columns = (op.columns, op.rows) if of_scores(work, op) else (op.rows, op.columns)
    w1, w2 = (w2, w1) if of_scores(work, op) else (w1, w2)
    passing = op.heads * columns * op.depth * signs(result, work, op)
    blocks = ceil_div(rows, core.rows)
    held = op.heads * rows * op.depth * tiling.inner_panels
    counted = Counter(
        m2_fed_bits=tiling.passes * passing * w2,
        inputs=blocks * passing,
        held=held,
        m1_fed_bits=held * w1,
    )
    if core.kind == "mzi-mesh":
        meshes = op.heads * blocks * ceil_div(op.depth, core.wavelengths) * tiling.inner_panels
        counted["phases"] = meshes * (comb(core.rows, 2) + comb(core.wavelengths, 2))
        counted["diagonals"] = meshes * min(core.rows, core.wavelengths)
    return counted


# -- however it is simulated, however it is added up ---------------------------------------------------------------
def same_energy(one: Result, other: Result) -> None:
    a, b = one.energy(), other.energy()
    assert a.components == b.components
    assert a.operators == b.operators
    assert a.tiles == b.tiles
    assert a.parts == b.parts


@settings(RUNS, max_examples=20)
@given(traces(layers=3), machines(groups=("1", "2", "4")), POLICIES, st.booleans())
def test_is_the_energy_the_same_folded_unfolded_and_by_shots(
    work: Trace, machine: Machine, policies: dict[str, str], folded: bool
) -> None:
    with eager_folding():
        blocks = ran(work, machine, **policies)
        same_energy(blocks, ran(work, machine, fold=False, **policies))
        same_energy(blocks, ran(work, machine, step="shot", fold=folded, **policies))


@RUNS
@given(traces(), machines(groups=("1", "2", "4")), POLICIES)
def test_are_the_totals_one_number(work: Trace, machine: Machine, policies: dict[str, str]) -> None:
    energy = ran(work, machine, **policies).energy()
    total = energy.total_pj
    assert sum(share.total for share in energy.components.values()) == total
    assert sum(energy.parts.values()) + energy.all.static == total
    assert sum(tile.total for tile in energy.tiles.values()) + energy.shared == total
    assert sum(one.total for one in energy.operators) == total
    for cause, pj in energy.all.dark.items():
        assert sum(share.dark.get(cause, 0) for share in energy.components.values()) == pj


def test_is_the_energy_of_an_operator_that_of_its_own_events() -> None:
    """The layers in the middle, which read and write nothing but what their neighbours do, cost the same."""
    result = simulate(attention(tokens=8, heads=2, size=4, blocks=4), machine())
    energies = [one.dynamic for one in result.energy().operators]
    layer = len(energies) // 4
    assert energies[layer : 2 * layer] == energies[2 * layer : 3 * layer]
    for operator, one in zip(result.trace.operators, result.energy().operators, strict=True):
        assert one.names == (operator.name,)
        assert ("dac" in one.dynamic) == operator.is_gemm
        assert ("dpu" in one.dynamic) == (not operator.is_gemm)


def test_is_static_power_charged_to_the_oldest_operator_that_is_not_complete() -> None:
    result = simulate(attention(tokens=8, heads=2, size=4, blocks=2), machine())
    a_tick = result.energy().prices.static_pj
    done = 0
    for run, one in zip(result.operators, result.energy().operators, strict=True):
        assert one.static == a_tick * (max(done, run.end) - done)
        done = max(done, run.end)
    assert done == result.ticks


# -- a law that is broken ------------------------------------------------------------------------------------------
def test_is_a_tile_that_fires_without_shots_an_error() -> None:
    result = simulate(linear(8, 8, 8), machine())
    causes = result.tiles()
    causes["tile1"]["compute"] += 1
    with pytest.raises(LawBroken, match=r"tile1 computes for \d+ ticks and has"):
        _ = Energy(result.statistics, result.plan, causes).tile_times


def test_are_sums_that_differ_an_error() -> None:
    result = simulate(linear(8, 8, 8), machine())
    causes = result.tiles()
    causes["tile1"]["done"] = causes["tile1"].get("done", 0) + 1
    with pytest.raises(LawBroken, match=r"pJ of time are not"):
        Energy(result.statistics, result.plan, causes).check()
    devices = evolve(result.arch.devices, tia=evolve(result.arch.devices.tia, power=Fraction(4)))
    other = Energy(
        result.statistics, evolve(result.plan, arch=evolve(result.arch, devices=devices)), result.tiles()
    )
    assert other.total_pj > result.energy().total_pj
