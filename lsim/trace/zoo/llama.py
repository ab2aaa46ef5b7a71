"""Llama 2 and 3: pre-norm decoders with RMSNorm, rotary positions, gated SiLU, grouped queries and no biases.

Llama 2 7B: Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models", arXiv:2307.09288; the
config.json of meta-llama/Llama-2-7b-hf. Llama 3 70B: Grattafiori et al., "The Llama 3 Herd of Models",
arXiv:2407.21783, table 3; the config.json of meta-llama/Meta-Llama-3-70B.
"""

from collections.abc import Sequence

from attrs import frozen

from lsim.trace.band import DENSE
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Attention, Builder, of_last
from lsim.trace.zoo.experts import Experts, experts
from lsim.trace.zoo.step import CHUNK, MIXED, Step

_P = "layers.{i}"


@frozen
class Llama:
    """The sizes of a model of Llama's family; `hidden` is the width inside the gated feed-forward.

    `size`: of a head, 0 for width / heads. `act`: the gate's function. `qkv_bias`: whether Q, K and V have biases.
    `tied`: whether the head's weight is the table of words. `window`: keys that a query sees, 0 for all (Mistral).
    `experts`: the experts in the place of the feed-forward (Mixtral).
    """

    title: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int
    source: str
    size: int = 0
    act: str = "silu"
    qkv_bias: bool = False
    tied: bool = False
    window: int = 0
    experts: Experts | None = None

    @property
    def head_size(self) -> int:
        return self.size or self.width // self.heads

    @property
    def q_width(self) -> int:
        return self.heads * self.head_size

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
_HEAD = "The head covers the whole sequence, not the last token only."
_PREFILL = (
    _HEAD,
    f"Attention is causal; {DENSE}.",
)
_DECODE = (
    "One new token, counted in the context: the cache holds one token less.",
    "The new token sees every key: nothing is masked, so nothing is marked causal.",
)
_GROUPED = ("Queries that share a key-value head are stacked along the rows: K and V are counted once.",)
_WINDOWED = "Attention sees the last {} tokens; the cache holds no more than that, the new token included."
_TIED = ("The head's weight is the table of words.",)


def prefill(name: str, model: Llama, tokens: int) -> Document:
    """The whole prompt at once, from an empty cache."""
    return _llama(name, model, [Step(tokens)], Step(tokens).words, _PREFILL)


def decode(name: str, model: Llama, context: int) -> Document:
    """One token, which sees `context` tokens, itself included."""
    what = f"decode of one token at context {context}"
    return _llama(name, model, [Step(1, context - 1)], what, _DECODE)


def forward(name: str, m: Llama, step: Step) -> Document:
    """A prefill or a decode step of any batch."""
    return mixed(name, m, [step])


def mixed(name: str, m: Llama, steps: Sequence[Step]) -> Document:
    """Sequences of several lengths at once: linear layers see the tokens of all, and each of `steps` has its attention."""
    what = " and ".join(step.words for step in steps)
    said = [(_HEAD, *CHUNK) if step.is_chunk else _PREFILL if step.is_prefill else _DECODE for step in steps]
    conventions = dict.fromkeys(line for lines in said for line in lines)
    return _llama(name, m, steps, what, (*conventions, *(MIXED if len(steps) > 1 else ())))


def _llama(name: str, m: Llama, steps: Sequence[Step], what: str, conventions: tuple[str, ...]) -> Document:
    conventions = (*conventions, *_CONVENTIONS, *_policies(m))
    b = Builder(name, f"{m.title}, {what}", (m.source,), conventions, biases=False, norms="rmsnorm")
    columns = sum(step.columns for step in steps)
    stream = (m.width, columns)
    ids = b.tensor("token_ids", Role.INPUT, columns)
    word = b.tensor("embed.word", Role.WEIGHT, m.vocabulary, m.width)
    last = f"{_P}.mlp.residual.out"
    with b.repeat(m.layers, x=(b.embedding("embed", [ids, word], stream), last)):
        x = _attention(b, "x", m, steps)
        if m.experts:
            experts(b, f"{_P}.mlp", x, m.experts, (m.width, m.hidden, columns), m.act)
        else:
            _mlp(b, x, m, columns)
    x = b.norm("norm", of_last(last, m.layers), stream)
    if m.tied:
        b.tied("head", x, word, (m.vocabulary, m.width), columns)
    else:
        b.linear("head", x, (m.vocabulary, m.width), columns)
    return b.document()


