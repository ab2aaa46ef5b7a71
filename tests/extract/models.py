"""Small models of every family, and what is asked of them: for the configuration's builder and the recorder alike."""

from typing import NamedTuple

from lsim.extract.config import Config
from lsim.extract.request import Phase, Request


class Case(NamedTuple):
    """A model class with its configuration, and one run of it."""

    model: str
    fields: dict[str, object]
    request: Request

    @property
    def config(self) -> Config:
        return Config(self.fields)


def prompt(tokens: int, **more: int | str) -> Request:
    return Request(Phase.PREFILL, tokens=tokens, **more)


def token(context: int, **more: int | str) -> Request:
    return Request(Phase.DECODE, context=context, **more)


IMAGE = Request()
IMAGES = Request(batch=2)

_LAYERS = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
_DECODER = {**_LAYERS, "num_key_value_heads": 2, "vocab_size": 96}
_IMAGE = {**_LAYERS, "image_size": 32, "patch_size": 8, "num_labels": 5}
_GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 96, "bos_token_id": 1, "eos_token_id": 2}
_WHISPER = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 8,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 96,
    "num_mel_bins": 16,
    "max_source_positions": 20,
    "max_target_positions": 32,
    "vocab_size": 96,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
_T5 = {
    "d_model": 64,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 4,
    "d_kv": 8,
    "d_ff": 128,
    "vocab_size": 96,
}
_SWIN = {
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
    "num_labels": 5,
}
_DIT = {
    "num_attention_heads": 4,
    "attention_head_dim": 16,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 2,
    "sample_size": 8,
    "patch_size": 2,
    "num_embeds_ada_norm": 10,
    "norm_elementwise_affine": False,
    "norm_type": "ada_norm_zero",
    "activation_fn": "gelu-approximate",
    "attention_bias": True,
}


def _case(kind: str, model: str, fields: dict[str, object], request: Request, **more: object) -> Case:
    return Case(model, {"model_type": kind, "architectures": [model], **fields, **more}, request)


CASES = {
    "llama": _case("llama", "LlamaForCausalLM", _DECODER, prompt(16)),
    "llama-batch": _case("llama", "LlamaForCausalLM", _DECODER, prompt(16, batch=3)),
    "llama-decode": _case("llama", "LlamaForCausalLM", _DECODER, token(16, batch=3)),
    "llama-tied": _case("llama", "LlamaForCausalLM", _DECODER, token(2), tie_word_embeddings=True),
    "llama-wide-heads": _case("llama", "LlamaForCausalLM", _DECODER, prompt(5), head_dim=24),
    "mistral": _case("mistral", "MistralForCausalLM", _DECODER, prompt(16), sliding_window=8),
    "mistral-short": _case("mistral", "MistralForCausalLM", _DECODER, prompt(6), sliding_window=8),
    "mistral-decode": _case("mistral", "MistralForCausalLM", _DECODER, token(16), sliding_window=8),
    "qwen2": _case("qwen2", "Qwen2ForCausalLM", _DECODER, prompt(16)),
    "qwen2-decode": _case("qwen2", "Qwen2ForCausalLM", _DECODER, token(16)),
    "mixtral": _case("mixtral", "MixtralForCausalLM", _DECODER, prompt(16), num_local_experts=8),
    "mixtral-uneven": _case("mixtral", "MixtralForCausalLM", _DECODER, prompt(15), num_local_experts=8),
    "mixtral-decode": _case("mixtral", "MixtralForCausalLM", _DECODER, token(16), num_local_experts=8),
    "mixtral-concentrated": _case(
        "mixtral", "MixtralForCausalLM", _DECODER, prompt(15, routing="concentrated"), num_local_experts=8
    ),
    "gpt2": _case("gpt2", "GPT2LMHeadModel", _GPT2, prompt(16)),
    "gpt2-full": _case("gpt2", "GPT2LMHeadModel", _GPT2, prompt(16, batch=2), n_positions=16),
    "gpt2-decode": _case("gpt2", "GPT2LMHeadModel", _GPT2, token(16, batch=2)),
    "bert": _case("bert", "BertModel", {**_LAYERS, "vocab_size": 96}, prompt(16)),
    "bert-full": _case(
        "bert", "BertModel", {**_LAYERS, "vocab_size": 96}, prompt(16), max_position_embeddings=16
    ),
    "bert-batch": _case("bert", "BertForMaskedLM", {**_LAYERS, "vocab_size": 96}, prompt(16, batch=2)),
    "bert-classes": _case("bert", "BertForSequenceClassification", {**_LAYERS, "vocab_size": 96}, prompt(16)),
    "vit": _case("vit", "ViTForImageClassification", _IMAGE, IMAGE),
    "vit-pooled": _case("vit", "ViTModel", _IMAGE, IMAGES),
    "deit": _case("deit", "DeiTForImageClassificationWithTeacher", _IMAGE, IMAGE),
    "deit-one-head": _case("deit", "DeiTForImageClassification", _IMAGE, IMAGES),
    "swin": _case("swin", "SwinForImageClassification", _SWIN, IMAGE),
    "swin-batch": _case("swin", "SwinModel", _SWIN, IMAGES),
    "t5": _case("t5", "T5ForConditionalGeneration", _T5, prompt(5, source=7)),
    "t5-gated": _case(
        "t5", "T5ForConditionalGeneration", _T5, prompt(5, source=7, batch=2), feed_forward_proj="gated-gelu"
    ),
    "t5-untied": _case(
        "t5", "T5ForConditionalGeneration", _T5, prompt(5, source=7), tie_word_embeddings=False
    ),
    "t5-decode": _case("t5", "T5ForConditionalGeneration", _T5, token(6, source=7, batch=2)),
    "whisper": _case("whisper", "WhisperForConditionalGeneration", _WHISPER, prompt(5)),
    "whisper-full": _case(
        "whisper", "WhisperForConditionalGeneration", _WHISPER, prompt(5), max_target_positions=5
    ),
    "whisper-decode": _case("whisper", "WhisperForConditionalGeneration", _WHISPER, token(6, batch=2)),
    "dit": Case("DiTTransformer2DModel", {"_class_name": "DiTTransformer2DModel", **_DIT}, IMAGE),
    "dit-batch": Case("DiTTransformer2DModel", {"_class_name": "DiTTransformer2DModel", **_DIT}, IMAGES),
}

