"""What does `lsim inspect` print, and what does it refuse?"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lsim import load_result
from lsim.cli import cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    call("run", "deit-tiny", "--arch", "lt-b-4bit", "--quiet", "--out", out)
    return out


def call(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done


def told(folder: Path, *options: object) -> Any:
    return json.loads(call("inspect", folder, *options, "--json").stdout)


def test_what_did_every_part_do_at_a_tick(folder: Path) -> None:
    timeline, said = load_result(folder).timeline, told(folder, "--at", 20_000)
    assert said.keys() == set(timeline.parts)
    for name, state in timeline.at(20_000).items():
        assert said[name].keys() == {"state", "operator", "block", "cause", "waits_for"}
        assert (said[name]["state"], said[name]["cause"]) == (state.state, state.cause)
        assert (said[name]["block"] is None) == (state.block is None)
    block = said["core"]["block"]
    assert list(block) == ["index", "items", "head", "outer_panel", "row_pass", "inner_panel", "chunk", "column_block"]  # fmt: skip


def test_do_the_ticks_of_a_window_sum_to_it(folder: Path) -> None:
    said = told(folder, "--window", "1000:5000")
    assert all(p["busy"] + p["idle"] + sum(p["waiting"].values()) == 4000 for p in said.values())
    assert all(p.keys() == {"busy", "idle", "waiting"} for p in said.values())


def test_do_the_bins_of_a_window_sum_to_it(folder: Path) -> None:
    said, whole = told(folder, "--window", "1000:5000", "--bins", 7), told(folder, "--window", "1000:5000")
    assert said["begin"][0] == 1000 and said["end"][-1] == 5000 and len(said["begin"]) == 7
    for name, columns in said["parts"].items():
        waiting = {cause: sum(ticks) for cause, ticks in columns["waiting"].items()}
        found = {"busy": sum(columns["busy"]), "idle": sum(columns["idle"]), "waiting": waiting}
        assert found == whole[name]


def test_which_parts_are_shown(folder: Path) -> None:
    assert told(folder, "--part", "core", "--part", "m1").keys() == {"core", "m1"}
    waits = told(folder, "--waits", 6, "--part", "m2", "--part", "m1")
    assert len(waits) == 6 and {wait["part"] for wait in waits} <= {"m1", "m2"}
    assert [wait["ticks"] for wait in waits] == sorted((wait["ticks"] for wait in waits), reverse=True)


def test_who_is_to_blame(folder: Path) -> None:
    chain = told(folder, "--at", 20_000, "--blame", "dma.out.ack")
    assert chain[0]["part"] == "dma.out.ack" and chain[-1]["waits_for"] is None
    assert [link["waits_for"] for link in chain[:-1]] == [link["part"] for link in chain[1:]]


@pytest.mark.parametrize(
    "options",
    [
        ["--at", "20000"],
        ["--at", "20000", "--blame", "dma.out.ack"],
        ["--window", "1000:90000"],
        ["--bins", "12"],
        ["--bins", "12", "--part", "core"],
        ["--waits", "12"],
        ["--window", "1000:90000", "--chart"],
    ],
)
def test_is_it_legible_at_100_columns(folder: Path, options: list[str]) -> None:
    text = call("inspect", folder, *options).stdout
    assert len(text.splitlines()) > 1
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--at", "5", "--window", "1:2"], "takes one of"),
        (["--at", "5", "--waits", "2"], "takes one of"),
        (["--blame", "core"], "--blame with --at"),
        (["--bins", "2", "--chart"], "either --bins or --chart"),
        (["--chart", "--json"], "a chart is text"),
        (["--window", "5"], "not of the form A:B"),
        (["--window", "5:4"], "[5, 4) holds no tick"),
        (["--bins", "99999999999999"], "an answer has at most"),
        (["--at", "5", "--blame", "cor"], "--blame: 'cor' is not a part of this run; did you mean 'core'?"),
        (["--at", "-1"], "tick -1 is not in the run's"),
        (["--part", "cora"], "did you mean 'core'"),
        (["--at", "5", "--blame", "cora"], "did you mean 'core'"),
        (["--bins", "0"], "--bins"),
    ],
)
def test_is_what_makes_no_sense_refused_in_one_line(folder: Path, options: list[str], said: str) -> None:
    done = call("inspect", folder, *options, code=2)
    assert done.stdout == "" and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_do_bins_of_a_part_tell_all_of_its_ticks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    lines = call("inspect", folder, "--bins", "5", "--part", "core").stdout.splitlines()
    assert " ".join(lines[0].split()) == "core, from tick ticks busy waiting idle waits mostly for"
    assert len(lines) == 2 + 5
    for line in lines[2:]:
        busy, waiting, idle, *causes = (Fraction(share) for share in re.findall(r"([\d.]+) %", line))
        assert abs(busy + waiting + idle - 100) <= Fraction("0.1")  # each is rounded to 0.1
        assert sum(causes) <= waiting + Fraction("0.2")


def test_is_it_said_which_parts_bins_leave_out(folder: Path) -> None:
    parts = json.loads(call("inspect", folder, "--bins", "2", "--json").stdout)["parts"]
    text = call("inspect", folder, "--bins", "2").stdout
    assert f"{len(parts) - 6} less busy parts are left out" in text
    assert "left out" not in call("inspect", folder, "--bins", "2", "--part", "core", "--part", "m1").stdout


@pytest.mark.parametrize("columns", ["30", "60", "80"])
@pytest.mark.parametrize(
    "options", [["--window", ":"], ["--bins", "3"], ["--bins", "3", "--part", "core"], ["--waits", "9"]]
)
def test_is_no_number_cut_in_a_narrow_terminal(
    folder: Path, options: list[str], columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def numbers() -> list[str]:
        return re.findall(r"(?<![\w.])\d[\d,.]*", call("inspect", folder, *options).stdout)

    monkeypatch.setenv("COLUMNS", "300")
    wide = numbers()
    monkeypatch.setenv("COLUMNS", columns)
    assert numbers() == wide


def test_is_a_chart_whole_in_a_terminal_without_colours(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    lines = call("inspect", folder, "--chart", "--part", "core").stdout.splitlines()
    assert len(lines[0]) == len(lines[1]) == 120
