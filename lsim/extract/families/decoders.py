"""Decoders of a KV cache each: the Llama family (Llama, Mistral, Qwen2, Mixtral) and GPT-2.

Sizes that a configuration leaves out are those of the configuration classes of Hugging Face Transformers.
"""

from attrs import evolve

from lsim.extract.config import Config
from lsim.extract.families.activations import activation
from lsim.extract.request import Request
from lsim.trace.band import DENSE
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo import llama as zoo
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.encoder import Sizes, pre_norm_layers
from lsim.trace.zoo.experts import Experts

_LLAMA = "H. Touvron et al., Llama 2: Open Foundation and Fine-Tuned Chat Models, arXiv:2307.09288"
_MISTRAL = "A. Q. Jiang et al., Mistral 7B, arXiv:2310.06825"
_QWEN2 = "A. Yang et al., Qwen2 Technical Report, arXiv:2407.10671"
_MIXTRAL = "A. Q. Jiang et al., Mixtral of Experts, arXiv:2401.04088"
_GPT2 = "A. Radford et al., Language Models are Unsupervised Multitask Learners, OpenAI 2019"


def llama(name: str, config: Config, request: Request) -> Document:
    config.one_of(["LlamaForCausalLM"])
    for key in ("attention_bias", "mlp_bias"):
        config.must(key, False, "the linear layers of a Llama have no biases")
    return zoo.forward(name, _sizes(config, "Llama", _LLAMA), request.step())


def mistral(name: str, config: Config, request: Request) -> Document:
    config.one_of(["MistralForCausalLM"])
    window = config.optional("sliding_window", missing=4096, null=0)
    model = evolve(_sizes(config, "Mistral", _MISTRAL, kv_heads=8), window=window)
    return zoo.forward(name, model, request.step())


def qwen2(name: str, config: Config, request: Request) -> Document:
    config.one_of(["Qwen2ForCausalLM"])
    config.must("use_sliding_window", False, "layers with and without a window in one model")
    model = evolve(_sizes(config, "Qwen2", _QWEN2, kv_heads=32), qkv_bias=True)
    return zoo.forward(name, model, request.step())


def mixtral(name: str, config: Config, request: Request) -> Document:
    config.one_of(["MixtralForCausalLM"])
    count, chosen = config.size("num_local_experts", 8), config.size("num_experts_per_tok", 2)
    if not chosen <= min(count, 8):
        config.refuse("num_experts_per_tok", f"must be from 1 to {min(count, 8)}, not {chosen}")
    experts = Experts(count, chosen, request.routing)
    window = config.optional("sliding_window", missing=0, null=0)
    model = evolve(_sizes(config, "Mixtral", _MIXTRAL, kv_heads=8), window=window, experts=experts)
    return zoo.forward(name, model, request.step())


def _sizes(config: Config, title: str, source: str, kv_heads: int = 0) -> zoo.Llama:
    """`kv_heads`: where the configuration does not say how many there are; 0 for as many as heads."""
    width, heads = config.size("hidden_size"), config.size("num_attention_heads")
    kv_heads = config.optional("num_key_value_heads", missing=kv_heads or heads, null=heads)
    if heads % kv_heads:
        config.refuse("num_key_value_heads", f"{kv_heads} does not divide the {heads} attention heads")
    size = config.size("head_dim", 0) if config.fields.get("head_dim") else 0
    if not size:
        config.divide("hidden_size", "num_attention_heads")
    return zoo.Llama(
        title=title,
        layers=config.layers("num_hidden_layers"),
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        hidden=config.size("intermediate_size"),
        vocabulary=config.size("vocab_size"),
        source=source,
        size=size,
        act=activation(config, "hidden_act", "silu"),
        tied=config.flag("tie_word_embeddings", False),
    )


def gpt2(name: str, config: Config, request: Request) -> Document:
    """Embedding with learned positions, layers, norm, and a head that shares the table of words."""
    config.one_of(["GPT2LMHeadModel", "GPT2Model"])
    config.must("add_cross_attention", False, "GPT-2 as a decoder of an encoder")
    step = request.step()
    positions = config.size("n_positions", 1024)
    if step.cached + step.tokens > positions:
        config.refuse(
            "n_positions", f"{positions} positions are too few for {step.cached + step.tokens} tokens"
        )
    config.divide("n_embd", "n_head")
    s = Sizes(
        layers=config.layers("n_layer"),
        width=config.size("n_embd"),
        heads=config.size("n_head"),
        tokens=step.tokens,
        batch=step.batch,
        cached=step.cached,
        hidden=config.size("n_inner", 4 * config.size("n_embd")),
        act=activation(config, "activation_function", "gelu_new"),
    )
    return _gpt2(name, config, s, (config.size("vocab_size"), positions), step.words)


def _gpt2(name: str, config: Config, s: Sizes, tables: tuple[int, int], words: str) -> Document:
    conventions = (
        "The head covers the whole sequence, not the last token only.",
        f"Attention is causal; {DENSE}.",
        "K and V of every token are entries of the KV cache.",
    )
    b = Builder(name, f"GPT-2, {words}", (_GPT2,), conventions)
    vocabulary, positions = tables
    ids = b.tensor("token_ids", Role.INPUT, s.columns)
    word = b.tensor("embed.word", Role.WEIGHT, vocabulary, s.width)
    position = b.tensor("embed.position", Role.WEIGHT, positions, s.width)
    x = b.embedding("embed", [ids, word, position], s.stream)
    x = b.norm("norm", pre_norm_layers(b, x, s, causal=True), s.stream)
    if config.one_of(["GPT2LMHeadModel", "GPT2Model"]) == "GPT2Model":
        return b.document()
    if config.flag("tie_word_embeddings", True):
        b.tied("head", x, word, (vocabulary, s.width), s.columns)
    else:
        b.linear("head", x, (vocabulary, s.width), s.columns, bias=False)
    return b.document()
