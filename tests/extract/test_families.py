"""Models built from their configuration: against recordings of their own code, and against published figures."""

import json
from collections import Counter
from pathlib import Path

import pytest
from extract.models import BERT_BASE, CASES, DEIT_TINY, LLAMA_2_7B, LLAMA_2_70B, prompt, token
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


# Figures of the published models; MACs with the head over the whole sequence.
@pytest.mark.parametrize(
    ("fields", "request_", "gmacs", "millions"),
    [
        (LLAMA_2_7B, prompt(2048), 14630.8, 6738.4),
        (LLAMA_2_7B, token(2048), 7.144, 6738.4),
        (LLAMA_2_70B, prompt(2048), 146222.2, 68976.6),
        (BERT_BASE, prompt(128), 11.174, 109.5),
        (DEIT_TINY, Request(), 1.261, 5.9),
    ],
    ids=["7b-prefill", "7b-decode", "70b", "bert", "deit"],
)
def test_has_a_published_model_its_figures(fields, request_, gmacs, millions):
    trace = from_config(Config(fields), request_)
    assert trace.macs / 1e9 == pytest.approx(gmacs, rel=5e-5)
    assert trace.parameters / 1e6 == pytest.approx(millions, abs=0.05)


GPT2_SMALL = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}
LLAMA_3_70B = {**LLAMA_2_70B, "vocab_size": 128256}


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


# Transformers' own counts of parameters, for the configurations that the papers publish.
@pytest.mark.parametrize(
    ("fields", "request_", "parameters"),
    [
        ({**LLAMA_2_7B, "model_type": "mistral", "architectures": ["MistralForCausalLM"], "intermediate_size": 14336,
          "num_key_value_heads": 8, "sliding_window": 4096}, prompt(1), 7_241_732_096),
        ({**LLAMA_2_7B, "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "intermediate_size": 14336,
          "num_key_value_heads": 8, "num_local_experts": 8}, prompt(16), 46_702_792_704),
        ({"model_type": "swin", "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "patch_size": 4,
          "image_size": 224, "window_size": 7, "num_labels": 1000}, Request(), 28_288_354),
        ({"model_type": "t5", "d_model": 512, "num_layers": 6, "num_heads": 8, "d_kv": 64, "d_ff": 2048,
          "vocab_size": 32128}, prompt(4, source=4), 60_506_624),
        ({"model_type": "whisper", "d_model": 384, "encoder_layers": 4, "decoder_layers": 4, "num_mel_bins": 80,
          "encoder_attention_heads": 6, "decoder_attention_heads": 6, "encoder_ffn_dim": 1536, "decoder_ffn_dim": 1536,
          "vocab_size": 51865}, prompt(4), 37_760_640),
        ({"model_type": "qwen2", "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
          "num_key_value_heads": 2, "intermediate_size": 4864, "vocab_size": 151936, "tie_word_embeddings": True},
         prompt(4), 494_032_768),
        ({"model_type": "vit", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
          "intermediate_size": 3072, "num_labels": 1000}, Request(), 86_567_656),
    ],
    ids=["mistral-7b", "mixtral-8x7b", "swin-tiny", "t5-small", "whisper-tiny", "qwen2-0.5b", "vit-base"],
)  # fmt: skip
def test_are_all_parameters_of_a_published_model_there(fields, request_, parameters):
    assert from_config(Config(fields), request_).parameters == parameters


DIT_XL = {
    **{key: CASES["dit"].fields[key] for key in ("norm_type", "norm_elementwise_affine", "activation_fn", "attention_bias")},
    "in_channels": 4, "out_channels": 8, "num_layers": 28, "num_attention_heads": 16, "attention_head_dim": 72,
    "sample_size": 32, "patch_size": 2, "num_embeds_ada_norm": 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", ["DiTTransformer2DModel", "Transformer2DModel"])
def test_has_dit_its_published_macs(name):
    """118.64 G in table 1 of the paper; each layer's own embedding of the time step is diffusers' and adds 0.03 G."""
    trace = from_config(Config({"_class_name": name, **DIT_XL}), Request())
    width = 16 * 72
    assert trace.macs - 28 * (256 * width + width * width) == pytest.approx(118.64e9, rel=2e-4)


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
        (without("llama", "hidden_size", hiden_size=64), prompt(4), "is missing; 'hiden_size' is not read"),
        (without("llama", hidden_size="64"), prompt(4), "hidden_size: must be a whole number"),
        (without("llama", hidden_size=65), prompt(4), "65 is not a multiple of 'num_attention_heads', 4"),
        (without("llama", num_key_value_heads=3), prompt(4), "3 does not divide the 4 attention heads"),
        (without("llama", hidden_act="sillu"), prompt(4), "cannot be 'sillu'; did you mean 'silu'"),
        (without("llama", attention_bias=True), prompt(4), "attention_bias: true is not built"),
        (without("llama", model_type="lama"), prompt(4), "'lama' is not known; did you mean 'llama'?; allowed: "),
        (without("llama", "model_type"), prompt(4), "model_type: is missing"),
        (without("llama", architectures=["LlamaModel"]), prompt(4), "LlamaModel is not built"),
        (without("llama"), Request(), "--tokens: is missing"),
        (without("llama"), token(1), "--context: the first token is a prefill"),
        (without("llama"), Request(tokens=4, context=8), "--context: a prefill sees its own tokens only"),
        (without("gpt2", n_positions=8), prompt(9), "8 positions are too few for 9 tokens"),
        (without("bert"), token(8), "--phase: BERT has no KV cache"),
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
