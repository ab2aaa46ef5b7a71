"""What `lsim validate`, `lsim diff` and `lsim audit` print, and what they refuse."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import lsim
from lsim.cli import cli

VALIDATE = ("validate", "deit-tiny", "--arch", "lt-b-4bit")


def call(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "110"}).invoke(cli, [str(argument) for argument in arguments])


def printed(*arguments: object) -> dict[str, object]:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    told: dict[str, object] = json.loads(done.stdout)
    return told


def refused(*arguments: object) -> str:
    done = call(*arguments)
    assert done.exit_code == 2
    return done.output


@pytest.mark.parametrize("model", ["published", "roofline", "bound"])
def test_prints_the_ledger_of_each_model_that_comes_with_lsim(model: str) -> None:
    told = printed(*VALIDATE, "--model", model)
    assert list(told)[:4] == ["model", "simulation", "rows", "operators"]
    assert told == lsim.validate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"), model).to_dict()
    assert told["by"]["model"] == model  # type: ignore[index]


def test_reads_the_table_from_the_model_to_the_simulation() -> None:
    lines = call(*VALIDATE).stdout.splitlines()
    at = lines.index("From the model to the simulation")
    shown = [line.split() for line in lines[at:] if line[1:2].strip()]
    start = next(i for i, words in enumerate(shown) if words[0] == "published")
    end = next(i for i, words in enumerate(shown) if words[0] == "simulation" and i > start)
    sums = [Fraction(words[2].replace(",", "")) for words in shown[start + 1 : end]]
    steps = [Fraction(words[1].replace(",", "").replace("−", "-")) for words in shown[start + 1 : end]]
    for before, step, after in zip(sums, steps[1:], sums[1:], strict=False):
        assert before + step == after
    assert sums[-1] == Fraction(shown[end][1].replace(",", ""))


def test_reads_each_line_of_energy_from_the_model_to_the_simulation() -> None:
    lines = call(*VALIDATE).stdout.splitlines()
    at = lines.index("Energy, from the model to the simulation")
    end = next(i for i, line in enumerate(lines) if line.startswith(" all ") and i > at)
    told = {words[0]: words[1:] for words in map(str.split, lines[at : end + 1]) if len(words) > 2}
    energy = printed(*VALIDATE)["energy"]
    for name, sides in energy["components"].items():  # type: ignore[index]
        numbers = [float(word.replace("−", "-").replace(",", "")) for word in told[name]]
        assert numbers[0] == pytest.approx(float(Fraction(sides["model"])) / 1e9, abs=6e-5)
        assert numbers[-1] == pytest.approx(float(Fraction(sides["simulation"])) / 1e9, abs=6e-5)
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=3e-4)


def test_says_of_a_model_without_energy_that_it_has_none() -> None:
    assert "roofline says nothing of energy" in " ".join(
        call(*VALIDATE, "--model", "roofline").stdout.split()
    )
    assert printed(*VALIDATE, "--model", "roofline")["energy"] is None


def test_do_the_options_of_a_run_and_of_the_model_reach_it() -> None:
    told = printed(
        *VALIDATE,
        "--deps",
        "chunked",
        "--ideal",
        "dpu,hbm",
        "--correct",
        "whole-blocks",
        "--set",
        "dpu.lanes=4096",
    )
    assert told["options"]["deps"] == "chunked"  # type: ignore[index]
    assert told["options"]["ideal"] == ["dpu", "hbm"]  # type: ignore[index]
    assert told["by"]["corrected"] == ["whole-blocks"]  # type: ignore[index]
    assert not {"mapping", "dpu_work", "hbm_m1"} & told["rows"].keys()  # type: ignore[attr-defined]


def test_does_a_model_of_ones_own_go_in(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "class Mine:\n    def estimate(self, operator, arch):\n        return operator.macs / 1000\n"
    )
    told = printed(*VALIDATE, "--model", f"{path}:Mine")
    assert Fraction(told["model"]) == sum(
        Fraction(op.macs / 1000) for op in lsim.load_trace("deit-tiny").operators
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return float('nan')", "mine.py:2: layers.0.qkv: nan is not finite"),
        ("return -1", "mine.py:2: layers.0.qkv: -1 is negative"),
        ("return operator.none", "mine.py:3: layers.0.qkv: Mine.estimate failed: AttributeError"),
    ],
)
def test_is_a_model_that_says_nonsense_refused_with_its_line(body: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"class Mine:\n    def estimate(self, operator, arch):\n        {body}\n")
    said = refused(*VALIDATE, "--model", f"{path}:Mine")
    assert message.replace("layers.0.qkv", "embed") in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "rofline"), "lsim: --model: 'rofline' is not a model; did you mean 'roofline'?"),
        (("--plot", "x.gif"), "lsim: --plot: 'x.gif' is no name of a picture; allowed: *.svg, *.png"),
        (("--mapping", "lock"), "lsim: --mapping: 'lock' is not a mapping"),
        (("--ideal", "hbn"), "lsim: --ideal: 'hbn' cannot be idealised; did you mean 'hbm'?"),
    ],
)
def test_is_what_cannot_be_refused_in_one_line(options: tuple[str, ...], message: str) -> None:
    assert refused(*VALIDATE, *options).startswith(message)


def test_compares_diff_two_folders(tmp_path: Path) -> None:
    for name, deps in (("a", "barrier"), ("b", "chunked")):
        assert (
            call(
                "run", "deit-tiny", "--arch", "lt-b-4bit", "--deps", deps, "--out", tmp_path / name
            ).exit_code
            == 0
        )
    told = printed("diff", tmp_path / "a", tmp_path / "b")
    ends = [lsim.load_result(tmp_path / name).ticks for name in "ab"]
    assert told["difference"] == ends[1] - ends[0] == sum(told["rows"].values())  # type: ignore[attr-defined]
    words = " ".join(call("diff", tmp_path / "a", tmp_path / "b").stdout.split())
    assert "option deps barrier chunked" in words
    assert f"B − A −{ends[0] - ends[1]:,} the sum of these" in words
    assert "cannot be read" in refused("diff", tmp_path / "a", tmp_path / "c")


def test_says_the_audit_each_fault_beside_what_was_known() -> None:
    words = " ".join(call("audit").stdout.split())
    assert "4 T deit-tiny lt-b-4bit = +3.39 +3.39 +3.39 blocks are shared over" in words
    assert "deit-tiny lt-b-4bit 19.4 35.9 1.86" in words
