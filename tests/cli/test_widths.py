"""Does every command take widths, and say them where they are not those of operands?"""

import json

import pytest
from commands import RUN, call, refused
from small import attention, machine

from lsim import simulate
from lsim.report.background import provenance
from lsim.report.blocks import Run, Table

TOLD = "W4A8KV16, weights, activations and KV cache as stored and moved; converters resolve 4 bit"
GIVEN = ("--widths", "W4A8KV16")
ENTRY = {"weight_bits": 4, "activation_bits": 8, "kv_bits": 16, "bits": 4}
ON = ("deit-tiny", "--arch", "lt-b-4bit")
COMMANDS = [("run", *ON), ("estimate", *ON), ("validate", *ON, "--model", "bound"), ("arch", "show", "lt-b-4bit"), ("arch", "show", "lt-b-4bit", "--area")]  # fmt: skip


def told(*arguments):
    return " ".join(call(*arguments).stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_are_widths_told_that_differ(command):
    assert TOLD in told(*command, *GIVEN)
    content = json.loads(call(*command, *GIVEN, "--json").stdout)
    assert (content["arch"] if command[0] == "run" else content)["widths"] == ENTRY


@pytest.mark.parametrize("command", COMMANDS)
def test_is_nothing_told_of_widths_that_do_not(command):
    """Not given, or given as what they are."""
    for widths in ((), ("--widths", "W4A4")):
        assert "converters resolve" not in told(*command, *widths)
        assert "widths" not in call(*command, *widths, "--json").stdout


def test_is_a_spelling_its_three_settings():
    keys = ("weight_bits=4 bit", "activation_bits=8 bit", "kv_bits=16 bit")
    one = json.loads(call(*RUN, *GIVEN, "--json").stdout)
    settings = [word for key in keys for word in ("--set", f"operands.{key}")]
    other = json.loads(call(*RUN, *settings, "--json").stdout)
    assert {**one, "cpu_s": 0} == {**other, "cpu_s": 0}
    source = "--set in place of operands.bits: converters still resolve that"
    assumed = {a["key"]: a["source"] for a in one["arch"]["assumptions"]}
    assert assumed["operands.kv_bits"].startswith(source)


def test_says_the_published_model_that_it_knows_one_width():
    note = "this model knows one width: it counts everything at 4 bit, operands.bits, not W4A8KV16"
    notes = [json.loads(call("estimate", *ON, *given, "--json").stdout)["notes"] for given in ((), GIVEN)]
    assert note not in notes[0]
    assert note in notes[1]
    ticks = [json.loads(call("estimate", *ON, *given, "--json").stdout)["ticks"] for given in ((), GIVEN)]
    assert ticks[0] == ticks[1]


def test_are_widths_among_what_differs_of_two_runs(tmp_path):
    call(*RUN, "--out", tmp_path / "a", "--quiet")
    call(*RUN, *GIVEN, "--out", tmp_path / "b", "--quiet")
    inputs = json.loads(call("diff", tmp_path / "a", tmp_path / "b", "--json").stdout)["inputs"]
    assert inputs["widths"]["a"].startswith("W4A4KV4, ")
    assert inputs["widths"]["b"] == TOLD
    for runs in (["b"], ["a", "b"]):
        call("report", *(tmp_path / run for run in runs), "-o", tmp_path / "page.html")
        assert "W4A8KV16" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("given", ["W8A8KV8", "W4A8KV16"])
def test_has_the_provenance_of_a_page_the_widths_whatever_they_are(given):
    run = Run("run", simulate(attention(), machine().with_widths(given)))
    tables = [block for block in provenance(run).blocks if isinstance(block, Table)]
    assert ["widths", given] in tables[0].rows


def test_are_they_those_of_every_step_of_a_generation(tmp_path):
    path = tmp_path / "g.jsonl"
    call("trace", "make", "gpt2", "--phase", "generate", "--prompt", 4, "--new", 2, "-o", path)
    run = ("run", path, "--arch", "lt-b-4bit", *GIVEN)
    assert TOLD in told(*run)
    whole = json.loads(call(*run, "--json").stdout)
    assert whole["arch"]["widths"] == ENTRY
    steps = [json.loads(call(*run, "--only", step, "--json").stdout)["ticks"] for step in (0, 1)]
    assert whole["generation"]["steps"]["ticks"] == steps
    assert "--widths: is a generation" in refused("trace", "show", path, *GIVEN)


def test_shows_trace_show_bytes_of_each_role_at_its_width():
    shown = json.loads(call("trace", "show", "llama-2-7b-decode-2048", *GIVEN, "--json").stdout)
    sizes = shown["bytes"]
    assert sizes["W4A8KV16"] == {
        "weight": sizes["4"]["weight"], "activation": sizes["8"]["activation"],
        "kv": sizes["16"]["kv"], "input": sizes["8"]["input"],
    }  # fmt: skip
    fetched = (
        shown["macs"] / shown["intensity"]["W4A8KV16"]
    )  # of both, all in 4 bit, and KV entries in 12 more
    assert fetched == pytest.approx(shown["macs"] / shown["intensity"]["4"] + 3 * sizes["4"]["kv"])
    assert "W4A8KV16" in call("trace", "show", "llama-2-7b-decode-2048", *GIVEN).stdout


def test_says_a_run_that_there_is_no_cache_whose_width_is_asked_for():
    said = "the trace has no KV cache"
    assert said in told("run", "deit-tiny", "--arch", "lt-b-8bit", "--widths", "W4A8KV4")
    assert said not in told("run", "deit-tiny", "--arch", "lt-b-8bit", "--widths", "W4A8")
    assert said not in told("run", "gpt2-small", "--arch", "lt-b-8bit", "--widths", "W4A8KV4")
