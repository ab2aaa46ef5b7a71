"""Are the published runs reproduced? The figures are those of the released LT hardware estimator (`published_runs.json`)."""

from __future__ import annotations

import json
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from lsim import load_arch, load_model, load_trace, predict
from lsim.models import Prediction
from lsim.models.published import FORMS
from lsim.models.published.chip import area_mm2, power_mw
from lsim.models.published.dptc import Dptc
from lsim.models.published.weight_stationary import WeightStationary
from lsim.models.published.workload import gemm_of

PUBLISHED = json.loads((Path(__file__).parent / "published_runs.json").read_text(encoding="utf-8"))
RUNS, CHIPS = PUBLISHED["runs"], PUBLISHED["area_power"]
TOLERANCE = 1e-12

MODULE = {"qk": "attn", "sv": "attn", "ffn1": "FFN1", "ffn2": "FFN2"}
LABEL = {"Q*K^T": "qk", "S*V": "sv", "FFN1": "ffn1", "FFN2": "ffn2"}
PARTS = {
    "laser": "laser", "DAC": "dac", "MZM": "encoder", "ADC": "adc", "TIA": "tia", "Photodetector": "detector",
    "photonic_core": "photonic_core", "adder": "adder", "mem": "memory", "micro_comb": "comb",
}  # fmt: skip


@cache
def said(model: str, arch: str, level: str) -> Prediction:
    trace, machine = load_trace(model), load_arch(arch)
    return predict(load_model("published", machine, level=level), trace, machine)


def run_id(run: dict[str, Any]) -> str:
    return "-".join(run[key] for key in ("model", "arch", "level"))


def modules(prediction: Prediction) -> dict[str, list[float]]:
    """mJ and ms of each published module."""
    sums: dict[str, list[float]] = {}
    named = [(MODULE.get(op.label, op.label), said) for op, said in prediction.operators if op.is_gemm]
    named += [("others", prediction.terms["others"])]
    for name, estimate in named:
        if estimate.ticks:
            module = sums.setdefault(name, [0.0, 0.0])
            module[0] += float(sum((estimate.energy_pj or {}).values())) * 1e-9
            module[1] += prediction.milliseconds(estimate.ticks)
    return sums


def test_are_all_twelve_runs_here() -> None:
    assert len(RUNS) == 12
    assert {run["level"] for run in RUNS} == {"arch_opt", "crossbar", "broadcast", "ws"}


@pytest.mark.parametrize("run", RUNS, ids=run_id)
def test_are_time_and_energy_those_of_the_run(run: dict[str, Any]) -> None:
    printed = said(run["model"], run["arch"], run["level"]).to_dict()
    assert isclose(printed["latency_ms"], run["latency_ms"], rel_tol=TOLERANCE)
    assert isclose(printed["energy_mj"], run["energy_mJ"], rel_tol=TOLERANCE)


@pytest.mark.parametrize("run", RUNS, ids=run_id)
def test_are_they_those_of_each_module(run: dict[str, Any]) -> None:
    mine = modules(said(run["model"], run["arch"], run["level"]))
    assert mine.keys() == run["modules"].keys()
    for name, (energy, latency) in mine.items():
        assert isclose(energy, run["modules"][name]["energy_mJ"], rel_tol=TOLERANCE), name
        assert isclose(latency, run["modules"][name]["latency_ms"], rel_tol=TOLERANCE), name


@pytest.mark.parametrize("run", RUNS, ids=run_id)
def test_are_the_cycles_those_of_each_operator(run: dict[str, Any]) -> None:
    trace, arch = load_trace(run["model"]), load_arch(run["arch"])
    form = FORMS[arch.core.kind](run["level"])
    first = {op.label: gemm_of(trace, op) for op in reversed(trace.operators) if op.is_gemm}
    for name, cycles in run["cycles_per_instance"].items():
        gemm = first[LABEL.get(name, name)]
        if isinstance(form, Dptc):
            assert form.compute_ticks(gemm, arch) == cycles["comp_cycles"], name
            assert form.memory_ticks(gemm, arch) == cycles["mem_cycles"] * arch.sram_cycle, name
        else:
            assert isinstance(form, WeightStationary)
            programmed = arch.with_settings({"core.reload": "0 ps"})
            assert form.ticks(gemm, programmed) == cycles["comp_cycles"], name


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip["arch"])
def test_are_area_and_power_those_of_each_part(chip: dict[str, Any]) -> None:
    arch = load_arch(chip["arch"])
    for mine, theirs in (
        (area_mm2(arch, chip["level"]), chip["area_mm2"]),
        (power_mw(arch, chip["level"]), chip["power_mW"]),
    ):
        assert isclose(float(sum(mine.values())), theirs.pop("total"), rel_tol=TOLERANCE)
        assert mine.keys() == {PARTS[part] for part in theirs}
        for part, value in theirs.items():
            assert isclose(float(mine[PARTS[part]]), value, rel_tol=TOLERANCE), part
