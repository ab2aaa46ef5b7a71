"""Continuous batches: is each step what its requests need, and what does a schedule refuse?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from outline import outline

from lsim.cli import cli
from lsim.errors import TraceError
from lsim.trace import Generation, Trace
from lsim.trace.check import build
from lsim.trace.generation import check
from lsim.trace.parse import parse
from lsim.trace.text import text_of
from lsim.trace.zoo import generate, llama
from lsim.trace.zoo.schedule import scheduled
from lsim.trace.zoo.step import Step

HEADER = {"lsim_schedule": 1, "name": "s"}
MODEL = llama.Llama("Small Llama", 2, 24, 4, 2, 20, 40, "arXiv: none")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generate.MIXED, "small", lambda name, steps: llama.mixed(name, MODEL, steps))  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "s.jsonl"


def made(file: Path, *lines: object) -> Generation:
    file.write_text("\n".join(json.dumps(line) for line in (HEADER, *lines)))
    document = scheduled("small", file)
    assert parse(text_of(document)) == document
    return check(document)


def trace(tokens: int, cached: int, batch: int = 1) -> Trace:
    return build(llama.forward("alone", MODEL, Step(tokens, cached, batch)))


def line(steps: int, **requests: int) -> dict[str, object]:
    return {"steps": steps, "requests": requests}


def test_is_a_schedule_of_one_request_the_generation_of_its_model(file: Path) -> None:
    steps = made(file, line(1, a=7), line(5, a=1))
    alone = check(generate.generate("g", generate.llama_family(MODEL), 7, 6, 1))
    assert len(steps.steps) == len(alone.steps) == 6
    for number in range(6):
        assert steps.trace(number).operators == alone.trace(number).operators
        assert steps.trace(number).tensors == alone.trace(number).tensors


def test_are_requests_of_equal_length_a_batch(file: Path) -> None:
    steps = made(file, line(1, a=7, b=7, c=7), line(3, a=1, b=1, c=1))
    assert outline(steps.trace(0)) == outline(trace(7, 0, 3))
    assert outline(steps.trace(2)) == outline(trace(1, 8, 3))
    assert [step.phase.tokens for step in steps.steps] == [3] * 4


def test_does_a_mixed_step_the_work_of_its_requests_on_the_same_weights(file: Path) -> None:
    steps = made(file, line(1, a=7), line(2, a=1), line(1, a=1, b=5, c=9), line(2, a=1, b=1), line(1, c=1))
    wanted = [
        [(7, 0)],
        [(1, 7)],
        [(1, 8)],
        [(1, 9), (5, 0), (9, 0)],
        [(1, 10), (1, 5)],
        [(1, 11), (1, 6)],
        [(1, 9)],
    ]
    for number, sequences in enumerate(wanted):
        alone = [trace(*sequence) for sequence in sequences]
        step = steps.trace(number)
        assert step.macs == steps.macs(number) == sum(one.macs for one in alone)
        assert step.parameters == alone[0].parameters
        attention = sorted(o.macs for one in alone for o in one.operators if o.label in ("qk", "sv"))
        assert sorted(o.macs for o in step.operators if o.label in ("qk", "sv")) == attention
        linear = [o for o in step.operators if step.is_linear(o)]
        assert {o.columns for o in linear} == {sum(tokens for tokens, _ in sequences)}


def test_can_a_request_bring_its_cache(file: Path) -> None:
    steps = made(file, {**line(3, a=1), "cached": {"a": 30}})
    assert [steps.trace(n).operators for n in range(3)] == [trace(1, 30 + n).operators for n in range(3)]


REFUSED: list[tuple[list[object], str]] = [
    ([line(1, a=7), line(1, a=2)], "s.jsonl:3: .*'a' has 7 tokens in its cache: it reads one a step, not 2"),
    ([line(2, a=7)], "s.jsonl:2: .*'a' arrives here: the step of its prompt is a line of its own"),
    ([line(1, a=7), line(2, a=1, b=1)], "s.jsonl:3: .*'b' arrives here"),
    ([line(1)], "s.jsonl:2: .*'requests' is empty"),
    (
        [{**line(1, a=1), "cached": {"b": 3}}],
        "'cached' is for a request that arrives in this line, and 'b' does not",
    ),
    ([line(1, a=1), {**line(1, a=1), "cached": {"a": 3}}], "s.jsonl:3: .*and 'a' does not"),
    ([{**line(1, a=1), "request": 1}], "no field 'request' here; did you mean 'requests'"),
    ([{"steps": 1, "requests": {"a": 0}}], "'requests' must be a whole number from 1"),
    ([{"steps": 1, "requests": ["a"]}], "'requests' must be an object of whole numbers by name"),
    ([{"step": 1}], "s.jsonl:2: no line begins with 'step'; did you mean 'steps'"),
    ([line(1, a=3), line(10**6, a=1)], "s.jsonl: has 1,000,001 steps; a generation has at most 1,000,000"),
    ([], "s.jsonl: a schedule has a header line"),
]


@pytest.mark.parametrize(("lines", "said"), REFUSED, ids=range(len(REFUSED)))
def test_is_a_wrong_schedule_refused_with_its_line(file: Path, lines: list[object], said: str) -> None:
    with pytest.raises(TraceError, match=said):
        made(file, *lines)


def test_is_a_model_refused_that_cannot_mix(file: Path) -> None:
    with pytest.raises(TraceError, match="no model that mixes requests is named 'gpt2'"):
        scheduled("gpt2", file)


def test_does_the_command_make_a_generation_of_a_schedule(file: Path, tmp_path: Path) -> None:
    file.write_text("\n".join(map(json.dumps, (HEADER, line(1, a=3), line(2, a=1)))))
    out = str(tmp_path / "g.jsonl")
    arguments = ["trace", "make", "llama-2-7b", "--phase", "generate", "--schedule", str(file), "-o", out]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(CliRunner().invoke(cli, ["trace", "show", out, "--json"]).output)
    assert (told["steps"], told["tokens"], told["parameters"]) == (3, 3, 6_738_415_616)
    done = CliRunner().invoke(cli, [*arguments, "--new", "3"])
    assert done.exit_code == 2
    assert "--new: is said by the schedule" in done.output
