"""Continuous batches: is each step what its requests need, and what does a schedule refuse?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from outline import outline

import lsim.trace
from lsim.cli import cli
from lsim.errors import TraceError
from lsim.trace import Generation, Trace
from lsim.trace.check import build
from lsim.trace.generation import check
from lsim.trace.parse import parse
from lsim.trace.text import text_of
from lsim.trace.zoo import generate, llama
from lsim.trace.zoo.encoder import Sizes
from lsim.trace.zoo.schedule import scheduled
from lsim.trace.zoo.step import Step

HEADER = {"lsim_schedule": 1, "name": "s"}
MODEL = llama.Llama("Small Llama", 2, 24, 4, 2, 20, 40, "arXiv: none")
MODELS = {
    "small": generate.llama_family(MODEL),
    "small-gpt2": generate.gpt2_family("Small GPT-2", Sizes(layers=2, width=24, heads=2, tokens=1)),
}
KV_WIDTH = {"small": 12, "small-gpt2": 24}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, family in MODELS.items():
        monkeypatch.setitem(generate.FAMILIES, name, lambda family=family: family)  # type: ignore[arg-type,misc]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "s.jsonl"


def made(file: Path, *lines: object, family: str = "small") -> Generation:
    file.write_text("\n".join(json.dumps(line) for line in (HEADER, *lines)))
    document = scheduled(family, file)
    assert parse(text_of(document)) == document
    return check(document)


def trace(tokens: int, cached: int, batch: int = 1, family: str = "small") -> Trace:
    return build(MODELS[family].forward("alone", [Step(tokens, cached, batch)]))


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


@pytest.mark.parametrize("family", MODELS)
def test_does_a_mixed_step_the_work_of_its_requests_on_the_same_weights(file: Path, family: str) -> None:
    lines = line(1, a=7), line(2, a=1), line(1, a=1, b=5, c=9), line(2, a=1, b=1), line(1, c=1)
    steps = made(file, *lines, family=family)
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
        alone = [trace(*sequence, family=family) for sequence in sequences]
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


def chunks(steps: int, prompt: int, **requests: int) -> dict[str, object]:
    """A line in which the first of the requests arrives, with a prompt that is longer than what it reads in a step."""
    return {**line(steps, **requests), "prompts": {next(iter(requests)): prompt}}


@pytest.mark.parametrize("family", MODELS)
def test_is_a_prompt_in_chunks_the_work_of_the_prompt(file: Path, family: str) -> None:
    steps = made(file, chunks(3, 14, a=4), line(1, a=2), line(2, a=1), family=family)
    assert [step.phase.requests for step in steps.steps] == [{"a": 0}] * 3 + [{"a": 1}] * 3
    assert [step.phase.tokens for step in steps.steps] == [0, 0, 0, 1, 1, 1]
    whole = trace(14, 0, family=family)
    linear = [sum(o.macs for o in one.operators if one.is_linear(o)) for one in map(steps.trace, range(4))]
    assert sum(linear) == sum(o.macs for o in whole.operators if whole.is_linear(o))
    for number, (read, cached) in enumerate([(4, 0), (4, 4), (4, 8), (2, 12), (1, 14), (1, 15)]):
        one = steps.trace(number)
        dense = 2 * read * (cached + read) * 24 * 2  # Q·K and S·V of each of two layers of 24 features
        assert sum(o.macs for o in one.operators if o.label in ("qk", "sv")) == dense
        assert {o.causal for o in one.operators if o.label == "qk"} == {cached == 0}
        before = [t.elements for t in one.tensors.values() if t.name.endswith(".cache")]
        assert sum(before) == 2 * 2 * cached * KV_WIDTH[family]
        assert one.parameters == whole.parameters


def test_are_chunks_of_one_prompt_mixed_with_tokens_of_others(file: Path) -> None:
    steps = made(file, line(1, a=7), {**line(3, a=1, b=5), "prompts": {"b": 15}}, line(1, a=1, b=1))
    assert [step.phase.requests for step in steps.steps] == [
        {"a": 1},
        *[{"a": 1, "b": 0}] * 2,
        *[{"a": 1, "b": 1}] * 2,
    ]
    wanted = [[(7, 0)], [(1, 7), (5, 0)], [(1, 8), (5, 5)], [(1, 9), (5, 10)], [(1, 10), (1, 15)]]
    for number, sequences in enumerate(wanted):
        assert steps.macs(number) == sum(trace(*sequence).macs for sequence in sequences)


def test_is_a_prompt_of_one_token_a_first_step(file: Path) -> None:
    steps = made(file, line(3, a=1))
    assert [steps.trace(n).operators for n in range(3)] == [trace(1, n).operators for n in range(3)]


# Names that are none, and how an error shows them.
NAMES = [("", "''"), ("b c", "b c"), ("b\n", r"'b\\n'"), ("é", "é"), (" ", " "), ("b,c", "b,c")]

REFUSED: list[tuple[list[object], str]] = [
    ([line(1, a=7), line(1, a=2)], "s.jsonl:3: .*'a' has 7 tokens in its cache: it reads one a step, not 2"),
    (
        [line(2, a=7)],
        "s.jsonl:2: .*'a' reads 14 of the 7 that are left of its prompt; the step that ends it is the last",
    ),
    ([chunks(2, 9, a=4), line(1, a=2)], "s.jsonl:3: .*'a' reads 2 of the 1 that are left of its prompt$"),
    (
        [chunks(2, 8, a=4), line(1, a=2)],
        "s.jsonl:3: .*'a' has 8 tokens in its cache: it reads one a step, not 2",
    ),
    (
        [line(1, a=7), chunks(1, 9, a=1)],
        "s.jsonl:3: .*'prompts' is for a request that arrives in this line, and 'a' does not",
    ),
    ([{**line(1, a=7), "prompts": {"b": 7}}], "s.jsonl:2: .*'prompts' is for a request .*, and 'b' does not"),
    ([{**line(1, a=7), "cached": {"a": 0}}], "s.jsonl:2: .*'cached' must be a whole number from 1"),
    ([{**line(1, a=7), "prompts": {"a": 0}}], "s.jsonl:2: .*'prompts' must be a whole number from 1"),
    ([line(1)], "s.jsonl:2: .*'requests' is empty"),
    *[
        (
            [line(1, a=7), {"steps": 1, "requests": {"a": 1, name: 4}}],
            rf"s.jsonl:3: {shown}: the name of a request is made of letters, digits and _ \. : / \+ -$",
        )
        for name, shown in NAMES
    ],
    ([{"steps": 10**9, "requests": {"a": 1}}], "s.jsonl:2: .*has 1,000,000,000 steps to here"),
    (
        [{"steps": 1, "requests": {"a": -4}}],
        "s.jsonl:2: .*'requests' must be a whole number from 1 .*, not -4",
    ),
    (
        [{"steps": 1, "requests": {"a": 4}, "prompt": {"a": 9}}],
        "s.jsonl:2: .*no field 'prompt' here; did you mean 'prompts'",
    ),
    (
        [{**line(1, a=1), "cached": {"b": 3}}],
        "'cached' is for a request that arrives in this line, and 'b' does not",
    ),
    ([line(1, a=1), {**line(1, a=1), "cached": {"a": 3}}], "s.jsonl:3: .*and 'a' does not"),
    ([{**line(1, a=1), "request": 1}], "no field 'request' here; did you mean 'requests'"),
    ([{"steps": 1, "requests": {"a": 0}}], "'requests' must be a whole number from 1"),
    ([{"steps": 1, "requests": ["a"]}], "'requests' must be an object of whole numbers by name"),
    ([{"step": 1}], "s.jsonl:2: no line begins with 'step'; did you mean 'steps'"),
    (
        [line(1, a=3), line(10**6, a=1)],
        "s.jsonl:3: .*has 1,000,001 steps to here; a generation has at most 1,000,000",
    ),
    ([], 's.jsonl:1: lsim_schedule: has no steps: after its header .*, such as {"steps": 9, "requests"'),
]


@pytest.mark.parametrize(("lines", "said"), REFUSED, ids=range(len(REFUSED)))
def test_is_a_wrong_schedule_refused_with_its_line(file: Path, lines: list[object], said: str) -> None:
    with pytest.raises(TraceError, match=said):
        made(file, *lines)


@pytest.mark.parametrize(
    ("name", "shown", "said"),
    [
        *[(*one, r"is made of letters, digits and _ \. : / \+ -$") for one in NAMES],
        *[(name, name, "is part of that of a file: it has no /$") for name in ("../x", "a/b", "/x")],
    ],
)
def test_is_a_wrong_name_of_a_schedule_refused(file: Path, name: str, shown: str, said: str) -> None:
    file.write_text("\n".join(map(json.dumps, ({**HEADER, "name": name}, line(1, a=3)))))
    with pytest.raises(TraceError, match=rf"s\.jsonl:1: {shown}: the name of a schedule {said}"):
        scheduled("small", file)


def test_may_names_have_all_that_those_of_operators_have(file: Path) -> None:
    names = "user/7:b_1.2+3-C", "0"
    steps = made(file, {"steps": 1, "requests": dict.fromkeys(names, 3)})
    assert tuple(steps.steps[0].phase.requests) == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r's\.jsonl: is empty: a schedule begins with a header line, {"lsim_schedule": 1, "name"'),
        ("\n \n", r"s\.jsonl: is empty: "),
        ('\n{"lsim_schedule": 1, "name": "s"}\n\n', r"s\.jsonl:2: lsim_schedule: has no steps: "),
        (
            '{"lsim_schedule": 2, "name": "s"}',
            r"s\.jsonl:1: lsim_schedule: this lsim reads schedules of format 1",
        ),
        (
            '{"steps": 1, "requests": {"a": 1}}',
            r"s\.jsonl:1: no line begins with 'steps'; allowed: lsim_schedule",
        ),
    ],
)
def test_is_a_schedule_without_steps_refused(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    arguments = ["trace", "make", "llama-2-7b", "--phase", "generate", "--schedule", str(file)]
    arguments += ["-o", str(out := file.with_name("g.jsonl"))]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert re.search(said, done.stderr)
    assert not out.exists()


def test_is_a_model_refused_that_cannot_generate(file: Path) -> None:
    with pytest.raises(TraceError, match="no model that generates is named 'gtp2'; did you mean 'gpt2'"):
        scheduled("gtp2", file)


def test_are_more_tokens_than_positions_refused(file: Path) -> None:
    made(file, line(1, a=1000), line(24, a=1), family="gpt2")
    with pytest.raises(TraceError, match=r"s.jsonl:3: .*positions for 1024 tokens, and 'a' comes to 1025"):
        made(file, line(1, a=1000), line(25, a=1), family="gpt2")


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


def test_does_the_schedule_of_the_format_page_mean_what_the_page_says(tmp_path: Path) -> None:
    page = Path(lsim.trace.__file__).with_name("FORMAT.md").read_text(encoding="utf-8")
    path = tmp_path / "s.jsonl"
    path.write_text(page.partition("## Schedules")[2].split("```")[1].lstrip())
    steps = check(scheduled("llama-2-7b", path))
    firsts = {}
    for step in steps.steps:
        for name, gets in step.phase.requests.items():
            if gets:
                firsts.setdefault(name, step.phase.name)
    assert firsts == {"a": "line-2", "b": "line-5"}  # the header is a line, too
    assert (len(steps.steps), steps.tokens) == (63, 63 + 51)
