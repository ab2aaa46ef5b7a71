"""The layers that T5 and Whisper share: pre-norm encoders and decoders, the latter with cross attention."""

from attrs import frozen

from lsim.trace.band import DENSE
from lsim.trace.zoo.builder import Attention, Builder, Operand, of_last
from lsim.trace.zoo.step import Step

CONVENTIONS = (
    "The head covers the whole sequence of the decoder, not its last token only.",
    f"The decoder's attention to itself is causal; {DENSE}.",
    "K and V of the decoder, of both attentions, are entries of the KV cache; a decode step runs no encoder.",
)


@frozen
class Layers:
    """Equal layers, under `name`. `size`: of a head. `gated`: whether two layers feed the function's product.

    K has no bias in either family. `bias`: a tensor added to the scores of the
    attention of tokens to each other. `source`: tokens that the encoder has read; 0 for the encoder itself.
    """

    name: str
    count: int
    width: int
    heads: int
    size: int
    hidden: int
    act: str
    gated: bool = False
    bias: str = ""
    source: int = 0

    @property
    def place(self) -> str:
        return f"{self.name}.layers.{{i}}"

    @property
    def mixed(self) -> int:
        """Features of all heads."""
        return self.heads * self.size


def layers(b: Builder, first: str, s: Layers, step: Step, encoded: str = "") -> str:
    """All layers; `encoded` is what cross attention reads, unless it is in the KV cache."""
    last = f"{s.place}.ffn.residual.out"
    with b.repeat(s.count, x=(first, last)):
        x = _attention(b, "x", s, step)
        _feed_forward(b, _cross(b, x, s, step, encoded) if s.source else x, s, step)
    return of_last(last, s.count)


def _attention(b: Builder, x: str, s: Layers, step: Step) -> str:
    """Gives x + attention(norm(x)); the decoder's is causal and has a KV cache."""
    p, n, decodes = f"{s.place}.attn", step.columns, s.source > 0
    normed = b.norm(f"{p}.norm", x, (s.width, n))
    q = b.linear(f"{p}.q", normed, (s.mixed, s.width), n)
    k = b.linear(f"{p}.k", normed, (s.mixed, s.width), n, kv=decodes, bias=False)
    v = b.linear(f"{p}.v", normed, (s.mixed, s.width), n, kv=decodes)
    past_k, past_v = (step.cache(b, f"{p}.{name}", s.mixed, step.cached) for name in "kv")
    causal = decodes and step.tokens > 1
    keys = step.cached + step.tokens
    sizes = Attention(step.batch * s.heads, s.size, step.tokens, keys, causal=causal, bias=s.bias)
    return _projected(b, p, x, b.attention(p, q, (*past_k, k), (*past_v, v), sizes), s, n)


def _cross(b: Builder, x: str, s: Layers, step: Step, encoded: str) -> str:
    """Gives x + attention(norm(x), of what the encoder made)."""
    p, n = f"{s.place}.cross", step.columns
    q = b.linear(f"{p}.q", b.norm(f"{p}.norm", x, (s.width, n)), (s.mixed, s.width), n)
    k: Operand
    v: Operand
    if step.is_prefill:
        read = step.batch * s.source
        k = b.linear(f"{p}.k", encoded, (s.mixed, s.width), read, kv=True, bias=False)
        v = b.linear(f"{p}.v", encoded, (s.mixed, s.width), read, kv=True)
    else:
        k, v = (step.cache(b, f"{p}.{name}", s.mixed, s.source) for name in "kv")
    sizes = Attention(step.batch * s.heads, s.size, step.tokens, s.source)
    return _projected(b, p, x, b.attention(p, q, k, v, sizes), s, n)


def _projected(b: Builder, p: str, x: str, mixed: str, s: Layers, tokens: int) -> str:
    out = b.linear(f"{p}.o", mixed, (s.width, s.mixed), tokens)
    return b.residual(f"{p}.residual", x, out, (s.width, tokens))


def _feed_forward(b: Builder, x: str, s: Layers, step: Step) -> None:
    """Adds feed_forward(norm(x)) to x."""
    p, n = f"{s.place}.ffn", step.columns
    wide = (s.hidden, n)
    normed = b.norm(f"{p}.norm", x, (s.width, n))
    made = b.activation(f"{p}.{s.act}", b.linear(f"{p}.ffn1", normed, (s.hidden, s.width), n), wide)
    if s.gated:
        made = b.multiply(f"{p}.multiply", made, b.linear(f"{p}.up", normed, (s.hidden, s.width), n), wide)
    out = b.linear(f"{p}.ffn2", made, (s.width, s.hidden), n)
    b.residual(f"{p}.residual", x, out, (s.width, n))
