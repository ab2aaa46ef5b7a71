"""`lsim estimate` and the area and power of `lsim arch show`: what they print, and how they end."""

import json
from math import isclose

import pytest
from commands import call, refused

import lsim
from lsim.cli import archs
from lsim.models.published.chip import LEVELS
from lsim.models.published.dptc import Dptc

ESTIMATE = ("estimate", "deit-tiny", "--arch", "lt-b-4bit")


def printed(*arguments):
    return json.loads(call(*arguments, "--json").stdout)


def test_has_the_json_these_keys_and_no_others():
    told = printed(*ESTIMATE)
    assert list(told) == [
        "model", "level", "corrected", "trace", "arch", "latency_ms", "ticks", "energy_mj", "components",
        "operators", "terms", "notes",
    ]  # fmt: skip
    assert [told[key] for key in ("model", "level", "corrected", "trace", "arch")] == [
        "published", "arch_opt", [], "deit-tiny", "lt-b-4bit",
    ]  # fmt: skip
    assert all(list(op) == ["name", "kind", "latency_ms", "ticks", "energy_mj"] for op in told["operators"])
    assert [op["name"] for op in told["operators"]] == [
        op.name for op in lsim.load_trace("deit-tiny").operators
    ]
    assert isclose(told["latency_ms"], 0.019353226204032906, rel_tol=1e-12)  # the published run
    assert isclose(told["energy_mj"], sum(told["components"].values()), rel_tol=1e-12)


def test_do_options_reach_the_model():
    told = printed(*ESTIMATE, "--level", "crossbar", "--correct", "leakage, whole-blocks")
    assert (told["level"], told["corrected"]) == ("crossbar", ["leakage", "whole-blocks"])
    assert "leakage" in told["terms"]
    brighter = printed(*ESTIMATE, "--set", "laser.efficiency=0.4")
    assert isclose(
        brighter["components"]["laser"] * 2, printed(*ESTIMATE)["components"]["laser"], rel_tol=1e-12
    )
    assert set(printed(*ESTIMATE, "--correct", "all")["corrected"]) == set(Dptc.corrections)


@pytest.mark.parametrize("arch", ["mrr-bank-8bit", "mzi-mesh-8bit", "lt-l-8bit"])
def test_does_the_model_follow_the_kind_of_core(arch):
    said = lsim.predict(
        lsim.load_model("published", lsim.load_arch(arch)), lsim.load_trace("bert-base"), lsim.load_arch(arch)
    )
    assert printed("estimate", "bert-base", "--arch", arch) == json.loads(json.dumps(said.to_dict()))


def test_says_the_table_what_it_rests_on():
    words = " ".join(call(*ESTIMATE, "--correct", "leakage").stdout.split())
    for text in (
        "deit-tiny on lt-b-4bit, by the model published",
        "0.0193532 ms = 96,766.13 ticks",
        "level arch_opt, corrected: leakage",
        "layers.*.qkv ×12 gemm 1,632 20.2 %",
        "others stands for the first of 12 attention layers",
        "Known faults of this model",
    ):
        assert text in words
    assert all(
        (f"{name} " in words.split("Known faults")[1]) is (name != "leakage") for name in Dptc.corrections
    )


def test_says_the_roofline_nothing_of_energy():
    told = printed(*ESTIMATE, "--model", "roofline")
    assert (told["energy_mj"], told["components"]) == (None, None)
    assert "this model says nothing of energy" in call(*ESTIMATE, "--model", "roofline").stdout


def test_does_a_table_of_ones_own_go_in(tmp_path):
    path = tmp_path / "mine.csv"
    names = [op.name for op in lsim.load_trace("deit-tiny").operators]
    path.write_text("operator,ticks\n" + "".join(f"{name},7\n" for name in names))
    assert printed(*ESTIMATE, "--model", path)["ticks"] == 7 * len(names)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "rofline"), "lsim: --model: 'rofline' is not a model; did you mean 'roofline'?"),
        (("--level", "cross"), "lsim: --level: 'cross' is no level of the published model of a dptc"),
        (("--correct", "tia"), "lsim: --correct: 'tia' is no fault of the published model of a dptc"),
        (("--set", "laser.eficiency=1"), "lsim: --set: laser.eficiency: unknown parameter 'eficiency' of laser"),
        (("--model", "no.csv"), "lsim: no.csv: cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_is_what_cannot_be_refused_in_one_line(options, message):
    assert refused(*ESTIMATE, *options).startswith(message)


def test_shows_arch_show_area_and_power():
    told = printed("arch", "show", "lt-b-4bit", "--area", "--power")
    assert list(told) == ["name", "level", "area_mm2", "power_mw"]
    assert isclose(told["area_mm2"]["total"], 60.300595086, rel_tol=1e-12)  # as published
    assert isclose(told["power_mw"]["total"], 14752.610938746402, rel_tol=1e-12)
    assert list(printed("arch", "show", "lt-b-4bit", "--area")) == ["name", "level", "area_mm2"]
    larger = printed("arch", "show", "lt-b-4bit", "--area", "--level", "crossbar")
    assert larger["area_mm2"]["dac"] == 2304 * 11000 / 1e6
    words = " ".join(call("arch", "show", "lt-b-4bit", "--area", "--power").stdout.split())
    assert "Area component mm² share" in words
    assert "laser 0.7200 1.2 %" in words
    assert "total 14,752.6109 100.0 %" in words


def test_does_a_setting_reach_arch_show():
    wide = printed("arch", "show", "lt-b-4bit", "--area", "--set", "dac.area=22000 um2")["area_mm2"]["dac"]
    assert wide == 2 * printed("arch", "show", "lt-b-4bit", "--area")["area_mm2"]["dac"]
    rows = printed("arch", "show", "lt-b-4bit", "--set", "dac.area=1 um2")["devices"]
    assert next(row["value"] for row in rows if row["key"] == "dac.area") == "1 um2"


def test_is_a_chip_without_published_figures_refused():
    assert refused("arch", "show", "mzi-mesh-4bit", "--area") == (
        "lsim: core.kind: area and power of a mzi-mesh are not published"
    )
    assert refused("arch", "show", "lt-b-4bit", "--power", "--level", "best").startswith(
        "lsim: --level: 'best' is not a level; allowed: arch_opt, crossbar, broadcast"
    )


def test_are_the_levels_of_the_help_those_of_the_model():
    assert archs.LEVELS == LEVELS == Dptc.levels
