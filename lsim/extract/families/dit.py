"""DiT: a diffusion Transformer on a latent image; one step of denoising.

Peebles and Xie, "Scalable Diffusion Models with Transformers", ICCV 2023, arXiv:2212.09748. The graph is that of
diffusers' DiTTransformer2DModel, in which every layer has an embedding of time step and class of its own.
"""

from attrs import frozen

from lsim.extract.config import Config
from lsim.extract.families.activations import activation
from lsim.extract.request import Request
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Attention, Builder, of_last

FREQUENCIES = 256  # sines and cosines of the time step

_SOURCE = "W. Peebles and S. Xie, Scalable Diffusion Models with Transformers, ICCV 2023, arXiv:2212.09748"
_CONVENTIONS = (
    "One step of denoising.",
    "Sines and cosines of the time step are prepared outside the machine; positions are constants.",
    "Shifts, scales and gates are repeated for all tokens by the operators that read them.",
)
_P = "layers.{i}"
_PARTS = ("shift1", "scale1", "gate1", "shift2", "scale2", "gate2")


@frozen
class Sizes:
    """Layers, features of a token, heads, patches of each of `batch` images, classes, and the function between layers."""

    layers: int
    width: int
    heads: int
    tokens: int
    batch: int
    classes: int
    act: str

    @property
    def columns(self) -> int:
        return self.batch * self.tokens

    @property
    def stream(self) -> tuple[int, int]:
        return self.width, self.columns


def dit(name: str, config: Config, request: Request) -> Document:
    request.image("DiT")
    for key, value in (
        ("norm_type", "ada_norm_zero"),
        ("norm_elementwise_affine", False),
        ("attention_bias", True),
    ):
        config.must(key, value, "other norms and attentions than those of the published model")
    patches = config.divide("sample_size", "patch_size", (32, 2)) ** 2
    heads, size = config.size("num_attention_heads", 16), config.size("attention_head_dim", 72)
    classes = config.size("num_embeds_ada_norm", 1000)
    act = activation(config, "activation_fn", "gelu-approximate")
    s = Sizes(config.layers("num_layers", 28), heads * size, heads, patches, request.batch, classes, act)
    side = config.size("sample_size", 32)
    words = f"DiT, one {side}x{side} latent image" + (f", batch {s.batch}" if s.batch > 1 else "")
    b = Builder(name, words, (_SOURCE,), _CONVENTIONS)
    area, channels = config.size("patch_size", 2) ** 2, config.size("in_channels", 4)
    latent = b.tensor("patches", Role.INPUT, channels * area, s.columns)
    b.tensor("label", Role.INPUT, s.batch)
    b.tensor("time", Role.INPUT, FREQUENCIES, s.batch)
    x = _layers(b, b.linear("embed", latent, (s.width, channels * area), s.columns), s)
    _head(b, x, s, area * config.size("out_channels", channels))
    return b.document()


def transformer2d(name: str, config: Config, request: Request) -> Document:
    """The older class of diffusers: a DiT if its configuration says so, in fields that default to something else."""
    config.word("norm_type", known=("ada_norm_zero",))
    for key in (
        "norm_elementwise_affine",
        "attention_bias",
        "activation_fn",
        "sample_size",
        "patch_size",
        "num_layers",
    ):
        if key not in config.fields:
            config.refuse(key, "is missing")
    return dit(name, config, request)


def _layers(b: Builder, first: str, s: Sizes) -> str:
    last = f"{_P}.residual2.out"
    with b.repeat(s.layers, x=(first, last)):
        _declare_condition(b, _P, s)
        parts = {f"{_P}.{part}": s.width for part in _PARTS}
        b.split(f"{_P}.modulate", _condition(b, _P, _P, s), (6 * s.width, s.width), s.batch, parts)
        mixed = _attention(b, _modulated(b, f"{_P}.norm1", "x", (f"{_P}.scale1", f"{_P}.shift1"), s), s)
        gated = b.multiply(f"{_P}.gated1", mixed, f"{_P}.gate1", s.stream)
        x = b.residual(f"{_P}.residual1", gated, "x", s.stream)
        out = _feed_forward(b, _modulated(b, f"{_P}.norm2", x, (f"{_P}.scale2", f"{_P}.shift2"), s), s)
        b.residual(f"{_P}.residual2", b.multiply(f"{_P}.gated2", out, f"{_P}.gate2", s.stream), x, s.stream)
    return of_last(last, s.layers)


def _declare_condition(b: Builder, p: str, s: Sizes) -> None:
    """The parameters of an embedding of time step and class; one class more stands for none."""
    b.tensor(f"{p}.time1.weight", Role.WEIGHT, s.width, FREQUENCIES)
    b.tensor(f"{p}.time2.weight", Role.WEIGHT, s.width, s.width)
    for name in ("time1.bias", "time2.bias"):
        b.tensor(f"{p}.{name}", Role.WEIGHT, s.width)
    b.tensor(f"{p}.label.weight", Role.WEIGHT, s.classes + 1, s.width)


def _condition(b: Builder, p: str, weights: str, s: Sizes) -> str:
    """SiLU of the sum of the embeddings of time step and class, with the parameters named after `weights`."""
    one = (s.width, s.batch)
    x = "time"
    for name, depth in (("time1", FREQUENCIES), ("time2", s.width)):
        operands = [f"{weights}.{name}.weight", x, f"{weights}.{name}.bias"]
        b.gemm(f"{p}.{name}", operands, (1, s.width, depth, s.batch), {f"{p}.{name}.out": one})
        x = b.activation(f"{p}.time.silu", f"{p}.{name}.out", one) if name == "time1" else f"{p}.{name}.out"
    label = b.embedding(f"{p}.label", ["label", f"{weights}.label.weight"], one)
    return b.activation(f"{p}.silu", b.residual(f"{p}.condition", x, label, one), one)


def _modulated(b: Builder, name: str, x: str, by: tuple[str, str], s: Sizes) -> str:
    """norm(x) · (1 + scale) + shift."""
    scale, shift = by
    normed = b.norm(name, x, s.stream, learned=False)
    return b.residual(f"{name}.shift", b.multiply(f"{name}.scale", normed, scale, s.stream), shift, s.stream)


def _attention(b: Builder, x: str, s: Sizes) -> str:
    square = (s.width, s.width)
    q, k, v = (b.linear(f"{_P}.{name}", x, square, s.columns) for name in "qkv")
    sizes = Attention(s.batch * s.heads, s.width // s.heads, s.tokens, s.tokens)
    return b.linear(f"{_P}.proj", b.attention(f"{_P}.attn", q, k, v, sizes), square, s.columns)


def _feed_forward(b: Builder, x: str, s: Sizes) -> str:
    hidden = 4 * s.width
    wide = b.linear(f"{_P}.ffn1", x, (hidden, s.width), s.columns)
    wide = b.activation(f"{_P}.{s.act}", wide, (hidden, s.columns))
    return b.linear(f"{_P}.ffn2", wide, (s.width, hidden), s.columns)


def _head(b: Builder, x: str, s: Sizes, features: int) -> None:
    """Modulated by the first layer's embedding of time step and class, computed once more."""
    parts = {"head.shift": s.width, "head.scale": s.width}
    b.split("head.modulate", _condition(b, "head", "layers.0", s), (2 * s.width, s.width), s.batch, parts)
    x = _modulated(b, "head.norm", x, ("head.scale", "head.shift"), s)
    b.linear("head", x, (features, s.width), s.columns)
