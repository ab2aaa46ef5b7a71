"""The models that come with lsim, built from published sizes. Nothing is downloaded.

Each builder cites its sizes and states its conventions, which the trace file repeats; other sizes of a family
are one call to its builder. `python -m lsim.trace.zoo FOLDER` writes all files.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from lsim.errors import TraceError
from lsim.trace.document import Document
from lsim.trace.files import SUFFIX, write_text
from lsim.trace.text import text_of
from lsim.trace.zoo import bert, deit, gpt2, llama

# Tokens: 197 (DeiT), 128 (BERT-Base) and 320 (BERT-Large) are those of Lightening-Transformer (HPCA 2024);
# 384 is the sequence length of BERT's own SQuAD runs (github.com/google-research/bert).
MODELS: Mapping[str, Callable[[str], Document]] = {
    "deit-tiny": partial(deit.deit, title="DeiT-Tiny", s=deit.TINY),
    "deit-small": partial(deit.deit, title="DeiT-Small", s=deit.SMALL),
    "deit-base": partial(deit.deit, title="DeiT-Base", s=deit.BASE),
    "bert-base": partial(bert.bert, title="BERT-Base", s=bert.base(tokens=128)),
    "bert-base-384": partial(bert.bert, title="BERT-Base", s=bert.base(tokens=384)),
    "bert-large": partial(bert.bert, title="BERT-Large", s=bert.large(tokens=320)),
    "gpt2-small": partial(gpt2.gpt2, title="GPT-2 small", s=gpt2.SMALL),
    "llama-2-7b-prefill-2048": partial(llama.prefill, model=llama.LLAMA_2_7B, tokens=2048),
    "llama-2-7b-decode-2048": partial(llama.decode, model=llama.LLAMA_2_7B, context=2048),
    "llama-3-70b-prefill-8192": partial(llama.prefill, model=llama.LLAMA_3_70B, tokens=8192),
}


def document(name: str) -> Document:
    """The folded document of a model."""
    if name not in MODELS:
        raise TraceError(f"no model is named {name!r}", known=MODELS, given=name)
    return MODELS[name](name)


def make(name: str) -> str:
    """The text of a model's trace file: the same bytes each time."""
    return text_of(document(name))


def write_all(folder: Path) -> list[Path]:
    """Write the trace file of every model, and return the paths."""
    paths = [folder / f"{name}{SUFFIX}" for name in MODELS]
    for path in paths:
        write_text(path, make(path.stem))
    return paths
