"""Models built from their configuration: against recordings of their own code, and against published figures."""

import json
from collections import Counter
from pathlib import Path

import pytest
from extract.models import CASES, DIT_XL, GPT2_SMALL, LLAMA_2_7B, LLAMA_2_70B, LLAMA_3_70B, prompt, token
from outline import outline

import lsim
from lsim.errors import InputError
from lsim.extract.api import document_of, from_config
from lsim.extract.config import Config, read_config
from lsim.extract.families import FAMILIES
from lsim.extract.request import Request
from lsim.trace import Kind, Role, dumps, loads
from lsim.trace.text import text_of

RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))


def built(name):
    case = CASES[name]
    return from_config(case.config, case.request)


@pytest.mark.parametrize("name", CASES)
def test_is_what_is_built_what_the_code_of_the_model_did(name):
    assert outline(built(name)) == RECORDED[name]["outline"]


def test_has_every_recording_a_case_and_every_family_a_recording():
    assert RECORDED.keys() == CASES.keys()
    built = {case.fields.get("model_type", case.model) for case in CASES.values()}
    assert built == set(FAMILIES) - {"Transformer2DModel"}  # the older name of the same class


@pytest.mark.parametrize("name", CASES)
def test_does_a_built_trace_replay(name):
    trace = built(name)
    result = lsim.simulate(trace, lsim.load_arch("lt-b-4bit"))
    assert result.ticks > 0
    assert sum(run.macs for run in result.operators) == trace.macs


@pytest.mark.parametrize("name", ["llama-decode", "mixtral-uneven", "swin", "t5", "whisper", "dit"])
def test_is_the_folded_file_the_same_trace(name):
    case = CASES[name]
    trace = loads(text_of(document_of(case.config, case.request)))
    assert dumps(trace) == dumps(built(name))


@pytest.mark.parametrize(
    ("name", "fields", "request_"),
    [
        ("llama-2-7b-prefill-2048", LLAMA_2_7B, prompt(2048)),
        ("llama-2-7b-decode-2048", LLAMA_2_7B, token(2048)),
        ("llama-3-70b-prefill-8192", LLAMA_3_70B, prompt(8192)),
        ("gpt2-small", GPT2_SMALL, prompt(1024)),
    ],
)
def test_is_a_trace_that_comes_with_lsim_what_its_configuration_builds(name, fields, request_):
    assert outline(from_config(Config(fields), request_)) == outline(lsim.load_trace(name))


def test_is_a_transformer_of_diffusers_refused_that_does_not_say_what_it_is():
    fields = {key: value for key, value in DIT_XL.items() if key != "norm_type"}
    with pytest.raises(InputError, match="norm_type: is missing"):
        from_config(Config({"_class_name": "Transformer2DModel", **fields}), Request())


def test_are_shared_keys_and_values_counted_once():
    trace = from_config(Config(LLAMA_2_70B), token(2048))
    cached = [t.elements for t in trace.tensors.values() if t.role is Role.KV and t.name.endswith(".cache")]
    assert cached == [8 * 128 * 2047] * 160
    qk = next(o for o in trace.operators if o.label == "qk")
    assert (qk.heads, qk.rows, qk.depth, qk.columns) == (8, 8, 128, 2048)


@pytest.mark.parametrize(("tokens", "context", "keys"), [(16, None, 16), (1, 5, 5), (1, 30, 8)])
def test_does_a_window_bound_what_the_cache_holds(tokens, context, keys):
    case = CASES["mistral"]
    trace = from_config(case.config, token(context) if context else prompt(tokens))
    for operator in trace.operators:
        if operator.label == "qk":
            assert operator.columns == keys
            assert operator.window == (8 if tokens > 8 else 0)


@pytest.mark.parametrize("routing", ["balanced", "concentrated"])
@pytest.mark.parametrize("tokens", [1, 2, 5, 15, 16])
def test_does_every_pair_of_token_and_expert_have_its_row(tokens, routing):
    case = CASES["mixtral"]
    trace = from_config(case.config, prompt(tokens, routing=routing))
    down = Counter()
    for operator in trace.operators:
        if operator.label == "down":
            down[operator.name.split(".")[1]] += operator.heads * operator.columns
    assert set(down.values()) == {2 * tokens}
    assert any(f"Routing is {routing}" in line for line in trace.conventions)


def test_reads_a_concentrated_routing_two_experts_only():
    case = CASES["mixtral"]
    for routing, experts in (("balanced", 8), ("concentrated", 2)):
        trace = from_config(case.config, prompt(16, routing=routing))
        read = [t for t in trace.tensors.values() if t.name.endswith("down.weight") and "layers.0" in t.name]
        assert sum(t.elements for t in read) == experts * 64 * 128


