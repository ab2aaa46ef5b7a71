"""DeiT: a pre-norm Vision Transformer on one 224x224 image, in 16x16 patches.

Sizes: Touvron et al., "Training data-efficient image transformers & distillation through attention", ICML
2021, arXiv:2012.12877, table 1; the config.json of facebook/deit-{tiny,small,base}-patch16-224.
"""

from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.encoder import LT_PAPER, Sizes, pre_norm_layers

PATCHES = (224 // 16) ** 2
PATCH_ELEMENTS = 16 * 16 * 3
CLASSES = 1000

TINY = Sizes(layers=12, width=192, heads=3, tokens=PATCHES + 1)
SMALL = Sizes(layers=12, width=384, heads=6, tokens=PATCHES + 1)
BASE = Sizes(layers=12, width=768, heads=12, tokens=PATCHES + 1)

_SOURCES = (
    "H. Touvron et al., Training data-efficient image transformers & distillation through attention, ICML "
    "2021, arXiv:2012.12877, table 1; config.json of facebook/deit-{tiny,small,base}-patch16-224",
    LT_PAPER,
)
_CONVENTIONS = (
    "The class token is concatenated to the embedded patches by the operator that adds the positions.",
    "The last norm covers all tokens; the head reads the class token only, gathered by 'class'.",
    "No distillation token.",
)


def deit(name: str, title: str, s: Sizes) -> Document:
    """Patch embedding, layers, norm, and a classifier on the class token."""
    b = Builder(name, f"{title}, one 224x224 image, {s.tokens} tokens", _SOURCES, _CONVENTIONS)
    patches = b.tensor("patches", Role.INPUT, PATCH_ELEMENTS, PATCHES)
    embedded = b.linear("embed", patches, (s.width, PATCH_ELEMENTS), PATCHES)
    class_token = b.tensor("class_token", Role.WEIGHT, s.width, 1)
    position = b.tensor("position", Role.WEIGHT, *s.stream)
    x = b.residual("positions", (class_token, embedded), position, s.stream, label="position")
    x = b.norm("norm", pre_norm_layers(b, x, s), s.stream)
    x = b.embedding("class", [x], (s.width, 1), label="class token")
    b.linear("head", x, (CLASSES, s.width), 1)
    return b.document()
