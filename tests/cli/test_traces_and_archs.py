"""Do `lsim trace` and `lsim arch` list, show and make what comes with lsim?"""

import json
from pathlib import Path

import pytest
from commands import call, refused

import lsim
from lsim.arch import PROVENANCE
from lsim.trace import list_traces
from lsim.trace.zoo import MODELS


def test_does_trace_list_name_every_trace():
    listed = json.loads(call("trace", "list", "--json").stdout)
    assert [one["name"] for one in listed] == list_traces()
    assert all(list(one) == ["name", "description", "operators", "macs", "parameters"] for one in listed)
    text = call("trace", "list").stdout
    assert all(name in text for name in list_traces())


def test_shows_trace_show_what_is_in_a_trace():
    shown = json.loads(call("trace", "show", "deit-tiny", "--json").stdout)
    masks = ["masked_macs", "skipped_macs"]
    assert list(shown) == ["name", "macs", *masks, "parameters", "bytes", "intensity", "repeats", "operators"]
    assert shown["bytes"]["8"]["weight"] == shown["parameters"]
    assert [(one["count"], len(one["operators"])) for one in shown["repeats"]] == [(12, 12)]
    fetched = shown["parameters"] - 192 * (
        197 + 1 + 2 * 25
    )  # all weights but positions, class token and gains of norms
    assert shown["intensity"]["8"] == pytest.approx(shown["macs"] / fetched)
    assert {"name", "kind", "macs"} <= shown["operators"][0].keys()
    assert sum(operator["macs"] for operator in shown["operators"]) == shown["macs"]
    text = call("trace", "show", "deit-tiny").stdout
    assert "12 times:" in text
    assert "layers.*.ffn1" in text
    assert f"{shown['parameters']:,} parameters" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", list_traces())
def test_can_every_trace_be_shown(name):
    trace = lsim.load_trace(name)
    assert f"{trace.macs:,} MACs in {len(trace.operators):,} operators" in call("trace", "show", name).stdout


def test_makes_trace_make_the_committed_files(tmp_path):
    made = json.loads(call("trace", "make", "--out", tmp_path, "--json").stdout)
    assert [one["name"] for one in made] == list(MODELS)
    committed = Path(__file__).resolve().parents[2] / "traces"
    for name in MODELS:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (committed / f"{name}.jsonl").read_bytes()


def test_says_trace_make_what_it_changed(tmp_path):
    assert call("trace", "make", "deit-tiny", "--out", tmp_path / "new").stdout.split()[1] == "new"
    assert call("trace", "make", "deit-tiny", "--out", tmp_path / "new").stdout.split()[1] == "same"
    (tmp_path / "new" / "deit-tiny.jsonl").write_text("other")
    assert call("trace", "make", "deit-tiny", "--out", tmp_path / "new").stdout.split()[1] == "changed"


def test_writes_trace_make_nothing_when_a_name_is_wrong(tmp_path):
    refused("trace", "make", "deit-tiny", "deit", "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_does_arch_list_name_every_arch():
    listed = json.loads(call("arch", "list", "--json").stdout)
    assert [one["name"] for one in listed] == lsim.list_archs()
    text = call("arch", "list").stdout
    assert all(name in text for name in lsim.list_archs())


def test_shows_arch_show_every_value_with_its_provenance_and_source():
    arch = lsim.load_arch("lt-b-4bit")
    shown = json.loads(call("arch", "show", "lt-b-4bit", "--json").stdout)
    assert list(shown) == ["name", "description", "sha256", "parameters", "devices_sha256", "devices"]
    assert (shown["sha256"], shown["devices_sha256"]) == (arch.sha256, arch.devices_sha256)
    assert [tuple(row.values()) for row in shown["devices"]] == [
        tuple(row) for row in arch.describe_devices()
    ]
    assert [tuple(row.values()) for row in shown["parameters"]] == [tuple(row) for row in arch.describe()]
    words = " ".join(call("arch", "show", "lt-b-4bit").stdout.split())
    for row in (*arch.describe(), *arch.describe_devices()):
        assert f"{row.key} {row.value} [{row.provenance}]" in words
    assert all(meaning in words for meaning in PROVENANCE.values())


@pytest.mark.parametrize("name", ["deit.png", "deit"])
def test_is_a_picture_refused_whose_name_is_not_that_of_svg(tmp_path, name):
    assert f"--graph {tmp_path / name}: is a picture in SVG: name it deit.svg" in refused(
        "trace", "show", "deit-tiny", "--graph", str(tmp_path / name)
    )
    assert list(tmp_path.iterdir()) == []
