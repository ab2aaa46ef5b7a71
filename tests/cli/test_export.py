"""`lsim export`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lsim import load_arch, load_trace, simulate
from lsim.cli import cli
from lsim.cli.export import FORMATS
from lsim.export import perfetto, rows
from lsim.results.output import write_result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_result(simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit")), folder)
    return folder


def call(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["export", *map(str, arguments)])
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    return done


def test_is_the_window_and_the_part_that_is_asked_for_written(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    assert call(run, "--csv", file, "--window", "20:90", "--part", "core", "--part", "gb0").stderr == ""
    with open(file, encoding="utf-8") as lines:
        told = list(csv.DictReader(lines))
    assert {line["part"] for line in told} == {"core", "gb0"}
    assert {int(line["begin"]) for line in told if line["part"] == "core"} >= {20}
    assert sum(int(line["ticks"]) for line in told) == 2 * 70
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", FORMATS)
def test_is_a_file_of_each_format_replaced_whole(run: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip({"parquet": "pyarrow", "vcd": "vcd", "perfetto": "perfetto"}.get(name, "csv"))
    file = tmp_path / "out"
    file.write_text("old")
    call(run, f"--{name}", file)
    assert file.read_bytes() != b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_is_what_a_trace_merges_said_on_stderr(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("perfetto")
    told = call(run, "--perfetto", tmp_path / "out").stderr
    assert "1 ns shown = 1 tick = 200 ps" in told
    assert "a slice for each interval" in told
    monkeypatch.setattr(perfetto, "MOST_SLICES", 100)
    told = call(run, "--perfetto", tmp_path / "out").stderr
    assert "are merged into" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "takes one of --perfetto, --csv, --parquet, --vcd"),
        (["--csv", "x", "--vcd", "y"], "takes one of"),
        (["--csv", "x", "--part", "cor"], "--part: 'cor' is not a part of this run; did you mean 'core'?"),
        (["--csv", "x", "--window", "9"], "--window: '9' is not of the form A:B"),
        (["--csv", "x", "--window", "9:9"], "[9, 9) holds no tick"),
        (["--csv", "x", "--window", "0:99999999"], "is not in the run's [0, "),
        (["--csv", "."], ".: is a folder"),
        (["--csv", "nothing/x"], "nothing/x: cannot be written: No such file or directory"),
    ],
)
def test_is_it_refused_in_a_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = call(run, *arguments, code=2).stderr
    assert said in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["csv", "vcd", "parquet"])
def test_is_a_window_of_too_many_intervals_refused_before_a_file_is_made(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip({"parquet": "pyarrow", "vcd": "vcd"}.get(name, "csv"))
    monkeypatch.setattr(rows, "MOST_ROWS", 500)
    file = tmp_path / "out"
    file.write_text("old")
    told = call(run, f"--{name}", file, code=2).stderr
    assert "intervals are more than the 500 that a file may have; take fewer parts, or a window" in told
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "module"),
    [("vcd", "vcd"), ("parquet", "pyarrow"), ("perfetto", "perfetto.protos.perfetto.trace")],
)
def test_is_a_library_that_is_missing_named_with_its_extra(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    told = call(run, f"--{name}", tmp_path / "out", code=2).stderr
    assert f"pip install 'lsim[{name}]'" in told
    assert list(tmp_path.iterdir()) == []


def test_is_nothing_left_of_a_file_whose_writing_was_interrupted(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: rows.Window) -> object:
        yield rows.Row("core", 0, 1, 1, "busy", None, None, None, None)
        raise KeyboardInterrupt

    monkeypatch.setattr(rows.Window, "rows", interrupted)
    file = tmp_path / "out"
    file.write_text("old")
    call(run, "--csv", file, code=130)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
