"""BERT: a post-norm encoder with a two-way classifier.

Sizes: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
NAACL 2019, arXiv:1810.04805, section 3; tables: the config.json of google-bert/bert-{base,large}-uncased.
"""

from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.encoder import LT_PAPER, Sizes, post_norm_layers

TABLES = {"word": 30522, "position": 512, "segment": 2}
CLASSES = 2

_SOURCES = (
    "J. Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding, "
    "NAACL 2019, arXiv:1810.04805, section 3; config.json of google-bert/bert-{base,large}-uncased",
    LT_PAPER,
)
_CONVENTIONS = (
    "No pooler; a classifier of two classes on the class token, gathered by 'class': the published GEMMs.",
    "The embedding gathers and sums rows of three tables (words, positions, segments); it is no GEMM.",
)


def base(tokens: int) -> Sizes:
    return Sizes(layers=12, width=768, heads=12, tokens=tokens)


def large(tokens: int) -> Sizes:
    return Sizes(layers=24, width=1024, heads=16, tokens=tokens)


def bert(name: str, title: str, s: Sizes) -> Document:
    """Embedding and its norm, layers, and a classifier on the class token."""
    b = Builder(name, f"{title}, one sequence of {s.tokens} tokens", _SOURCES, _CONVENTIONS)
    ids = (b.tensor("token_ids", Role.INPUT, s.tokens), b.tensor("segment_ids", Role.INPUT, s.tokens))
    tables = [b.tensor(f"embed.{table}", Role.WEIGHT, rows, s.width) for table, rows in TABLES.items()]
    x = b.norm("embed.norm", b.embedding("embed", [ids, *tables], s.stream), s.stream)
    x = post_norm_layers(b, x, s)
    x = b.embedding("class", [x], (s.width, 1), label="class token")
    b.linear("head", x, (CLASSES, s.width), 1)
    return b.document()
