"""Finding, reading and writing trace files."""

import json
import os
import time
from pathlib import Path

import pytest

from lsim.errors import TraceError
from lsim.trace import Role, dumps, list_traces, load_trace, loads, save

X = '{"tensor": "x", "role": "input", "shape": [6]}'
COPY = (
    '{"op": "c", "kind": "activation", "rows": 2, "columns": 3, "operands": ["x"], "outputs": {"c.out": [6]}}'
)
TEXT = "\n".join(['{"lsim_trace": 1, "name": "t"}', X, COPY])


@pytest.mark.parametrize("name", list_traces())
def test_is_what_was_written_read_back(name):
    trace = load_trace(name)
    again = loads(dumps(trace))
    assert again == trace
    assert again.sha256 == trace.sha256
    assert dumps(again) == dumps(trace)


def test_is_a_file_found_by_path(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(TEXT, encoding="utf-8")
    assert load_trace(path) == load_trace(str(path)) == loads(TEXT)


def test_is_a_file_of_any_name_found_if_it_is_there(tmp_path, monkeypatch):
    (tmp_path / "mine.json").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_trace("mine.json") == loads(TEXT)


def test_is_a_trace_found_by_name():
    assert load_trace("deit-tiny").name == "deit-tiny"


def test_has_every_trace_the_name_of_its_file():
    assert [load_trace(name).name for name in list_traces()] == list_traces()


def test_is_an_unknown_name_refused_with_a_suggestion():
    with pytest.raises(TraceError) as caught:
        load_trace("deit-tinny")
    assert str(caught.value) == (
        f"no trace is named 'deit-tinny'; did you mean 'deit-tiny'?; allowed: {', '.join(list_traces())}"
    )


def test_does_an_error_begin_with_file_and_line(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(TEXT.replace('["x"]', '["y"]'), encoding="utf-8")
    with pytest.raises(TraceError) as caught:
        load_trace(path)
    assert str(caught.value) == f"{path}:3: c: no tensor is named 'y'"


def test_is_a_missing_file_refused(tmp_path):
    with pytest.raises(TraceError) as caught:
        load_trace(tmp_path / "none.jsonl")
    assert str(caught.value) == f"{tmp_path / 'none.jsonl'}: cannot be read: No such file or directory"


def test_is_a_file_of_other_bytes_refused(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(TraceError) as caught:
        load_trace(path)
    assert str(caught.value) == f"{path}: is not UTF-8 text: byte 1"


def test_is_a_saved_file_readable_and_alone_in_its_folder(tmp_path):
    save(loads(TEXT), tmp_path / "mine.jsonl")
    assert load_trace(tmp_path / "mine.jsonl") == loads(TEXT)
    assert os.listdir(tmp_path) == ["mine.jsonl"]


def test_does_a_failed_save_leave_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "mine.jsonl"
    save(loads(TEXT), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(load_trace("deit-tiny"), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["mine.jsonl"]


def test_does_the_canonical_text_leave_out_defaults():
    assert [json.loads(line) for line in dumps(loads(TEXT)).splitlines()] == [
        {"lsim_trace": 1, "name": "t", "description": ""},
        json.loads(X),
        json.loads(COPY),
    ]


def test_does_the_canonical_text_keep_every_field():
    q = '{"tensor": "q", "role": "input", "shape": [2, 3, 5]}'
    k = '{"tensor": "k", "role": "kv", "shape": [2, 5, 3]}'
    sizes = '"heads": 2, "rows": 3, "depth": 5, "columns": 3, "causal": true, "window": 2'
    rest = '"operands": ["q", "k"], "outputs": {"a": [9], "b": [9]}, "kv": ["b"]'
    about = '{"lsim_trace": 1, "name": "t", "description": "é"}\n{"source": "s"}\n{"convention": "c"}'
    text = f'{about}\n{q}\n{k}\n{{"op": "qk", "kind": "gemm", "label": "l", {sizes}, {rest}}}\n'
    trace = loads(text)
    assert trace.tensors["b"].role is Role.KV
    assert dumps(trace) == text


def test_does_a_tensor_come_just_before_its_first_use():
    lines = dumps(load_trace("deit-tiny")).splitlines()
    kinds = [next(iter(json.loads(line))) for line in lines if not line.startswith('{"op"')]
    assert set(kinds[6:]) == {"tensor"}
    assert next(iter(json.loads(lines[-1]))) == "op"


def test_does_the_largest_trace_load_at_once():
    best = min(_seconds_to_load("llama-3-70b-prefill-8192") for _ in range(5))
    assert best < 0.06


def _seconds_to_load(name: str) -> float:
    start = time.process_time()
    load_trace(name)
    return time.process_time() - start


def test_are_the_trace_files_small():
    root = Path(__file__).parents[2] / "traces"
    assert all(path.stat().st_size < 8192 for path in root.iterdir())
