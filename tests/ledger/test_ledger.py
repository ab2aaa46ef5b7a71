"""Do model and rows add up to the simulation, and is each row zero where its mechanism is ideal?"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import attention, gemm, layers, linear, machine, only, trace, vector
from strategies import runs

import lsim
from lsim import Result, load_arch, load_model, load_trace, predict, simulate
from lsim.arch import IDEALS, Arch
from lsim.errors import InputError
from lsim.ledger.ledger import Ledger, ledger
from lsim.models import Estimate
from lsim.results.ledger_rows import ROWS
from lsim.trace import Kind, Operator, Trace

MODELS = ["published", "roofline", "bound"]


class Thirds:
    """A model whose numbers are no whole ones, and which tells a compute part of some operators."""

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        ticks = Fraction(len(operator.name), 3)
        return Estimate(ticks, compute=ticks / 2 if operator.rows % 2 else None)

    def terms(self, arch: Arch) -> dict[str, Estimate]:
        return {"more": Estimate(Fraction(22, 7))}


def check(found: Ledger) -> None:
    """All sums, from the JSON alone."""
    told = found.to_dict()
    lines = told["operators"]
    for line in [told, *lines]:
        assert Fraction(line["model"]) + sum(map(Fraction, line["rows"].values())) == line["simulation"]
    for name in ("model", "simulation"):
        assert sum(Fraction(line[name]) for line in lines) == Fraction(told[name])
    for row in ROWS:
        assert sum(Fraction(line["rows"].get(row, 0)) for line in lines) == Fraction(told["rows"].get(row, 0))


@settings(max_examples=40)
@given(runs(), st.sampled_from([*MODELS, "thirds"]))
def test_is_model_and_rows_the_simulation(result: Result, model: str) -> None:
    asked = Thirds() if model == "thirds" else load_model(model, result.arch)
    found = ledger(predict(asked, result.trace, result.arch), result)
    check(found)
    assert found.simulation == result.ticks
    told = [name for line in found.lines for name in line.operators]
    assert sorted(told) == sorted(op.name for op in result.trace.operators)


@pytest.mark.parametrize("arch", ["lt-b-8bit", "mrr-bank-4bit", "mzi-mesh-4bit"])
@pytest.mark.parametrize("model", MODELS)
def test_is_it_so_on_each_kind_of_core(arch: str, model: str) -> None:
    check(lsim.validate(load_trace("deit-tiny"), load_arch(arch), model))


# -- each row ------------------------------------------------------------------------------------------------------
SOURCES = {
    "hbm": ["hbm_m1", "hbm_m2", "hbm_dpu", "hbm_out", "hbm_latency"],
    "gb": ["m1_fill", "m2_fill", "drain", "partial_sums", "dpu_read", "dpu_write", "staging"],
    "feed": ["feed"],
    "reload": ["reload"],
    "adc": ["adc"],
    "dpu": ["dpu_work", "overlap"],
    "dispatch": ["dispatch"],
    "broadcast": ["broadcast", "switch"],
    "adc,broadcast": ["readout"],
}
BUSY = {
    "encoder__sample_rate": "500 MHz", "readout__conversion": "9 ticks", "global_sram__capacity": "3 KiB", "broadcast__groups": "2",
    "m1_sram__slot": "16 B", "core__cores": "2", "hbm__bandwidth": "1 GB/s", "act_sram__slot": "8 B", "act_sram__slots": "1",
}  # fmt: skip
WORK = attention(tokens=16, heads=2, size=16, blocks=1)
HELD = {"core__kind": "mrr-bank", "core__columns": "1", "core__reload": "9 ns", "core__passes": "2"}


def rows(ideal: str, mapping: str | None = "head-parallel", **settings: str) -> dict[str, Fraction]:
    arch = machine(**settings)
    return lsim.validate(WORK, arch, ideal=ideal.split(",") if ideal else [], mapping=mapping).rows


@pytest.mark.parametrize("source", SOURCES)
def test_is_a_row_zero_where_its_mechanism_is_ideal(source: str) -> None:
    """And it is not where it is real: one of each is there before."""
    how = {"mapping": None, **HELD} if source == "reload" else BUSY
    names = [name for row in SOURCES[source] for name in (row, f"serial.{row}")]
    real, ideal = rows("", **how), rows(source, **how)  # type: ignore[arg-type]
    assert [row for row in names if row in real]
    assert [row for row in names if row in ideal] == []


def test_do_these_sources_name_every_row() -> None:
    named = {name for found in SOURCES.values() for row in found for name in (row, f"serial.{row}")}
    assert ROWS.keys() - named <= {"arithmetic", "model", "mapping", "dpu"}
    assert {"dpu"} & rows(
        "", **BUSY
    ).keys() == set()  # whoever waits for the lanes waits for another operator


@pytest.mark.parametrize(("rows_", "depth", "columns"), [(8, 8, 8), (4, 24, 2), (16, 16, 6)])
def test_is_nothing_but_the_model_left_where_all_is_ideal_and_divides_evenly(
    rows_: int, depth: int, columns: int
) -> None:
    work = trace(gemm("w", "x", "q", rows_, depth, columns), gemm("q", "k", "s", rows_, columns, 4, heads=3))
    found = lsim.validate(work, machine(), ideal=IDEALS)
    assert found.rows.keys() <= {"arithmetic", "model"}
    roofline = lsim.validate(work, machine(), "roofline", ideal=IDEALS)
    assert roofline.rows.keys() <= {"arithmetic", "model"}


def test_is_mapping_what_does_not_divide_evenly() -> None:
    """9 rows in passes of 4, 3 columns in blocks of 2, 3 of depth in steps of 2: 3·2·2 shots, where the model shares
    ⌈9/2⌉·⌈3/2⌉·⌈3/2⌉ = 20 blocks over 2 tiles."""
    found = lsim.validate(linear(9, 3, 3), machine(), ideal=IDEALS)
    assert found.rows["mapping"] == 12 - 10
    assert lsim.validate(linear(9, 3, 3), machine(), "roofline", ideal=IDEALS).rows[
        "mapping"
    ] == 12 - Fraction(81, 16)


# -- the ideal ladder ----------------------------------------------------------------------------------------------
def deit_like(tokens: int, features: int, heads: int) -> Trace:
    """The GEMMs and vector operators of a layer."""
    size = features // heads
    return trace(
        gemm("wq", "x", "q", features, features, tokens), gemm("wk", "x", "k", features, features, tokens),
        gemm("wv", "x", "v", features, features, tokens), gemm("q", "k", "s", tokens, size, tokens, heads),
        vector(Kind.SOFTMAX, ["s"], "p", tokens, tokens, heads), gemm("p", "v", "a", tokens, tokens, size, heads),
        gemm("wo", "a", "o", features, features, tokens), vector(Kind.RESIDUAL, ["o", "x"], "r", features, tokens),
        gemm("wf", "r", "f", 4 * features, features, tokens), vector(Kind.ACTIVATION, ["f"], "g", 4 * features, tokens),
        gemm("wg", "g", "h", features, 4 * features, tokens),
    )  # fmt: skip


@pytest.mark.parametrize("arch", ["lt-b-4bit", "lt-l-8bit"])
@pytest.mark.parametrize(("tokens", "features", "heads"), [(192, 192, 2), (384, 384, 4)])
def test_is_the_last_step_of_the_ladder_the_published_cycles(
    arch: str, tokens: int, features: int, heads: int
) -> None:
    """Sizes like DeiT's that divide evenly by 12·tiles, 12 and 24: shots are H·N1·N2·D / (T·C·12³), as the paper counts."""
    work, machine_ = deit_like(tokens, features, heads), load_arch(arch)
    found = lsim.validate(work, machine_, ideal=IDEALS)
    peak = machine_.core.tiles * machine_.core.cores * 12**3
    assert found.rows.keys() <= {"arithmetic", "model"}
    assert found.simulation == sum(Fraction(op.macs, peak) for op in work.operators)
    for line in found.lines:
        if line.kind == "gemm":
            assert line.simulation == found.prediction.operators[_place(work, line.name)][1].compute


