"""Swin: a Vision Transformer whose attention stays in windows, and whose patches are merged from stage to stage.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021, arXiv:2103.14030.
"""

from attrs import frozen

from lsim.extract.config import MAX_LAYERS, Config
from lsim.extract.families.activations import activation
from lsim.extract.request import Request
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Attention, Builder, of_last

_SOURCE = "Z. Liu et al., Swin Transformer, ICCV 2021, arXiv:2103.14030"
_CONVENTIONS = (
    "Windows are heads: an attention has windows x heads of them. Shifting and cutting windows moves nothing.",
    "Masks of shifted windows skip no work.",
    "The bias of relative positions is gathered in each layer, and repeated for all windows.",
    "Average pooling is a GEMM with a constant vector.",
)


@frozen
class Stage:
    """Equal layers at one resolution: `side` x `side` patches, `window` x `window` of them in a window."""

    name: str
    layers: int
    width: int
    heads: int
    side: int
    window: int
    batch: int
    hidden: int
    act: str
    qkv_bias: bool

    @property
    def tokens(self) -> int:
        return self.batch * self.side**2

    @property
    def stream(self) -> tuple[int, int]:
        return self.width, self.tokens


def swin(name: str, config: Config, request: Request) -> Document:
    model = config.one_of(["SwinForImageClassification", "SwinModel"])
    config.must("use_absolute_embeddings", False, "learned positions beside those of the attention")
    request.image("Swin")
    stages, side = _stages(config, request.batch), config.size("image_size", 224)
    words = f"Swin, one {side}x{side} image" + (f", batch {request.batch}" if request.batch > 1 else "")
    b = Builder(name, words, (_SOURCE,), _CONVENTIONS)
    first, last = stages[0], stages[-1]
    elements = config.size("num_channels", 3) * config.size("patch_size", 4) ** 2
    pixels = b.tensor("patches", Role.INPUT, elements, first.tokens)
    x = b.norm("embed.norm", b.linear("embed", pixels, (first.width, elements), first.tokens), first.stream)
    for s in stages:
        x = _layers(b, x, s)
        x = _merged(b, x, s) if s is not last else b.norm("norm", x, s.stream)
    x = _pooled(b, x, last)
    if model == "SwinForImageClassification":
        b.linear("head", x, (config.labels(), last.width), request.batch)
    return b.document()


def _stages(config: Config, batch: int) -> list[Stage]:
    depths, heads = config.sizes("depths"), config.sizes("num_heads")
    if len(depths) != len(heads):
        config.refuse("num_heads", f"has {len(heads)} stages, 'depths' has {len(depths)}")
    if sum(depths) > MAX_LAYERS:
        config.refuse("depths", f"must be at most {MAX_LAYERS:,} layers in all, not {sum(depths):,}")
    side, window = config.divide("image_size", "patch_size", (224, 4)), config.size("window_size", 7)
    ratio, act, qkv_bias = (
        config.number("mlp_ratio", 4.0),
        activation(config, "hidden_act", "gelu"),
        config.flag("qkv_bias", True),
    )
    stages = []
    for at, (count, number) in enumerate(zip(depths, heads, strict=True)):
        width = config.size("embed_dim") * 2**at
        if side % window or (at < len(depths) - 1 and side % 2):
            config.refuse("window_size", f"{side} x {side} patches of stage {at} would have to be padded")
        if width % number:
            config.refuse("num_heads", f"{number} does not divide the width {width} of stage {at}")
        sizes = (count, width, number, side, window, batch, int(ratio * width))
        stages.append(Stage(f"stages.{at}", *sizes, act, qkv_bias))
        side //= 2
    return stages


def _layers(b: Builder, first: str, s: Stage) -> str:
    p = f"{s.name}.layers.{{i}}"
    last = f"{p}.residual2.out"
    with b.repeat(s.layers, x=(first, last)):
        mixed = _attention(b, p, b.norm(f"{p}.norm1", "x", s.stream), s)
        x = b.residual(f"{p}.residual1", "x", mixed, s.stream)
        wide = b.linear(f"{p}.ffn1", b.norm(f"{p}.norm2", x, s.stream), (s.hidden, s.width), s.tokens)
        wide = b.activation(f"{p}.{s.act}", wide, (s.hidden, s.tokens))
        b.residual(f"{p}.residual2", x, b.linear(f"{p}.ffn2", wide, (s.width, s.hidden), s.tokens), s.stream)
    return of_last(last, s.layers)


def _attention(b: Builder, p: str, x: str, s: Stage) -> str:
    """Of the patches of each window to each other."""
    square, n = (s.width, s.width), s.window**2
    q, k, v = (b.linear(f"{p}.{name}", x, square, s.tokens, bias=s.qkv_bias) for name in "qkv")
    table = b.tensor(f"{p}.bias.weight", Role.WEIGHT, (2 * s.window - 1) ** 2, s.heads)
    bias = b.embedding(f"{p}.bias", [table], (s.heads, n * n), label="position")
    sizes = Attention(s.tokens // n * s.heads, s.width // s.heads, n, n, bias=bias)
    return b.linear(f"{p}.proj", b.attention(f"{p}.attn", q, k, v, sizes), square, s.tokens)


def _merged(b: Builder, x: str, s: Stage) -> str:
    """Four neighbouring patches become one of twice the width."""
    joined = 4 * s.width
    x = b.norm(f"{s.name}.merge.norm", x, (joined, s.tokens // 4))
    return b.linear(f"{s.name}.merge", x, (2 * s.width, joined), s.tokens // 4, bias=False)


def _pooled(b: Builder, x: str, s: Stage) -> str:
    patches, features = s.side**2, s.width * s.batch
    vector = b.tensor("pool.mean", Role.INPUT, patches)
    b.gemm("pool", [x, vector], (1, features, patches, 1), {"pool.out": (s.width, s.batch)})
    return "pool.out"
