"""The layers that DeiT, BERT and GPT-2 share: fused QKV attention and a GELU feed-forward, all with biases.

Vaswani et al., "Attention is all you need", NeurIPS 2017; GELU: Hendrycks and Gimpel, arXiv:1606.08415.
"""

from attrs import frozen

from lsim.trace.zoo.builder import Attention, Builder, of_last

LT_PAPER = (
    "H. Zhu et al., Lightening-Transformer: A Dynamically-operated Optically-interconnected Photonic "
    "Transformer Accelerator, HPCA 2024, arXiv:2305.19533: the GEMMs are those of its released estimator"
)

_P = "layers.{i}"


@frozen
class Sizes:
    """Layers, features of a token, attention heads and tokens."""

    layers: int
    width: int
    heads: int
    tokens: int

    @property
    def stream(self) -> tuple[int, int]:
        """The shape of what passes from layer to layer."""
        return self.width, self.tokens


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
    """Fused QKV, attention, projection. Causal attention keeps K and V in the KV cache."""
    q, k, v = f"{_P}.q", f"{_P}.k", f"{_P}.v"
    parts = dict.fromkeys((q, k, v), s.width)
    b.split(f"{_P}.qkv", x, (3 * s.width, s.width), s.tokens, parts, kv=(k, v) if causal else ())
    sizes = Attention(s.heads, s.width // s.heads, s.tokens, s.tokens, causal=causal)
    mixed = b.attention(f"{_P}.attn", q, k, v, sizes)
    return b.linear(f"{_P}.proj", mixed, (s.width, s.width), s.tokens)


def _feed_forward(b: Builder, x: str, s: Sizes) -> str:
    """Two linear layers, four times the width between them, with GELU."""
    hidden = 4 * s.width
    wide = b.linear(f"{_P}.ffn1", x, (hidden, s.width), s.tokens)
    wide = b.activation(f"{_P}.gelu", wide, (hidden, s.tokens))
    return b.linear(f"{_P}.ffn2", wide, (s.width, hidden), s.tokens)
