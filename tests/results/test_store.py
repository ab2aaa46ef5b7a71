"""Is a result read back the result that was written?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import Machine, machines, traces

from lsim import Result, load_arch, load_result, load_trace, simulate
from lsim.errors import InputError
from lsim.results.output import write_result
from lsim.results.store import pack, unpack
from lsim.trace import Trace


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(traces(), machines(groups=("1", "2")))
def test_is_a_timeline_the_same_after_its_file(tmp_path: Path, trace: Trace, machine: Machine) -> None:
    try:
        log = simulate(trace, machine.arch, mapping="head-parallel", step="shot").log
    except InputError:
        return
    file = tmp_path / "timeline.npz"
    file.write_bytes(pack(log))
    again = unpack(file)
    assert (again.entries == log.entries).all()
    assert (again.folds, again.parts, again.labels) == (log.folds, log.parts, log.labels)
    assert (again.initial, again.end) == (log.initial, log.end)
    assert pack(again) == pack(log)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    arch = load_arch("lt-b-8bit").with_settings({"broadcast.groups": "4", "hbm.channels": "2"})
    result = simulate(
        load_trace("deit-tiny"), arch, mapping="head-parallel", deps="chunked", ideal=["dispatch"]
    )
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_result(result, folder)
    return result, folder


def test_does_a_result_read_back_tell_the_same(written: tuple[Result, Path]) -> None:
    result, folder = written
    again = load_result(folder)
    told = [{k: v for k, v in r.to_dict().items() if k != "cpu_s"} for r in (result, again)]
    assert told[0] == told[1]
    middle = result.ticks // 2
    assert again.timeline.at(middle) == result.timeline.at(middle)
    assert again.timeline.window(middle, middle + 1000) == result.timeline.window(middle, middle + 1000)


def test_does_the_command_line_say_what_python_says(written: tuple[Result, Path]) -> None:
    import json

    result, folder = written
    command = [sys.executable, "-m", "lsim", "inspect", str(folder), "--json"]
    for option in (["--at", "5000"], ["--window", "100:5000"]):
        done = subprocess.run([*command, *option], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        if option[0] == "--at":
            states = result.timeline.at(5000)
            assert {n: (s["state"], s["operator"]) for n, s in told.items()} == {
                n: (s.state, s.operator) for n, s in states.items()
            }
        else:
            assert all(s["busy"] + s["idle"] + sum(s["waiting"].values()) == 4900 for s in told.values())


@pytest.mark.parametrize("file", ["timeline.npz", "result.json", "trace.jsonl", "arch.yaml"])
def test_is_a_truncated_file_refused(written: tuple[Result, Path], tmp_path: Path, file: str) -> None:
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(written[1], folder)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=file):
        load_result(folder)


@pytest.mark.parametrize(
    ("value", "other"), [("lanes: {value: 1024", "lanes: {value: 512"), ("value: 14.8 mW", "value: 14.9 mW")]
)
def test_are_files_of_two_runs_refused(
    written: tuple[Result, Path], tmp_path: Path, value: str, other: str
) -> None:
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(written[1], folder)
    arch = folder / "arch.yaml"
    assert value in arch.read_text()
    arch.write_text(arch.read_text().replace(value, other))
    with pytest.raises(InputError, match=r"arch\.yaml: is not the file that this result was written with"):
        load_result(folder)


@pytest.mark.parametrize("content", ["[]", "{}", "1", "", '{"files": []}', '{"files": {"result.json": ""}}'])
@pytest.mark.parametrize("file", ["manifest.json", "result.json"])
def test_is_foreign_json_refused(
    written: tuple[Result, Path], tmp_path: Path, file: str, content: str
) -> None:
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(written[1], folder)
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=file.replace(".", r"\.")):
        load_result(folder)


def test_is_a_folder_that_is_not_there_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.json: cannot be read: No such file"):
        load_result(tmp_path / "nothing")


def test_is_a_result_opened_without_planning_the_run_again(
    written: tuple[Result, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import lsim.plan.schedule

    made = []
    monkeypatch.setattr(lsim.plan.schedule, "plan", lambda *_: made.append(1))
    again = load_result(written[1])
    assert again.ticks == written[0].ticks
    assert again.parts() == written[0].parts()
    assert again.timeline.longest_waits(3) == written[0].timeline.longest_waits(3)
    assert not made
    assert again.plan is None and made
