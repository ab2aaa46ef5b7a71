"""GPT-2: a pre-norm decoder, here reading a whole sequence (prefill).

Sizes: Radford et al., "Language Models are Unsupervised Multitask Learners", OpenAI 2019, table 2 (the
smallest model); the config.json of openai-community/gpt2.
"""

from collections.abc import Sequence

from lsim.trace.band import DENSE
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.encoder import Sizes, pre_norm_layers
from lsim.trace.zoo.step import CHUNK, MIXED, Step

VOCABULARY = 50257
POSITIONS = 1024

SMALL = Sizes(layers=12, width=768, heads=12, tokens=1024)

_SOURCES = (
    "A. Radford et al., Language Models are Unsupervised Multitask Learners, OpenAI 2019, table 2; "
    "config.json of openai-community/gpt2",
)
_CONVENTIONS = (
    "The head covers the whole sequence, not the last token only; its weight is the table of words.",
    f"Attention is causal; {DENSE}.",
    "K and V of every token are entries of the KV cache.",
)


def gpt2(name: str, title: str, s: Sizes, steps: Sequence[Step] = ()) -> Document:
    """Embedding with learned positions, layers, norm, and a head that shares the table of words.

    `steps`: of sequences of several lengths at once; `s` has the tokens of all.
    """
    what = " and ".join(step.words for step in steps) or Step(s.tokens).words
    chunks = CHUNK if any(step.is_chunk for step in steps) else ()
    mixes = MIXED if len(steps) > 1 else ()
    b = Builder(name, f"{title}, {what}", _SOURCES, (*_CONVENTIONS, *chunks, *mixes))
    ids = b.tensor("token_ids", Role.INPUT, s.columns)
    word = b.tensor("embed.word", Role.WEIGHT, VOCABULARY, s.width)
    position = b.tensor("embed.position", Role.WEIGHT, POSITIONS, s.width)
    x = b.embedding("embed", [ids, word, position], s.stream)
    x = b.norm("norm", pre_norm_layers(b, x, s, causal=True, steps=steps), s.stream)
    b.tied("head", x, word, (VOCABULARY, s.width), s.columns)
    return b.document()