@pytest.mark.parametrize("name", ["deit-tiny", "bert-base"])
def test_is_only_mapping_left_of_a_real_model_on_the_ladder(name: str) -> None:
    assert lsim.validate(load_trace(name), load_arch("lt-b-4bit"), ideal=IDEALS).rows.keys() == {
        "arithmetic",
        "model",
        "mapping",
    }


def _place(work: Trace, name: str) -> int:
    return [op.name for op in work.operators].index(name)


# -- what operators are --------------------------------------------------------------------------------------------
def test_is_a_fused_chain_one_line() -> None:
    chain = trace(
        gemm("w", "x", "o", 8, 8, 8),
        vector(Kind.ACTIVATION, ["o"], "g", 8, 8),
        vector(Kind.RESIDUAL, ["g", "x"], "r", 8, 8),
    )
    found = lsim.validate(chain, machine(), Thirds())
    assert [line.operators for line in found.lines] == [("make o",), ("make g", "make r"), ()]
    assert found.lines[1].model == Fraction(6, 3) * 2
    assert found.to_dict()["operators"][1]["operators"] == ["make g", "make r"]


def test_is_the_work_of_the_lanes_told_with_what_overlaps() -> None:
    """A softmax of 32 elements a pass, 16 ticks of 4 lanes: alone it is seen in full; beside shots only what is left."""
    work = trace(gemm("w", "x", "s", 16, 8, 8), vector(Kind.SOFTMAX, ["s"], "p", 16, 8))
    arch = only("dpu", dpu__lanes="4")
    assert lsim.validate(work, arch, "roofline").lines[1].rows == {
        "model": -(16 * 8 * 2) // (8 // 2),
        "dpu_work": 64,
    }
    chunked = lsim.validate(work, arch, "roofline", deps="chunked").lines[1].rows
    assert (chunked["dpu_work"], chunked["overlap"]) == (64, 16 - 64)


