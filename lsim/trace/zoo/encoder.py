"""The layers that DeiT, BERT and GPT-2 share: fused QKV attention and a GELU feed-forward, all with biases.

Vaswani et al., "Attention is all you need", NeurIPS 2017; GELU: Hendrycks and Gimpel, arXiv:1606.08415.
"""

from collections.abc import Sequence

from attrs import frozen

from lsim.trace.zoo.builder import Attention, Builder, of_last
from lsim.trace.zoo.step import Step

LT_PAPER = (
    "H. Zhu et al., Lightening-Transformer: A Dynamically-operated Optically-interconnected Photonic "
    "Transformer Accelerator, HPCA 2024, arXiv:2305.19533: the GEMMs are those of its released estimator"
)

_P = "layers.{i}"


@frozen
class Sizes:
    """Layers, features of a token, attention heads and tokens of each of `batch` sequences, after `cached` ones.

    `hidden`: width inside the feed-forward, 0 for four times the width. `act`: its function. `fused`: whether Q, K
    and V are one linear layer; `qkv_bias`: whether they have biases.
    """

    layers: int
    width: int
    heads: int
    tokens: int
    batch: int = 1
    cached: int = 0
    hidden: int = 0
    act: str = "gelu"
    fused: bool = True
    qkv_bias: bool = True

    @property
    def columns(self) -> int:
        """Tokens of all sequences."""
        return self.batch * self.tokens

    @property
    def stream(self) -> tuple[int, int]:
        """The shape of what passes from layer to layer."""
        return self.width, self.columns


def pre_norm_layers(
    b: Builder, first: str, s: Sizes, *, causal: bool = False, steps: Sequence[Step] = ()
) -> str:
    """All layers, each x + attention(norm(x)), then x + feed_forward(norm(x)).

    `steps`: of sequences of several lengths at once, each of which has its attention; `s` has the tokens of all.
    """
    last = f"{_P}.residual2.out"
    with b.repeat(s.layers, x=(first, last)):
        mixed = _attention(b, b.norm(f"{_P}.norm1", "x", s.stream), s, causal=causal, steps=steps)
        x = b.residual(f"{_P}.residual1", "x", mixed, s.stream)
        out = _feed_forward(b, b.norm(f"{_P}.norm2", x, s.stream), s)
        b.residual(f"{_P}.residual2", x, out, s.stream)
    return of_last(last, s.layers)


def post_norm_layers(b: Builder, first: str, s: Sizes) -> str:
    """All layers, each norm(x + attention(x)), then norm(x + feed_forward(x))."""
    last = f"{_P}.norm2.out"
    with b.repeat(s.layers, x=(first, last)):
        x = b.residual(f"{_P}.residual1", "x", _attention(b, "x", s), s.stream)
        x = b.norm(f"{_P}.norm1", x, s.stream)
        x = b.residual(f"{_P}.residual2", x, _feed_forward(b, x, s), s.stream)
        b.norm(f"{_P}.norm2", x, s.stream)
    return of_last(last, s.layers)


def _attention(b: Builder, x: str, s: Sizes, *, causal: bool = False, steps: Sequence[Step] = ()) -> str:
    """Q, K and V, attention, projection. Causal attention keeps K and V in the KV cache."""
    steps = steps or [Step(s.tokens, s.cached, s.batch)]
    mixed = tuple(
        _heads(b, s, step, f".{at}" if len(steps) > 1 else "", names, causal)
        for at, (step, names) in enumerate(zip(steps, _qkv(b, x, s, steps, causal), strict=True))
    )
    return b.linear(f"{_P}.proj", mixed if len(mixed) > 1 else mixed[0], (s.width, s.width), s.columns)


def _heads(b: Builder, s: Sizes, step: Step, at: str, names: Sequence[str], causal: bool) -> str:
    """The attention of a step among several, `at`; `names` are its Q, K and V."""
    q, k, v = names
    past_k, past_v = (step.cache(b, f"{_P}.{name}{at}", s.width, step.cached) for name in "kv")
    heads, keys = step.batch * s.heads, step.cached + step.tokens
    masked = causal and step.tokens > 1 and step.is_prefill
    sizes = Attention(heads, s.width // s.heads, step.tokens, keys, causal=masked)
    return b.attention(f"{_P}.attn{at}", q, (*past_k, k), (*past_v, v), sizes)


def _qkv(b: Builder, x: str, s: Sizes, steps: Sequence[Step], kv: bool) -> list[tuple[str, ...]]:
    """Queries, keys and values of each step, from one linear layer or three; `kv` sends keys and values to the KV cache."""
    names = [f"{_P}.q", f"{_P}.k", f"{_P}.v"]
    if not s.fused:
        square = (s.width, s.width)
        return [
            tuple(b.linear(p, x, square, s.columns, kv=kv and p != names[0], bias=s.qkv_bias) for p in names)
        ]
    own = [tuple(f"{p}.{at}" if len(steps) > 1 else p for p in names) for at in range(len(steps))]
    parts = {
        p: (s.width, step.columns)
        for i in range(3)
        for p, step in zip([o[i] for o in own], steps, strict=True)
    }
    cached = tuple(p for _, *keys in own for p in keys) if kv else ()
    b.split_by(f"{_P}.qkv", x, (3 * s.width, s.width), s.columns, parts, kv=cached)
    return own


def _feed_forward(b: Builder, x: str, s: Sizes) -> str:
    """Two linear layers, with a function of each element between them."""
    hidden = s.hidden or 4 * s.width
    wide = b.linear(f"{_P}.ffn1", x, (hidden, s.width), s.columns)
    wide = b.activation(f"{_P}.{s.act}", wide, (hidden, s.columns))
    return b.linear(f"{_P}.ffn2", wide, (s.width, hidden), s.columns)