# What the configuration classes of Transformers have for fields that a config.json may leave out, beside sizes that it must say.
_ONE_LAYER = {"num_hidden_layers": 1, "hidden_size": 64}
_TEXT = {**_ONE_LAYER, "intermediate_size": 128, "num_attention_heads": 32, "vocab_size": 96}
_VISION = {**_ONE_LAYER, "num_attention_heads": 4}
_ENCODER = {"intermediate_size": 3072, "hidden_act": "gelu"}
_IMAGES = {
    **_ENCODER,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "pooler_act": "tanh",
}
_TRANSLATOR = {key: value for key, value in _WHISPER.items() if "ffn" not in key}
REQUIRED = {
    "llama": Case("LlamaForCausalLM", _TEXT, prompt(16)),
    "mistral": Case("MistralForCausalLM", _TEXT, prompt(16)),
    "mixtral": Case("MixtralForCausalLM", _TEXT, prompt(16)),
    "qwen2": Case("Qwen2ForCausalLM", _TEXT, prompt(16)),
    "gpt2": Case("GPT2LMHeadModel", {**_GPT2, "n_layer": 1}, prompt(16)),
    "bert": Case("BertForMaskedLM", {**_VISION, "vocab_size": 96}, prompt(16)),
    "vit": Case("ViTModel", _VISION, IMAGE),
    "deit": Case("DeiTModel", _VISION, IMAGE),
    "swin": Case("SwinForImageClassification", {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4]}, IMAGE),
    "t5": Case("T5ForConditionalGeneration", {**_T5, "num_layers": 1, "num_decoder_layers": 1}, prompt(5, source=7)),
    "whisper": Case("WhisperForConditionalGeneration", {**_TRANSLATOR, "encoder_layers": 1, "decoder_layers": 1,
                                                        "max_target_positions": 448, "max_source_positions": 1500},
                    prompt(5)),
}  # fmt: skip
DEFAULTS = {
    "llama": {"num_key_value_heads": 32, "hidden_act": "silu", "tie_word_embeddings": False, "head_dim": 2},
    "mistral": {"num_key_value_heads": 8, "hidden_act": "silu", "tie_word_embeddings": False, "sliding_window": 4096},
    "mixtral": {"num_key_value_heads": 8, "sliding_window": None, "num_local_experts": 8, "num_experts_per_tok": 2},
    "qwen2": {"num_key_value_heads": 32, "hidden_act": "silu", "tie_word_embeddings": False},
    "gpt2": {"n_positions": 1024, "n_inner": None, "activation_function": "gelu_new", "tie_word_embeddings": True},
    "bert": {**_ENCODER, "max_position_embeddings": 512, "type_vocab_size": 2, "tie_word_embeddings": True},
    "vit": _IMAGES,
    "deit": _IMAGES,
    "swin": {"image_size": 224, "patch_size": 4, "num_channels": 3, "window_size": 7, "mlp_ratio": 4.0,
             "hidden_act": "gelu", "qkv_bias": True, "use_absolute_embeddings": False},
    "t5": {"feed_forward_proj": "relu", "relative_attention_num_buckets": 32, "tie_word_embeddings": True},
    "whisper": {"encoder_ffn_dim": 1536, "decoder_ffn_dim": 1536, "num_mel_bins": 80, "max_source_positions": 1500,
                "max_target_positions": 448, "activation_function": "gelu", "tie_word_embeddings": True},
}  # fmt: skip


def left_out(kind: str, *fields: str) -> Case:
    """The case of a family that says all that it may leave out, but for these fields."""
    model, required, request = REQUIRED[kind]
    said = {"model_type": kind, "architectures": [model], **required, **DEFAULTS[kind]}
    return Case(model, {key: value for key, value in said.items() if key not in fields}, request)


# Configurations of published models, in full size: the sizes are those of their config.json.
LLAMA_2_7B = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 32000,
}
LLAMA_2_70B = {
    **LLAMA_2_7B,
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 28672,
}
BERT_BASE = {
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "vocab_size": 30522,
}
DEIT_TINY = {
    "model_type": "deit",
    "hidden_size": 192,
    "num_hidden_layers": 12,
    "num_attention_heads": 3,
    "intermediate_size": 768,
    "num_labels": 1000,
}
GPT2_SMALL = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}
LLAMA_3_70B = {**LLAMA_2_70B, "vocab_size": 128256}
DIT_XL = {
    **{key: CASES["dit"].fields[key] for key in ("norm_type", "norm_elementwise_affine", "activation_fn", "attention_bias")},
    "in_channels": 4, "out_channels": 8, "num_layers": 28, "num_attention_heads": 16, "attention_head_dim": 72,
    "sample_size": 32, "patch_size": 2, "num_embeds_ada_norm": 1000,
}  # fmt: skip
