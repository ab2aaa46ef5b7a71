"""Does `lsim run --out` write all or nothing, and the same each time?"""

import json
from pathlib import Path

import pytest
from commands import RUN, call, refused


@pytest.fixture(scope="module")
def printed():
    return json.loads(call(*RUN, "--json").stdout)


def test_do_the_same_inputs_write_the_same_bytes(tmp_path, printed):
    for name in ("a", "b"):
        call(*RUN, "--quiet", "--out", tmp_path / name)
    for file in ("result.json", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    written = json.loads((tmp_path / "a" / "result.json").read_text())
    assert {**written, "cpu_s": printed["cpu_s"]} == printed
    assert "cpu_s" not in written
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_says_the_manifest_what_the_result_is_of(tmp_path, printed):
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert list(manifest) == ["lsim", "trace", "arch", "options", "files"]
    assert manifest["trace"]["sha256"] == printed["trace"]["sha256"]
    assert manifest["arch"] == {key: printed["arch"][key] for key in ("name", "sha256")}
    assert manifest["options"] == printed["options"]
    assert list(manifest["files"]) == ["arch.yaml", "result.json", "timeline.npz", "trace.jsonl"]


def test_replaces_a_run_an_earlier_result_and_an_empty_folder(tmp_path):
    (tmp_path / "a").mkdir()
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    call(*RUN, "--quiet", "--ideal", "hbm", "--out", tmp_path / "a")
    assert json.loads((tmp_path / "a" / "result.json").read_text())["options"]["ideal"] == ["hbm"]
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


@pytest.mark.parametrize("foreign", ["notes.txt", "manifest.json", "result.json"])
def test_is_a_folder_with_other_files_left_alone(tmp_path, foreign):
    (tmp_path / foreign).write_text("{}")
    assert "other files" in refused(*RUN, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [foreign]
    assert (tmp_path / foreign).read_text() == "{}"


def test_is_a_result_with_a_file_of_the_users_left_alone(tmp_path):
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert "other files" in refused(*RUN, "--out", tmp_path / "a")
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_is_a_place_that_cannot_be_a_folder_refused(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    assert "--out" in refused(*RUN, "--out", tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_leaves_a_refused_run_nothing_behind(tmp_path):
    refused(*RUN, "--mapping", "locstep", "--out", tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_is_the_old_result_still_there_when_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    before = (tmp_path / "a" / "result.json").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "No space left on device" in refused(*RUN, "--quiet", "--out", tmp_path / "a")
    assert (tmp_path / "a" / "result.json").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"a"}