def _policies(m: Llama) -> tuple[str, ...]:
    """What holds of this model and not of all."""
    grouped = _GROUPED if m.kv_heads < m.heads else ()
    windowed = (_WINDOWED.format(m.window),) if m.window else ()
    return (*grouped, *windowed, *(_TIED if m.tied else ()), *(m.experts.policies if m.experts else ()))


def _attention(b: Builder, x: str, m: Llama, steps: Sequence[Step]) -> str:
    """Gives x + attention(norm(x))."""
    p, n = f"{_P}.attn", sum(step.columns for step in steps)
    stream = (m.width, n)
    normed = b.norm(f"{p}.norm", x, stream)
    q = b.linear(f"{p}.q", normed, (m.q_width, m.width), n, bias=m.qkv_bias)
    k = b.linear(f"{p}.k", normed, (m.kv_width, m.width), n, bias=m.qkv_bias)
    parts = [_parts(f"{p}.{name}", steps) for name in ("v", "q.rotary", "k.rotary")]
    b.linear_by(f"{p}.v", normed, (m.kv_width, m.width), parts[0], kv=True, bias=m.qkv_bias)
    b.rotary_by(f"{p}.q.rotary", q, m.q_width, parts[1])
    b.rotary_by(f"{p}.k.rotary", k, m.kv_width, parts[2], kv=True)
    out = tuple(
        _heads(b, p, m, step, f".{at}" if len(steps) > 1 else "", names)
        for at, (step, *names) in enumerate(zip(steps, *parts, strict=True))
    )
    mixed = out if len(out) > 1 else out[0]
    return b.residual(f"{p}.residual", x, b.linear(f"{p}.o", mixed, (m.width, m.q_width), n), stream)


def _parts(name: str, steps: Sequence[Step]) -> dict[str, int]:
    """What the tokens of each step are called, and how many they are."""
    if len(steps) == 1:
        return {f"{name}.out": steps[0].columns}
    return {f"{name}.{at}": step.columns for at, step in enumerate(steps)}


def _heads(b: Builder, p: str, m: Llama, step: Step, at: str, names: Sequence[str]) -> str:
    """The attention of a step among several, `at`; `names` are its V, Q and K."""
    v, q, k = names
    past = step.cached_in(m.window)
    past_k, past_v = (step.cache(b, f"{p}.{name}{at}", m.kv_width, past) for name in "kv")
    return b.attention(f"{p}{at}", q, (*past_k, k), (*past_v, v), _sizes(m, step, past))


def _sizes(m: Llama, step: Step, past: int) -> Attention:
    window = m.window if 0 < m.window < step.tokens else 0
    heads, group, keys = step.batch * m.kv_heads, m.heads // m.kv_heads, past + step.tokens
    causal = step.is_prefill and step.tokens > 1
    return Attention(
        heads, m.head_size, step.tokens, keys, group, causal=causal, window=window if causal else 0
    )


def _mlp(b: Builder, x: str, m: Llama, tokens: int) -> None:
    """Adds down(silu(gate(norm(x))) * up(norm(x))) to x: Shazeer, "GLU Variants", arXiv:2002.05202."""
    p, stream, wide = f"{_P}.mlp", (m.width, tokens), (m.hidden, tokens)
    normed = b.norm(f"{p}.norm", x, stream)
    gate = b.linear(f"{p}.gate", normed, (m.hidden, m.width), tokens)
    up = b.linear(f"{p}.up", normed, (m.hidden, m.width), tokens)
    gated = b.multiply(f"{p}.multiply", b.activation(f"{p}.{m.act}", gate, wide), up, wide)
    b.residual(f"{p}.residual", x, b.linear(f"{p}.down", gated, (m.width, m.hidden), tokens), stream)
