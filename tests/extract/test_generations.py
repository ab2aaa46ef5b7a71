"""Generations from a configuration: is each step the trace that the configuration gives alone?"""

import json

import pytest
from click.testing import CliRunner
from extract.models import CASES, prompt, token

import lsim
from lsim.cli import cli
from lsim.errors import InputError
from lsim.extract.api import from_config, generation_of
from lsim.trace.generation import check

# A case, the size of its prompt and new tokens; a window of 8 is full at the prompt, or becomes full on the way.
DECODERS = [
    ("llama", 5, 6, {}),
    ("llama-wide-heads", 5, 4, {"batch": 3}),
    ("mistral", 3, 12, {}),
    ("mistral", 20, 4, {"batch": 2}),
    ("qwen2", 4, 4, {}),
    ("mixtral", 15, 5, {}),
    ("mixtral", 6, 4, {"batch": 5, "routing": "concentrated"}),
    ("gpt2", 4, 5, {"batch": 2}),
    ("t5", 4, 5, {"source": 7}),
    ("whisper", 4, 5, {}),
]


@pytest.mark.parametrize(("name", "size", "new", "more"), DECODERS, ids=[f"{d[0]}-{d[1]}" for d in DECODERS])
def test_is_every_step_the_trace_of_the_configuration_alone(name, size, new, more):
    config = CASES[name].config
    made = check(generation_of(config, prompt(1, **more), size, new))
    assert [step.name for step in made.steps][:2] == ["prefill.0", "decode.0"]
    for number in range(new):
        wanted = from_config(config, token(size + number, **more) if number else prompt(size, **more))
        assert made.trace(number).operators == wanted.operators
        assert made.trace(number).tensors == wanted.tensors


@pytest.mark.parametrize(
    ("size", "batch"),
    [(15, 1), (6, 5), (4, 5), (1, 2)],
    ids=["6+2, then 2", "4+4, then 2+6", "8, then 2+6", "4, then 4"],
)
def test_are_experts_that_several_phases_read_counted_once(size, batch):
    config = CASES["mixtral"].config
    made = check(generation_of(config, prompt(1, batch=batch), size, 3))
    whole = from_config(config, prompt(size, batch=batch))
    read = min(8, 2 * batch * size)  # experts
    assert made.parameters == whole.parameters
    assert (
        sum(
            t.shape[0]
            for t in whole.tensors.values()
            if t.name.startswith("layers.0") and t.name.endswith("gate_up.weight")
        )
        == read
    )


def test_is_a_model_refused_that_has_no_decode_step():
    for new in (1, 3):
        with pytest.raises(InputError, match="has no KV cache and so no decode step"):
            generation_of(CASES["bert"].config, prompt(1), 4, new)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CASES["mistral"].fields))
    return path


def call(*arguments, code=0):
    done = CliRunner().invoke(cli, ["trace", "from-config", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


def test_does_the_command_write_a_generation_that_runs(tmp_path, config):
    out = tmp_path / "g.jsonl"
    told = call(config, "--phase", "generate", "--prompt", 5, "--new", 9, "-o", out)
    loaded = lsim.load_workload(out)
    assert loaded.name == "mistral-generate-5-9"
    assert f"{loaded.total_macs:,} MACs in 9 steps" in told
    told = call(config, "--phase", "generate", "--prompt", 5, "--new", 1, "-o", tmp_path / "one.jsonl")
    assert " MACs in 1 step, " in told
    # nine keys seen at the second step: the window of 8 is full after three
    assert [(phase.name, phase.count) for phase in loaded.document.phases] == [
        ("prefill", 1),
        ("decode", 3),
        ("decode-2", 5),
    ]
    assert lsim.simulate_generation(loaded, lsim.load_arch("lt-b-4bit")).tokens == 9


REFUSED = [
    (["--phase", "generate", "--new", 3], "--prompt: a generation needs its size"),
    (["--phase", "generate", "--prompt", 3], "--new: a generation needs its size"),
    (["--phase", "generate", "--prompt", 0, "--new", 3], "0 is not in the range"),
    (["--phase", "generate", "--prompt", 3, "--new", 10**9], "is not in the range"),
    (["--phase", "generate", "--prompt", 3, "--new", 3, "--tokens", 3], "--tokens: a generation has --prompt and --new"),
    (["--tokens", 3, "--new", 3], "--new: says the size of a generation: add --phase generate"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=range(len(REFUSED)))
def test_is_a_wrong_wish_refused(tmp_path, config, options, said):
    out = tmp_path / "g.jsonl"
    assert said in call(config, *options, "-o", out, code=2)
    assert not out.exists()
