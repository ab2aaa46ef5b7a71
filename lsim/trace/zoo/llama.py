"""Llama 2 and 3: pre-norm decoders with RMSNorm, rotary positions, gated SiLU, grouped queries and no biases.

Llama 2 7B: Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models", arXiv:2307.09288; the
config.json of meta-llama/Llama-2-7b-hf. Llama 3 70B: Grattafiori et al., "The Llama 3 Herd of Models",
arXiv:2407.21783, table 3; the config.json of meta-llama/Meta-Llama-3-70B.
"""

from attrs import frozen

from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Attention, Builder, of_last

_P = "layers.{i}"


@frozen
class Llama:
    """The sizes of a model; `hidden` is the width inside the gated feed-forward."""

    title: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int
    source: str

    @property
    def head_size(self) -> int:
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_size


LLAMA_2_7B = Llama(
    title="Llama 2 7B",
    layers=32,
    width=4096,
    heads=32,
    kv_heads=32,
    hidden=11008,
    vocabulary=32000,
    source="H. Touvron et al., Llama 2: Open Foundation and Fine-Tuned Chat Models, arXiv:2307.09288; "
    "config.json of meta-llama/Llama-2-7b-hf",
)
LLAMA_3_70B = Llama(
    title="Llama 3 70B",
    layers=80,
    width=8192,
    heads=64,
    kv_heads=8,
    hidden=28672,
    vocabulary=128256,
    source="A. Grattafiori et al., The Llama 3 Herd of Models, arXiv:2407.21783, table 3; "
    "config.json of meta-llama/Meta-Llama-3-70B",
)

_CONVENTIONS = (
    "K, after its rotary embedding, and V are entries of the KV cache.",
    "Rotary angles are computed, not stored: they are neither operands nor parameters.",
)
_PREFILL = (
    "The head covers the whole sequence, not the last token only.",
    "Attention is causal; the sizes are those of the dense product.",
)
_DECODE = (
    "One new token, counted in the context: the cache holds one token less.",
    "The new token sees every key: nothing is masked, so nothing is marked causal.",
)
_GROUPED = ("Queries that share a key-value head are stacked along the rows: K and V are counted once.",)


@frozen
class Step:
    """What one run reads: `tokens` new tokens after `cached` ones."""

    tokens: int
    cached: int = 0


def prefill(name: str, model: Llama, tokens: int) -> Document:
    """The whole prompt at once, from an empty cache."""
    return _llama(name, model, Step(tokens), f"prefill of {tokens} tokens", _PREFILL)


def decode(name: str, model: Llama, context: int) -> Document:
    """One token, which sees `context` tokens, itself included."""
    what = f"decode of one token at context {context}"
    return _llama(name, model, Step(1, context - 1), what, _DECODE)


def _llama(name: str, m: Llama, step: Step, what: str, conventions: tuple[str, ...]) -> Document:
    conventions = (*conventions, *_CONVENTIONS, *(_GROUPED if m.kv_heads < m.heads else ()))
    b = Builder(name, f"{m.title}, {what}", (m.source,), conventions, biases=False, norms="rmsnorm")
    stream = (m.width, step.tokens)
    ids = b.tensor("token_ids", Role.INPUT, step.tokens)
    word = b.tensor("embed.word", Role.WEIGHT, m.vocabulary, m.width)
    last = f"{_P}.mlp.residual.out"
    with b.repeat(m.layers, x=(b.embedding("embed", [ids, word], stream), last)):
        _mlp(b, _attention(b, "x", m, step), m, step.tokens)
    x = b.norm("norm", of_last(last, m.layers), stream)
    b.linear("head", x, (m.vocabulary, m.width), step.tokens)
    return b.document()


def _attention(b: Builder, x: str, m: Llama, step: Step) -> str:
    """Gives x + attention(norm(x))."""
    p, n, wide, narrow = f"{_P}.attn", step.tokens, (m.width, m.width), (m.kv_width, m.width)
    normed = b.norm(f"{p}.norm", x, (m.width, n))
    q, k = b.linear(f"{p}.q", normed, wide, n), b.linear(f"{p}.k", normed, narrow, n)
    v = b.linear(f"{p}.v", normed, narrow, n, kv=True)
    q = b.rotary(f"{p}.q.rotary", q, (m.width, n))
    k = b.rotary(f"{p}.k.rotary", k, (m.kv_width, n), kv=True)
    group, keys = m.heads // m.kv_heads, step.cached + n
    sizes = Attention(m.kv_heads, m.head_size, n, keys, group, causal=n > 1)
    past_k, past_v = _cached(b, f"{p}.k", m, step), _cached(b, f"{p}.v", m, step)
    mixed = b.attention(p, q, (*past_k, k), (*past_v, v), sizes)
    return b.residual(f"{p}.residual", x, b.linear(f"{p}.o", mixed, wide, n), (m.width, n))


def _cached(b: Builder, name: str, m: Llama, step: Step) -> tuple[str, ...]:
    """What the cache holds before the step: nothing, or one tensor."""
    return (b.tensor(f"{name}.cache", Role.KV, m.kv_width, step.cached),) if step.cached else ()


def _mlp(b: Builder, x: str, m: Llama, tokens: int) -> None:
    """Adds down(silu(gate(norm(x))) * up(norm(x))) to x: Shazeer, "GLU Variants", arXiv:2002.05202."""
    p, stream, wide = f"{_P}.mlp", (m.width, tokens), (m.hidden, tokens)
    normed = b.norm(f"{p}.norm", x, stream)
    gate = b.linear(f"{p}.gate", normed, (m.hidden, m.width), tokens)
    up = b.linear(f"{p}.up", normed, (m.hidden, m.width), tokens)
    gated = b.multiply(f"{p}.multiply", b.activation(f"{p}.silu", gate, wide), up, wide)
    b.residual(f"{p}.residual", x, b.linear(f"{p}.down", gated, (m.width, m.hidden), tokens), stream)
