"""Do the report, the JSON and `lsim inspect --energy` tell the energy of the run?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lsim import load_arch, load_result, load_trace, simulate
from lsim.cli import cli
from lsim.cli.text import print_tables
from lsim.results.energy.meanings import NOT_COUNTED
from lsim.results.energy.tables import energy_in_full


def call(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("energy") / "run"
    call("run", "deit-tiny", "--arch", "lt-b-4bit", "--out", path, "--quiet")
    return path


def test_is_the_energy_of_a_folder_that_of_the_run(folder: Path) -> None:
    result = simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))
    told = result.energy().to_dict()
    assert json.loads(call("inspect", folder, "--energy", "--json").stdout) == told
    assert json.loads((folder / "result.json").read_text())["energy"] == told
    again = load_result(folder).energy()
    assert again.components == result.energy().components and again.operators == result.energy().operators


def test_do_the_numbers_of_the_json_add_up(folder: Path) -> None:
    told = json.loads(call("inspect", folder, "--energy", "--json").stdout)

    def of(share: dict) -> float:
        return share["dynamic"] + share["useful"] + sum(share["dark"].values())

    sums = [
        of(told),
        sum(map(of, told["components"].values())),
        sum(map(of, told["tiles"].values())) + told["shared"],
        sum(told["parts"].values()) + told["useful"] + sum(told["dark"].values()),
        sum(one["dynamic"] + one["static"] for one in told["operators"]),
    ]
    assert sums == pytest.approx([told["total"]] * len(sums), rel=1e-12)


def test_does_the_report_tell_the_energy(folder: Path) -> None:
    report = call("run", "deit-tiny", "--arch", "lt-b-4bit").stdout
    told = json.loads((folder / "result.json").read_text())["energy"]["total"]
    assert f"Energy: {told / 1e9:.4f} mJ, {told / 1253683200:.4g} pJ a MAC" in report
    assert "dark, by cause" in report and " laser " in report


def test_does_the_full_table_have_every_row(folder: Path) -> None:
    table = call("inspect", folder, "--energy").stdout
    told = json.loads((folder / "result.json").read_text())["energy"]
    for name in (*told["components"], *told["dark"], *told["tiles"], "shared", *NOT_COUNTED):
        assert f" {name} " in table, name
    assert "layers.*.ffn1 ×12" in table


def test_is_a_run_without_energy_told(capsys: pytest.CaptureFixture[str]) -> None:
    from lsim.trace import Trace

    print_tables(energy_in_full(simulate(Trace("empty", {}, ()), load_arch("lt-b-4bit"))))
    assert "Energy: 0.000 mJ" in capsys.readouterr().out


@pytest.mark.parametrize("options", [("--at", "5"), ("--window", "3:5"), ("--part", "core")])
def test_is_energy_of_a_tick_or_a_part_refused(folder: Path, options: tuple[str, str]) -> None:
    done = call("inspect", folder, "--energy", *options, code=2)
    assert done.stdout == "" and "--energy" in done.stderr
