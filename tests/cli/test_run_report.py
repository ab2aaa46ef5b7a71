"""Does `lsim run` print all of a run, as JSON and as text?"""

import json
import sys

import pytest
from commands import RUN, call

import lsim
from lsim.arch import IDEALS
from lsim.cli import cli
from lsim.cli import run as run_module
from lsim.kernel.labels import Cause
from lsim.plan.mappings import MAPPINGS
from lsim.results import meanings

TOP = [
    "lsim",
    "trace",
    "arch",
    "options",
    "ticks",
    "seconds",
    "macs",
    "events",
    "folds",
    "cpu_s",
    "utilization",
    "tiles",
    "parts",
    "operators",
    "bytes",
    "energy",
]


@pytest.fixture(scope="module")
def printed():
    return json.loads(call(*RUN, "--json").stdout)


def test_has_the_json_these_keys_and_no_others(printed):
    assert list(printed) == TOP
    assert list(printed["trace"]) == [
        "name",
        "sha256",
        "operators",
        "macs",
        "masked_macs",
        "skipped_macs",
        "unknown",
    ]
    assert list(printed["arch"]) == ["name", "sha256", "assumptions"]
    assert all(list(a) == ["key", "value", "source"] for a in printed["arch"]["assumptions"])
    assert list(printed["options"]) == ["mapping", "deps", "ideal", "fold", "step"]
    assert list(printed["utilization"]) == ["core_busy", "occupied", "useful_macs"]
    assert all(list(part) == ["busy", "idle", "waiting"] for part in printed["parts"].values())
    assert all(list(run) == ["name", "kind", "macs", "start", "end"] for run in printed["operators"])
    assert all(list(ways) == ["in", "out"] for ways in printed["bytes"].values())
    energy, share = printed["energy"], ["dynamic", "useful", "dark"]
    groups = ["components", "parts", "tiles", "shared", "operators", "devices"]
    assert list(energy) == ["unit", "total", *share, *groups]
    assert list(energy["devices"]) == ["sha256", "assumptions"]
    assert all(list(one) == share for group in ("components", "tiles") for one in energy[group].values())
    assert all(list(one) == ["names", "dynamic", "static"] for one in energy["operators"])


def test_do_tiles_and_parts_sum_to_the_ticks(printed):
    assert len(printed["tiles"]) == 4
    for tile in printed["tiles"].values():
        assert sum(tile.values()) == printed["ticks"]
    for part in printed["parts"].values():
        assert part["busy"] + part["idle"] + sum(part["waiting"].values()) == printed["ticks"]
    causes = {cause.value for cause in Cause}
    for counted in (*printed["tiles"].values(), *(part["waiting"] for part in printed["parts"].values())):
        assert counted.keys() <= causes


def test_are_the_numbers_those_of_python(printed):
    result = lsim.simulate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"))
    mine = json.loads(json.dumps(result.to_dict()))
    assert {**mine, "cpu_s": 0} == {**printed, "cpu_s": 0}


def test_do_options_reach_the_run():
    options = (
        "--mapping",
        "head-parallel",
        "--deps",
        "chunked",
        "--ideal",
        "hbm, gb",
        "--set",
        "hbm.channels=4",
    )
    printed = json.loads(call(*RUN, *options, "--json").stdout)
    assert printed["options"] == {
        "mapping": "head-parallel",
        "deps": "chunked",
        "ideal": ["gb", "hbm"],
        "fold": True,
        "step": "block",
    }
    (channels,) = (a for a in printed["arch"]["assumptions"] if a["key"] == "hbm.channels")
    assert channels["value"] == "4"
    assert channels["source"].startswith("--set")


def test_does_no_fold_give_the_same_result(printed):
    unfolded = json.loads(call(*RUN, "--no-fold", "--json").stdout)
    assert unfolded["folds"] == 0
    assert unfolded["options"]["fold"] is False
    for key in ("ticks", "tiles", "parts", "operators", "bytes", "utilization"):
        assert unfolded[key] == printed[key]


def test_says_a_report_what_was_run_and_in_which_clock(printed):
    text = call(*RUN).stdout
    assert "deit-tiny on lt-b-4bit" in text
    assert f"{printed['ticks']:,} ticks" in text
    assert "1 tick = 200 ps" in text
    assert "5 GHz" in text
    assert f"{printed['macs']:,} MACs" in text


def test_names_a_report_every_cause_and_utilization(printed):
    text = call(*RUN).stdout
    assert all(cause.value in text for cause in Cause)
    assert all(name in text for name in printed["utilization"])
    assert "layers.*.ffn1 ×12" in text


def test_names_a_report_every_assumption(printed):
    text = " ".join(call(*RUN, "--set", "hbm.channels=4").stdout.split())
    energies = printed["energy"]["devices"]["assumptions"]
    assert energies
    for assumption in printed["arch"]["assumptions"] + energies:
        _, key = assumption["key"].split(".")
        if assumption["key"] != "hbm.channels":
            assert f"{key} = {assumption['value']}" in text
    assert "channels* = 4" in text


def test_is_a_report_in_a_pipe_100_columns_wide():
    lines = call(*RUN).stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)


def test_prints_a_quiet_run_nothing():
    done = call(*RUN, "--quiet")
    assert done.output == ""


def test_has_every_cause_and_utilization_a_meaning(printed):
    assert set(meanings.CAUSES) == set(Cause)
    assert set(meanings.UTILIZATION) == set(printed["utilization"])


def test_does_the_help_name_every_mapping_and_ideal():
    assert list(sys.modules["lsim.cli.options"].MAPPINGS) == list(MAPPINGS)
    assert list(sys.modules["lsim.cli.options"].IDEALS) == list(IDEALS)
    assert run_module is cli.commands["run"]