def test_are_a_model_and_a_run_of_something_else_refused() -> None:
    result = simulate(layers(2), machine())
    for work, arch in ((layers(1), machine()), (layers(2), machine(core__tiles="4"))):
        with pytest.raises(InputError, match=r"the run are of different (trace|arch)s"):
            ledger(predict(load_model("roofline", arch), work, arch), result)


def test_does_a_table_of_ones_own_go_into_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("operator,ticks\nmake x1,1/3\nmake x2,40.5\n", encoding="utf-8")
    found = lsim.validate(layers(2), machine(), str(path))
    check(found)
    assert (found.model, found.lines[0].model) == (Fraction(245, 6), Fraction(1, 3))
    path.write_text("operator,ticks\nmake x1,1\nmake x3,1\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"mine\.csv:3: small has no operator 'make x3'; did you mean 'make x2'"
    ):
        lsim.validate(layers(2), machine(), str(path))


def test_tells_no_model_more_compute_than_ticks() -> None:
    with pytest.raises(InputError, match="compute is 3 of 2 ticks"):
        Estimate(2, compute=3)


# -- faults of the model's own arithmetic --------------------------------------------------------------------------
def test_is_the_arithmetic_of_the_published_model_a_row_of_its_own() -> None:
    """Seconds of 12 layers' vector operators, added as ms of one, with a bandwidth of 2³⁰ accesses where 0.604 ns apart are
    said: 197² scores of 3 heads, 197·193 elements of norms and 6·197·192 of residuals and GELU, of 4 bits."""
    arch = load_arch("lt-b-4bit")
    found = lsim.validate(load_trace("deit-tiny"), arch)
    others = found.lines[-1]
    assert others.name == "others"
    elements = 197**2 * 3 + 197 * 193 + 6 * 197 * 192
    bits_a_tick = Fraction(arch.global_sram.banks * arch.global_sram.line * 8, arch.sram_cycle)
    right = 12 * elements * 4 / bits_a_tick
    assert others.rows == {"arithmetic": right - others.model, "model": -right}


def test_is_it_zero_where_it_is_corrected() -> None:
    """At 8 bits the width of what moves and the rate of the SRAM count, too; correcting all leaves nothing."""
    work, arch = load_trace("deit-tiny"), load_arch("lt-b-8bit")
    faults = ["others-layers", "others-bits", "others-seconds", "sram-access"]
    assert "arithmetic" not in lsim.validate(work, arch, corrected=faults).rows
    for left in faults:
        rest = lsim.validate(work, arch, corrected=[name for name in faults if name != left])
        check(rest)
        assert rest.rows["arithmetic"]


def test_are_the_layers_that_a_mesh_counts_twice_a_fault_of_arithmetic() -> None:
    found = lsim.validate(load_trace("deit-tiny"), load_arch("mzi-mesh-4bit"))
    again = next(line for line in found.lines if line.name == "qkv again")
    assert again.rows == {"arithmetic": -again.model}
