"""The layers that DeiT, BERT and GPT-2 share: fused QKV attention and a GELU feed-forward, all with biases.

Vaswani et al., "Attention is all you need", NeurIPS 2017; GELU: Hendrycks and Gimpel, arXiv:1606.08415.
"""

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


def pre_norm_layers(b: Builder, first: str, s: Sizes, *, causal: bool = False) -> str:
    """All layers, each x + attention(norm(x)), then x + feed_forward(norm(x))."""
    last = f"{_P}.residual2.out"
    with b.repeat(s.layers, x=(first, last)):
        mixed = _attention(b, b.norm(f"{_P}.norm1", "x", s.stream), s, causal=causal)
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


def _attention(b: Builder, x: str, s: Sizes, *, causal: bool = False) -> str:
    """Q, K and V, attention, projection. Causal attention keeps K and V in the KV cache."""
    q, k, v = _qkv(b, x, s, causal)
    step = Step(s.tokens, s.cached, s.batch)
    past_k, past_v = (step.cache(b, f"{_P}.{name}", s.width, s.cached) for name in "kv")
    heads, keys = s.batch * s.heads, s.cached + s.tokens
    sizes = Attention(heads, s.width // s.heads, s.tokens, keys, causal=causal and s.tokens > 1)
    mixed = b.attention(f"{_P}.attn", q, (*past_k, k), (*past_v, v), sizes)
    return b.linear(f"{_P}.proj", mixed, (s.width, s.width), s.columns)


def _qkv(b: Builder, x: str, s: Sizes, kv: bool) -> tuple[str, str, str]:
    """Queries, keys and values, from one linear layer or three; `kv` sends keys and values to the KV cache."""
    q, k, v = f"{_P}.q", f"{_P}.k", f"{_P}.v"
    if not s.fused:
        square = (s.width, s.width)
        made = (b.linear(p, x, square, s.columns, kv=kv and p != q, bias=s.qkv_bias) for p in (q, k, v))
        return next(made), next(made), next(made)
    parts = dict.fromkeys((q, k, v), s.width)
    b.split(f"{_P}.qkv", x, (3 * s.width, s.width), s.columns, parts, kv=(k, v) if kv else ())
    return q, k, v


def _feed_forward(b: Builder, x: str, s: Sizes) -> str:
    """Two linear layers, with a function of each element between them."""
    hidden = s.hidden or 4 * s.width
    wide = b.linear(f"{_P}.ffn1", x, (hidden, s.width), s.columns)
    wide = b.activation(f"{_P}.{s.act}", wide, (hidden, s.columns))
    return b.linear(f"{_P}.ffn2", wide, (s.width, hidden), s.columns)
