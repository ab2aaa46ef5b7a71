"""Generations: is each step the trace that its model has alone, and what does a file refuse?"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from attrs import evolve
from generations import GROUPED, LLAMA, WINDOWED, generation
from hypothesis import given, settings
from hypothesis import strategies as st

from lsim.errors import TraceError
from lsim.trace import Generation, Trace, load_trace, load_workload
from lsim.trace.check import build
from lsim.trace.document import Document
from lsim.trace.generation import check
from lsim.trace.parse import parse
from lsim.trace.text import text_of
from lsim.trace.zoo import generate as zoo
from lsim.trace.zoo import llama
from lsim.trace.zoo.step import Step

MODELS = ["gpt2", "llama-2-7b", "llama-3-70b"]


def alone(model: llama.Llama, prompt: int, number: int) -> Trace:
    """The trace of a step by the builders of single traces."""
    if number == 0:
        return build(llama.prefill("alone", model, prompt))
    return build(llama.decode("alone", model, prompt + number))


@pytest.mark.parametrize(("family", "model"), [("llama", LLAMA), ("grouped", GROUPED)])
@pytest.mark.parametrize("prompt", [1, 2, 7])
def test_is_every_step_operator_for_operator_the_trace_built_alone(
    family: str, model: llama.Llama, prompt: int
) -> None:
    made = generation(family, prompt, 14)
    assert len(made.steps) == 14
    for step in made.steps:
        trace, wanted = made.trace(step.number), alone(model, prompt, step.number)
        assert trace.operators == wanted.operators
        assert trace.tensors == wanted.tensors


@given(st.sampled_from(["llama", "grouped", "gpt2"]), *[st.integers(1, 9)] * 3)
@settings(max_examples=30)
def test_is_every_step_of_a_batch_the_trace_built_alone(
    family: str, prompt: int, new: int, batch: int
) -> None:
    from generations import FAMILIES

    made = generation(family, prompt, new, batch)
    for step in made.steps:
        one = Step(1, prompt + step.number - 1, batch) if step.number else Step(prompt, 0, batch)
        wanted = build(FAMILIES[family].forward("alone", [one]))
        assert made.trace(step.number).operators == wanted.operators
        assert made.macs(step.number) == wanted.macs
        assert made.parameters == wanted.parameters


def test_are_macs_and_parameters_those_of_the_traces_of_llama_2_7b() -> None:
    made = check(zoo.generation("llama-2-7b", 512, 512))
    m = llama.LLAMA_2_7B
    # a token passes 4 projections and 3 layers of the feed-forward in each layer, and the head; Q·K and S·V see every key
    linear = m.layers * (4 * m.width**2 + 3 * m.width * m.hidden) + m.width * m.vocabulary
    seen = 512 * 512 + sum(range(513, 1024))
    assert made.total_macs == (512 + 511) * linear + m.layers * 2 * m.width * seen
    assert made.total_macs == alone(m, 512, 0).macs + sum(made.macs(number) for number in range(1, 512))
    assert made.parameters == alone(m, 512, 0).parameters
    for number in (1, 2, 300, 511):
        assert made.trace(number).operators == alone(m, 512, number).operators


@pytest.mark.parametrize("model", MODELS)
def test_is_a_file_small_and_the_same_when_read_again(model: str) -> None:
    document = zoo.generation(model, 512, 500, 4)
    text = text_of(document)
    assert len(text.encode()) < 20_000
    assert parse(text) == document
    assert text_of(parse(text)) == text


def test_has_a_generation_of_one_token_a_prefill_only() -> None:
    made = generation("llama", 5, 1)
    assert [step.name for step in made.steps] == ["prefill.0"]
    assert made.tokens == 1


@pytest.mark.parametrize("prompt", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("window", [1, 2, 4, 6])
def test_is_each_step_of_a_model_with_a_window_the_trace_built_alone(prompt: int, window: int) -> None:
    model = evolve(WINDOWED, window=window)
    made = check(zoo.generate("windowed", zoo.llama_family(model), prompt, 9, 1))
    assert len(made.steps) == 9
    for step in made.steps:
        wanted = alone(model, prompt, step.number)
        assert made.trace(step.number).operators == wanted.operators
        assert made.trace(step.number).tensors == wanted.tensors


def test_is_a_model_refused_whose_steps_are_not_affine() -> None:
    def forward(name: str, steps: Sequence[Step]) -> Document:
        return llama.mixed(name, LLAMA, [evolve(step, cached=step.cached**2) for step in steps])

    with pytest.raises(TraceError, match="not affine in the context"):
        zoo.generate("squared", zoo.Family("Squared", forward), 2, 30, 1)


def test_are_more_tokens_than_positions_refused() -> None:
    zoo.generation("gpt2", 1000, 25)  # the last token is not read
    with pytest.raises(TraceError, match="positions for 1024 tokens"):
        zoo.generation("gpt2", 1000, 26)


# -- files -----------------------------------------------------------------------------------------------------------
HEADER = {"lsim_trace": 1, "name": "t"}
PHASE = {"steps": 5, "index": "t", "phase": "decode"}
KEYS = {"tensor": "keys", "role": "kv", "shape": [4, "6+t"]}
QUERY = {"tensor": "query", "role": "input", "shape": [4, 1]}
SCORES = {"op": "qk", "kind": "gemm", "rows": 1, "depth": 4, "columns": "6+t", "operands": ["query", "keys"], "outputs": {"s": [1, "6+t"]}}  # fmt: skip
LINES = [HEADER, PHASE, KEYS, QUERY, SCORES, {"end": "t"}]


def read(*lines: object) -> Generation:
    return check(parse("\n".join(map(json.dumps, lines))))


def changed(line: int, **fields: object) -> list[object]:
    """The file above with fields of a line, from 1, replaced."""
    return [{**one, **fields} if i == line else one for i, one in enumerate(LINES, start=1)]


def test_is_a_size_an_affine_function_of_the_step() -> None:
    made = read(*LINES)
    assert [made.trace(step).operators[0].columns for step in range(5)] == [6, 7, 8, 9, 10]


def test_can_several_sizes_grow_at_once() -> None:
    lines = changed(3, shape=["8+4*t", "6+t"])  # 4·(2+t) x (6+t)
    lines[3] = {**QUERY, "shape": ["8+4*t", 1]}
    lines[4] = {**SCORES, "depth": "8+4*t"}
    assert [read(*lines).macs(step) for step in range(5)] == [(8 + 4 * t) * (6 + t) for t in range(5)]


REFUSED: list[tuple[Callable[[], list[object]], str]] = [
    (lambda: changed(3, shape=[4, "6+s"]), "line 3: keys: 'shape' must be a whole number, or one that grows"),
    (lambda: changed(3, shape=[4, "6 + t"]), "line 3: keys: 'shape' must be"),
    (lambda: changed(3, shape=[4, "6-1*t"]), "line 3: keys: 'shape' must be"),
    (lambda: changed(3, shape=[4, "0+t"]), "line 3: keys: 'shape' must be from 1"),
    (lambda: changed(3, shape=[4, "6+0*t"]), "line 3: keys: 'shape' must be from 1 .* and grow"),
    (lambda: changed(3, shape=[4, f"6+{2**39}*t"]), "line 3: keys: 'shape' must be from 1"),
    (lambda: changed(2, steps=1), "line 3: keys: 'shape' must be"),
    (lambda: changed(3, shape=[4, "6+2*t"]), "line 5: qk: operand 1 .* has 32 elements, not 1 x 4 x 7"),
    (lambda: changed(3, role="weight"), "line 2: keys: a weight cannot grow"),
    (lambda: changed(3, role="wait"), "line 3: keys: 'role' cannot be 'wait'"),
    (lambda: changed(2, steps="4+t"), "line 2: .*'steps' must be a whole number"),
    (lambda: changed(2, steps=10**6 + 1), "line 2: .*at most 1,000,000 steps"),
    (lambda: changed(2, index="t t"), "'index' must be a word"),
    (lambda: changed(2, phases="x"), "line 2: steps: no field 'phases' here; did you mean 'phase'"),
    (lambda: changed(6, end="i"), "line 6: i: ends the steps of 't', begun on line 2"),
    (lambda: LINES[:-1], "line 2: steps: is never ended"),
    (lambda: [HEADER, PHASE, {"end": "t"}], "the steps of line 2 has no body"),
    (lambda: [HEADER, PHASE, *LINES[1:]], "line 3: steps: steps inside what begins on line 2"),
    (lambda: [HEADER, QUERY, *LINES[1:]], "line 3: steps: a trace has steps throughout or nowhere"),
    (lambda: [*LINES, QUERY], "line 7: query: is in none of the phases"),
    (lambda: [*LINES, *LINES[1:]], "line 7: steps: the phase 'decode' is already defined"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "said"), REFUSED, ids=range(len(REFUSED)))
def test_is_a_wrong_file_refused_with_its_line(lines: Callable[[], list[object]], said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read(*lines())


def test_are_sizes_refused_that_agree_in_the_first_two_steps_only() -> None:
    # heads·rows·columns of the result: (2+t)·(3+t)·... against an output that is on the line through its first two sizes
    lines = [
        HEADER,
        {**PHASE, "steps": 40},
        {"tensor": "x", "role": "input", "shape": ["6+6*t"]},
        {"op": "softmax", "kind": "softmax", "rows": "2+t", "columns": "3+t", "operands": ["x"], "outputs": {"y": ["6+6*t"]}},
        {"end": "t"},
    ]  # fmt: skip
    with pytest.raises(TraceError, match=r"line 4: softmax: operand 0 \(x\) has 18 elements, not 1 x 4 x 5"):
        read(*lines)


def test_is_a_weight_refused_that_differs_between_phases() -> None:
    def phase(name: str, rows: int) -> list[object]:
        return [
            {"steps": 1, "index": "t", "phase": name},
            {"tensor": "w", "role": "weight", "shape": [rows, 4]},
            QUERY,
            {"op": "l", "kind": "gemm", "rows": rows, "depth": 4, "columns": 1, "operands": ["w", "query"], "outputs": {"y": [rows, 1]}},
            {"end": "t"},
        ]  # fmt: skip

    assert read(HEADER, *phase("a", 3), *phase("b", 3)).parameters == 12
    with pytest.raises(TraceError, match="line 7: w: has 20 elements in phase 'b' and 12 before"):
        read(HEADER, *phase("a", 3), *phase("b", 5))


def test_is_a_generation_refused_where_one_trace_is_asked_for(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "g.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)))
    with pytest.raises(TraceError, match=r"g\.jsonl: is a generation of 5 steps, and one trace is asked for"):
        load_trace(path)
    assert isinstance(load_workload(path), Generation)
    assert isinstance(load_workload("deit-tiny"), Trace)


def test_is_a_step_refused_that_there_is_not() -> None:
    for number in (-1, 5):
        with pytest.raises(TraceError, match="its steps are 0 to 4"):
            read(*LINES).trace(number)


def test_is_the_hash_that_of_the_work() -> None:
    assert read(*LINES).sha256 == read({**HEADER, "description": "other words"}, *LINES[1:]).sha256
    assert read(*LINES).sha256 != read(*changed(2, steps=6)).sha256


def test_are_macs_of_each_step_and_of_all_those_of_the_traces_of_sizes_that_grow_at_once() -> None:
    lines = [
        HEADER,
        {**PHASE, "steps": 12},
        {"tensor": "x", "role": "kv", "shape": ["2+t", "3+2*t", "4+3*t"]},
        {"tensor": "y", "role": "kv", "shape": ["2+t", "4+3*t", "5+t"]},
        {"op": "xy", "kind": "gemm", "heads": "2+t", "rows": "3+2*t", "depth": "4+3*t", "columns": "5+t", "operands": ["x", "y"], "outputs": {"z": ["2+t", "3+2*t", "5+t"]}},
        {"end": "t"},
    ]  # fmt: skip
    made = read(*lines)
    wanted = [(2 + t) * (3 + 2 * t) * (4 + 3 * t) * (5 + t) for t in range(12)]
    assert [made.macs(t) for t in range(12)] == wanted == [made.trace(t).macs for t in range(12)]
    (phase,) = made.phases()
    assert (phase["first_macs"], phase["last_macs"], phase["macs"]) == (wanted[0], wanted[-1], sum(wanted))
    assert made.total_macs == sum(wanted)


@pytest.mark.parametrize("requests", [{"a": 1, "b": 0}, {"a": -1}, {"a": "1"}, ["a"]])
def test_are_requests_of_a_phase_refused_that_do_not_add_up(requests: object) -> None:
    if requests == {"a": 1, "b": 0}:
        assert read(*changed(2, tokens=1, requests=requests)).steps[0].phase.requests == requests
        said = "'requests' get 1 new token a step, and 'tokens' says 2"
    else:
        said = "'requests' must be (a whole number from 0|an object of whole numbers)"
    with pytest.raises(TraceError, match=f"line 2: .*{said}"):
        read(*changed(2, tokens=2, requests=requests))
