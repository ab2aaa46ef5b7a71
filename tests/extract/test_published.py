"""Models of published configurations: are their parameters and MACs those that are published?

Parameters are those of the released weights: torchvision's model pages (num_params), and elsewhere the sizes of the tensors on the
models' pages of Hugging Face, as Transformers counts them. MACs are of torchvision's pages (GFLOPS, which are MACs there), of the
papers' tables, or follow from the sizes by hand where no paper has them.
"""

import pytest
from extract.models import (
    BERT_BASE,
    DEIT_TINY,
    DIT_XL,
    GPT2_SMALL,
    LLAMA_2_7B,
    LLAMA_2_70B,
    LLAMA_3_70B,
    prompt,
    token,
)

from lsim.extract.api import from_config
from lsim.extract.config import Config
from lsim.extract.request import Request

WIDE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
VIT_BASE = {
    "model_type": "vit",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "num_labels": 1000,
}
T5_BASE = {
    "model_type": "t5",
    "d_model": 768,
    "num_layers": 12,
    "num_heads": 12,
    "d_kv": 64,
    "d_ff": 3072,
    "vocab_size": 32128,
}
T5_SMALL = {**T5_BASE, "d_model": 512, "num_layers": 6, "num_heads": 8, "d_ff": 2048}
QWEN2_7B = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
}
QWEN2_HALF_B = {
    **QWEN2_7B,
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
MISTRAL_7B = {
    **LLAMA_2_7B,
    "model_type": "mistral",
    "architectures": ["MistralForCausalLM"],
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "sliding_window": 4096,
}
MIXTRAL = {
    **MISTRAL_7B,
    "model_type": "mixtral",
    "architectures": ["MixtralForCausalLM"],
    "num_local_experts": 8,
}
LLAMA_3_8B = {**LLAMA_2_7B, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256}


def swin(width, depths, heads):
    return {
        "model_type": "swin",
        "embed_dim": width,
        "depths": depths,
        "num_heads": heads,
        "patch_size": 4,
        "image_size": 224,
        "window_size": 7,
        "num_labels": 1000,
    }


def whisper(width, layers, heads):
    sides = ("encoder", "decoder")
    return {
        "model_type": "whisper",
        "d_model": width,
        "num_mel_bins": 80,
        "vocab_size": 51865,
        **{f"{side}_layers": layers for side in sides},
        **{f"{side}_attention_heads": heads for side in sides},
        **{f"{side}_ffn_dim": 4 * width for side in sides},
    }


SWIN_T = swin(96, [2, 2, 6, 2], [3, 6, 12, 24])
SWIN_S = swin(96, [2, 2, 18, 2], [3, 6, 12, 24])
SWIN_B = swin(128, [2, 2, 18, 2], [4, 8, 16, 32])
SENTENCES = prompt(4, source=4)


@pytest.mark.parametrize(
    ("fields", "request_", "parameters"),
    [
        (BERT_BASE, prompt(128), 109_482_240),  # bert-base-uncased, its pooler included
        ({**BERT_BASE, **WIDE}, prompt(128), 335_141_888),  # bert-large-uncased
        (GPT2_SMALL, prompt(4), 124_439_808),
        ({**GPT2_SMALL, "n_embd": 1600, "n_layer": 48, "n_head": 25}, prompt(4), 1_557_611_200),
        (LLAMA_2_7B, prompt(1), 6_738_415_616),
        (LLAMA_2_70B, prompt(1), 68_976_648_192),
        (LLAMA_3_8B, prompt(1), 8_030_261_248),
        (LLAMA_3_70B, prompt(1), 70_553_706_496),
        (MISTRAL_7B, prompt(1), 7_241_732_096),
        (MIXTRAL, prompt(16), 46_702_792_704),
        (QWEN2_7B, prompt(1), 7_615_616_512),
        (QWEN2_HALF_B, prompt(4), 494_032_768),
        (T5_SMALL, SENTENCES, 60_506_624),
        (T5_BASE, SENTENCES, 222_903_552),
        # t5-v1_1-base: gated, and a head of its own
        (
            {**T5_BASE, "d_ff": 2048, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
            SENTENCES,
            247_577_856,
        ),
        (whisper(384, 4, 6), prompt(4), 37_760_640),
        (whisper(512, 6, 8), prompt(4), 72_593_920),
        (whisper(768, 12, 12), prompt(4), 241_734_912),
        (VIT_BASE, Request(), 86_567_656),
        ({**VIT_BASE, **WIDE}, Request(), 304_326_632),
        (SWIN_T, Request(), 28_288_354),
        (SWIN_S, Request(), 49_606_258),
        (SWIN_B, Request(), 87_768_224),
    ],
    ids=[
        "bert-base",
        "bert-large",
        "gpt2",
        "gpt2-xl",
        "llama-2-7b",
        "llama-2-70b",
        "llama-3-8b",
        "llama-3-70b",
        "mistral-7b",
        "mixtral-8x7b",
        "qwen2-7b",
        "qwen2-0.5b",
        "t5-small",
        "t5-base",
        "t5-1.1-base",
        "whisper-tiny",
        "whisper-base",
        "whisper-small",
        "vit-b",
        "vit-l",
        "swin-t",
        "swin-s",
        "swin-b",
    ],
)
def test_are_all_parameters_of_a_published_model_there(fields, request_, parameters):
    assert from_config(Config(fields), request_).parameters == parameters


@pytest.mark.parametrize(
    ("fields", "gmacs"),
    [({**VIT_BASE}, 17.56), ({**VIT_BASE, **WIDE}, 61.55), (SWIN_T, 4.49), (SWIN_S, 8.74), (SWIN_B, 15.43)],
    ids=["vit-b", "vit-l", "swin-t", "swin-s", "swin-b"],
)
def test_has_an_image_model_the_macs_of_its_page(fields, gmacs):
    assert from_config(Config(fields), Request()).macs / 1e9 == pytest.approx(gmacs, abs=0.005)


# By hand, from the sizes: MACs with the head over the whole sequence.
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


EMBEDDER = (
    (256 + 1) * 1152 + (1152 + 1) * 1152 + 1001 * 1152
)  # of time step and class; diffusers has one in each layer


@pytest.mark.parametrize("name", ["DiTTransformer2DModel", "Transformer2DModel"])
def test_has_dit_its_published_macs_and_parameters(name):
    """118.64 G and 675 M in the table of all models in the appendix of the paper. Each layer's own embedding of the time step is diffusers' and adds 0.03 G."""
    trace = from_config(Config({"_class_name": name, **DIT_XL}), Request())
    width = 16 * 72
    assert trace.macs - 28 * (256 * width + width * width) == pytest.approx(118.64e9, rel=2e-4)
    assert (trace.parameters - 27 * EMBEDDER) / 1e6 == pytest.approx(675, abs=0.5)


@pytest.mark.parametrize("name", ["DiTTransformer2DModel", "Transformer2DModel"])
def test_has_dit_the_macs_and_parameters_that_its_paper_describes(name):
    """By hand: 256 patches of 16 elements, 28 layers, a head of 32 features; embeddings of time and class once for all layers.

    Positions are sines, and no parameters. Diffusers embeds the time step in each layer, and once more for the head.
    """
    e, n, layers = 1152, 256, 28
    trace = from_config(Config({"_class_name": name, **DIT_XL}), Request())
    attention, feed_forward, modulation = 4 * (e * e + e), 8 * e * e + 5 * e, 6 * (e * e + e)
    head = 2 * (e * e + e) + (e + 1) * 32
    layer = attention + feed_forward + modulation
    assert trace.parameters - (layers - 1) * EMBEDDER == (16 + 1) * e + EMBEDDER + layers * layer + head
    products = 12 * e * e * n + 2 * n * n * e + 6 * e * e
    time = (layers + 1) * (256 * e + e * e)
    assert trace.macs == 16 * e * n + layers * products + time + 2 * e * e + 32 * e * n
