"""Is it said what causal attention computes for nothing, and left out where that is asked for?"""

import json
from fractions import Fraction

import pytest
from commands import call, refused

from lsim import load_trace, skip_masked

GPT2 = ("run", "gpt2-small", "--arch", "lt-l-4bit")
DENSE_PAIRS, NEEDED_PAIRS = 1024**2, 1024 * 1025 // 2
HEADS = 12 * 12 * 64 * 2  # layers, heads, size, two products


@pytest.fixture(scope="module")
def banded(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "banded.jsonl"
    said = call("trace", "skip-masked", "gpt2-small", "--queries", 256, "-o", path).stdout
    return path, said


def test_says_a_dense_run_what_is_masked_and_how_to_skip_it():
    share = 100 * HEADS * (DENSE_PAIRS - NEEDED_PAIRS) / load_trace("gpt2-small").macs
    text = " ".join(call(*GPT2).stdout.split())
    assert (
        f"masks causal attention dense: {share:.1f} % of the MACs are masked (--skip-masked computes fewer)"
        in text
    )
    assert "masks" not in call("run", "deit-tiny", "--arch", "lt-l-4bit").stdout


def test_is_the_option_of_a_run_the_file_that_is_written(banded):
    path, said = banded
    computed = 256 * 256 * (1 + 2 + 3 + 4)
    for arguments in ((*GPT2, "--skip-masked", 256), ("run", path, *GPT2[2:])):
        told = json.loads(call(*arguments, "--json").stdout)
        assert told["trace"]["sha256"] == skip_masked(load_trace("gpt2-small"), 256).sha256
        assert told["trace"]["masked_macs"] == HEADS * (computed - NEEDED_PAIRS)
        assert told["trace"]["skipped_macs"] == HEADS * (DENSE_PAIRS - computed)
        assert told["macs"] + told["trace"]["skipped_macs"] == load_trace("gpt2-small").macs
    text = " ".join(call(*GPT2, "--skip-masked", 256).stdout.split())
    assert "gpt2-small-bands-256 on" in text
    assert (
        "causal attention in bands of 256 queries: 1.7 % of the MACs are masked; 5.0 % of those of the dense"
        in text
    )
    assert said.startswith(f"{path}  gpt2-small-bands-256: causal attention in bands of 256 queries: 1.7 %")


def test_shows_trace_show_what_is_computed_masked_and_dense(banded):
    path, _ = banded
    text = call("trace", "show", path).stdout
    shown = json.loads(call("trace", "show", path, "--json").stdout)
    said = f"{shown['masked_macs']:,} computed though masked, {load_trace('gpt2-small').macs:,} of the dense products"
    assert said in " ".join(text.split())
    assert "layers.*.attn.sv:3" in text
    assert "softmax, causal 768 to 1,023" in text
    assert [o["band"] for o in shown["operators"] if o["name"] == "layers.0.attn.qk:1"] == [[256, 512, 1024]]


def test_says_an_estimate_less_of_the_file(banded):
    """Shots of the products of attention, and with them nearly all ticks of the model, shrink by what is skipped."""
    path, _ = banded
    ticks = [
        Fraction(json.loads(call("estimate", trace, *GPT2[2:], "--json").stdout)["ticks"])
        for trace in ("gpt2-small", path)
    ]
    macs = [load_trace("gpt2-small").macs, skip_masked(load_trace("gpt2-small"), 256).macs]
    assert ticks[1] / ticks[0] == pytest.approx(macs[1] / macs[0], rel=0.02)
    assert "gpt2-small-bands-256" in call("validate", path, *GPT2[2:]).stdout


def test_runs_a_large_prefill_in_bands():
    """Llama 2 7B in four bands: 6 of 16 blocks are left out; every law of the run is checked."""
    told = json.loads(
        call("run", "llama-2-7b-prefill-2048", "--arch", "lt-l-4bit", "--skip-masked", 512, "--json").stdout
    )
    assert told["trace"]["skipped_macs"] == 32 * 32 * 128 * 2 * 2048**2 * 6 // 16
    assert sum(operator["macs"] for operator in told["operators"]) == told["macs"]


def test_is_the_prefill_of_a_generation_in_bands(tmp_path):
    path, cut = tmp_path / "g.jsonl", tmp_path / "cut.jsonl"
    call("trace", "make", "gpt2", "--phase", "generate", "--prompt", 64, "--new", 3, "-o", path)
    call("trace", "skip-masked", path, "--queries", 16, "-o", cut)
    dense, option, file = (
        json.loads(call("run", *arguments, "--arch", "lt-b-4bit", "--json").stdout)
        for arguments in ((path,), (path, "--skip-masked", 16), (cut,))
    )
    assert option["ticks"] == file["ticks"]
    assert option["trace"] == file["trace"]
    assert (
        option["trace"]["skipped_macs"]
        == dense["macs"] - option["macs"]
        == HEADS * (64**2 - 16 * 16 * (1 + 2 + 3 + 4))
    )
    assert option["generation"]["steps"]["ticks"][1:] == dense["generation"]["steps"]["ticks"][1:]
    text = " ".join(call("trace", "show", cut).stdout.split())
    assert "causal attention in bands of 16 queries: 0.1 % of the MACs are masked" in text


def test_is_what_cannot_be_skipped_refused_and_nothing_written(tmp_path):
    out = tmp_path / "out.jsonl"
    for arguments in (
        ("trace", "skip-masked", "deit-tiny", "--queries", 16, "-o", out),
        ("run", "deit-tiny", *GPT2[2:], "--skip-masked", 16),
    ):
        assert refused(*arguments) == (
            "lsim: deit-tiny: has no causal attention: nothing in it is known to be masked, so all of it is computed"
        )
    for queries in (0, -1, "x"):
        assert "--skip-masked" in refused(*GPT2, "--skip-masked", queries)
        assert "--queries" in refused("trace", "skip-masked", "gpt2-small", "--queries", queries, "-o", out)
    assert "--queries" in refused("trace", "skip-masked", "gpt2-small", "-o", out)
    assert list(tmp_path.iterdir()) == []
