"""`lsim trace from-config` and `from-torch`: what they write, and what they refuse."""

import json
import sys

import pytest
from click.testing import CliRunner
from extract.models import CASES

import lsim
from lsim.cli import cli
from lsim.errors import InputError

TARGET = """
import torch
def tiny():
    return torch.nn.Linear(8, 4), torch.zeros(3, 8)
def by_keyword():
    return torch.nn.Linear(8, 4), {"input": torch.zeros(3, 8)}
def unknown():
    return torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Softmax(0)), torch.zeros(3, 8)
def masked():
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return layer, torch.zeros(1, 6, 8), {"src_mask": torch.nn.Transformer.generate_square_subsequent_mask(6)}
def named():
    class Named(torch.nn.Linear):
        def forward(self, name, routing):
            return super().forward(name)
    return Named(8, 4), {"name": torch.zeros(3, 8), "routing": torch.zeros(3, 8)}
def beside():
    import sibling
    return sibling.made(), torch.zeros(3, 8)
def wrong():
    return 7
def asks(size):
    return torch.nn.Linear(size, size)
def fails():
    raise KeyError("width")
def nothing():
    return ()
"""


def call(*arguments, code=0):
    done = CliRunner().invoke(cli, ["trace", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CASES["llama"].fields))
    return path


def test_is_a_file_written_that_loads_and_runs(tmp_path, config):
    out = tmp_path / "mine.jsonl"
    told = call("from-config", config, "--tokens", 16, "-o", out)
    trace = lsim.load_trace(out)
    assert trace.name == "llama-prefill-16"
    assert f"{trace.macs:,} MACs in 39 operators, 86,336 parameters" in told
    assert lsim.simulate(trace, lsim.load_arch("lt-b-4bit")).ticks > 0


def test_is_it_told_at_once_that_a_configuration_quantises(tmp_path, config):
    config.write_text(json.dumps({**CASES["llama"].fields, "quantization_config": {"quant_method": "mxfp4"}}))
    out = tmp_path / "mine.jsonl"
    note = (
        "note: Quantised by its configuration with mxfp4: the trace is the same, --widths W4A16KV16 means it"
    )
    assert note in call("from-config", config, "--tokens", 16, "-o", out)
    assert "--widths W4A16KV16" in " ".join(call("show", out).split())


def test_is_it_the_same_file_each_time(tmp_path, config):
    files = [tmp_path / "one.jsonl", tmp_path / "other.jsonl"]
    for file in files:
        call(
            "from-config",
            config,
            "--phase",
            "decode",
            "--context",
            16,
            "--batch",
            2,
            "--name",
            "mine",
            "-o",
            file,
        )
    assert files[0].read_bytes() == files[1].read_bytes()
    assert lsim.load_trace(files[0]).name == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--tokens: is missing"),
        (("--tokens", "0"), "--tokens"),
        (("--phase", "training"), "--phase"),
        (("--tokens", "4", "--context", "9"), "--context: a prefill sees its own tokens only"),
    ],
)
def test_is_nothing_written_when_something_is_refused(tmp_path, config, options, message):
    out = tmp_path / "mine.jsonl"
    assert message in call("from-config", config, *options, "-o", out, code=2)
    assert list(tmp_path.iterdir()) == [config]


def test_is_an_unknown_family_told_those_that_are_known(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "rwkv"}')
    told = call("from-config", path, "--tokens", 4, "-o", tmp_path / "x.jsonl", code=2)
    assert f"{path}: model_type: 'rwkv' is not known" in told
    assert "llama, mistral, mixtral, qwen2, swin, t5, vit, whisper" in told


def test_does_it_say_what_to_install_where_there_is_no_pytorch(tmp_path, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for arguments in (("--hf", "LlamaForCausalLM", "--config", config, "--tokens", 4), ("m:f",)):
        told = call("from-torch", *arguments, "-o", tmp_path / "x.jsonl", code=2)
        assert told == "lsim: torch: PyTorch is needed to trace a module: pip install 'lsim[torch]'\n"
    with pytest.raises(InputError, match=r"pip install 'lsim\[torch\]'"):
        lsim.trace_module(None)


@pytest.mark.parametrize(
    "arguments", [(), ("m:f", "--hf", "X"), ("--hf", "X"), ("m:f", "--config", "c.json")]
)
def test_is_it_one_of_two_ways(tmp_path, arguments):
    told = call("from-torch", *arguments, "-o", tmp_path / "x.jsonl", code=2)
    assert "takes MODULE:CALLABLE, or --hf CLASS with --config CONFIG.JSON" in told


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    (tmp_path / "own_models.py").write_text(TARGET)
    (tmp_path / "sibling.py").write_text("import torch\ndef made(): return torch.nn.Linear(8, 4)\n")
    (tmp_path / "broken.py").write_text("def tiny(:\n")
    (tmp_path / "failing.py").write_text("raise ValueError('no such size')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])  # as of the installed command
    yield tmp_path
    for name in ("own_models", "sibling"):
        sys.modules.pop(name, None)


def test_does_show_tell_of_an_unknown_operator(folder):
    told = call("from-torch", "own_models:unknown", "--allow-unknown", "-o", "own.jsonl")
    note = "Unknown, and kept as data movement of its operands: aten._softmax.default, 1 times."
    assert f"note: {note}" in told
    assert note in " ".join(call("show", folder / "own.jsonl").split())


def test_is_it_told_that_a_mask_is_taken_as_dense(folder):
    told = call("from-torch", "own_models:masked", "-o", "own.jsonl")
    assert "not known to be: 1 softmaxes and their products are taken as dense." in told


@pytest.mark.parametrize("function", ["tiny", "by_keyword", "named", "beside"])
def test_is_a_function_of_the_users_own_recorded(folder, function):
    call("from-torch", f"own_models:{function}", "-o", "own.jsonl")
    trace = lsim.load_trace(folder / "own.jsonl")
    assert [(o.rows, o.depth, o.columns) for o in trace.operators] == [(4, 8, 3)]
    assert trace.parameters == 36


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("own_models", (), "own_models: is MODULE:CALLABLE"),
        ("own_modles:tiny", (), "own_modles:tiny: cannot be imported"),
        ("own_models:tinny", (), "module 'own_models' has no function 'tinny'"),
        ("broken:tiny", (), "broken:tiny: cannot be imported: SyntaxError"),
        ("failing:tiny", (), "failing:tiny: cannot be imported: ValueError: no such size"),
        (
            "own_models:asks",
            (),
            "own_models:asks: fails: TypeError: asks() missing 1 required positional argument",
        ),
        ("own_models:fails", (), "own_models:fails: fails: KeyError: 'width'"),
        ("own_models:nothing", (), "returns NoneType, not a torch.nn.Module"),
        ("own_models:wrong", (), "returns int, not a torch.nn.Module"),
        ("own_models:tiny", ("--tokens", 4), "--tokens: own_models:tiny says itself what its inputs are"),
    ],
)
def test_is_a_function_refused_that_is_none(folder, target, options, message):
    assert message in call("from-torch", target, *options, "-o", "own.jsonl", code=2)
    assert not (folder / "own.jsonl").exists()


def test_is_a_model_class_recorded(tmp_path, config):
    pytest.importorskip("transformers")
    call(
        "from-torch",
        "--hf",
        "LlamaForCausalLM",
        "--config",
        config,
        "--tokens",
        16,
        "-o",
        tmp_path / "x.jsonl",
    )
    trace = lsim.load_trace(tmp_path / "x.jsonl")
    assert trace.name == "llamaforcausallm-prefill-16"
    assert trace.parameters == 86_336