@pytest.mark.parametrize("name", CASES)
def test_is_what_only_rows_of_attention_need_marked(name):
    """Causal operators have as many queries of a head as keys, and are those of an attention."""
    for operator in built(name).operators:
        if operator.causal:
            assert operator.kind in (Kind.GEMM, Kind.SOFTMAX)
            keys = operator.depth if operator.label == "sv" else operator.columns
            assert operator.rows % keys == 0


# -- what is refused


def without(name, *keys, **changed):
    fields = {key: value for key, value in CASES[name].fields.items() if key not in keys}
    return Config({**fields, **changed}, "config.json")


@pytest.mark.parametrize(
    ("config", "request_", "message"),
    [
        (without("llama", "hidden_size"), prompt(4), "config.json: hidden_size: is missing"),
        (without("llama", "hidden_size", hiden_size=64), prompt(4), "is missing; is 'hiden_size' meant to be it?"),
        (without("llama", num_hidden_layers=10001), prompt(4), "num_hidden_layers: must be from 1 to 10,000, not 10,001"),
        (without("swin", depths=[9000, 9000]), Request(), "depths: must be at most 10,000 layers in all, not 18,000"),
        (without("llama", hidden_size="64"), prompt(4), "hidden_size: must be a whole number"),
        (without("llama", hidden_size=65), prompt(4), "65 is not a multiple of 'num_attention_heads', 4"),
        (without("llama", num_key_value_heads=3), prompt(4), "3 does not divide the 4 attention heads"),
        (without("llama", hidden_act="sillu"), prompt(4), "cannot be 'sillu'; did you mean 'silu'"),
        (without("llama", attention_bias=True), prompt(4), "attention_bias: true is not built"),
        (without("llama", model_type="lama"), prompt(4), "'lama' is not known; did you mean 'llama'?; allowed: "),
        (without("llama", "model_type"), prompt(4), "model_type: is missing"),
        (without("llama", model_type=7), prompt(4), "model_type: must be a string"),
        (without("vit", id2label="cat"), Request(), "id2label: must be an object of class numbers and names"),
        (without("llama", architectures=["LlamaModel"]), prompt(4), "LlamaModel is not built"),
        (without("llama"), Request(), "--tokens: is missing"),
        (without("llama"), token(1), "--context: the first token is a prefill"),
        (without("llama"), Request(tokens=4, context=8), "--context: a prefill sees its own tokens only"),
        (without("gpt2", n_positions=8), prompt(9), "8 positions are too few for 9 tokens"),
        (without("bert"), token(8), "--phase: BERT has no KV cache"),
        (without("bert", position_embedding_type="relative_key"), prompt(8), '"relative_key" is not built'),
        (without("vit-pooled", pooler_output_size=32), Request(), "pooler_output_size: 32 is not built"),
        (without("vit"), prompt(8), "--tokens: ViT reads an image"),
        (without("vit", patch_size=5), Request(), "32 is not a multiple of the patches' 5"),
        (without("swin", window_size=5), Request(), "16 x 16 patches of stage 0 would have to be padded"),
        (without("swin", num_heads=[2]), Request(), "num_heads: has 1 stages, 'depths' has 2"),
        (without("t5"), prompt(4), "--source: is missing"),
        (without("whisper"), prompt(4, source=9), "--source: what Whisper's encoder reads is fixed"),
        (without("dit", norm_type="ada_norm"), Request(), 'norm_type: "ada_norm" is not built'),
    ],
)  # fmt: skip
def test_is_a_model_refused_that_cannot_be_built(config, request_, message):
    with pytest.raises(InputError) as error:
        from_config(config, request_)
    assert message in str(error.value)


@pytest.mark.parametrize(("name", "key"), [("llama", "hidden_size"), ("whisper", "encoder_layers")])
def test_is_a_field_that_is_read_not_said_to_be_another(name, key):
    with pytest.raises(InputError) as error:
        from_config(without(name, key), CASES[name].request)
    assert str(error.value) == f"config.json: {key}: is missing"


def test_is_a_trace_of_too_many_statements_refused_by_the_name_of_its_file(monkeypatch):
    monkeypatch.setattr("lsim.trace.document.MAX_STATEMENTS", 10)
    with pytest.raises(InputError, match=r"^config.json: expands to more than 10 statements"):
        from_config(without("llama"), prompt(4))


def test_does_an_unknown_type_name_all_that_are_known():
    with pytest.raises(InputError) as error:
        from_config(Config({"model_type": "mamba"}), prompt(4))
    assert all(family in str(error.value) for family in FAMILIES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"model_type": \n "llama",}', ":2: not JSON"),
        ("[1]", "a configuration is a JSON object"),
        (None, "cannot be read: No such file"),
    ],
)
def test_is_a_file_refused_that_is_no_configuration(tmp_path, text, message):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        read_config(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)
