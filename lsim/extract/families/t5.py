"""T5 and T5 1.1: an encoder and a decoder whose attentions add a learned bias of relative positions to their scores.

Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 2020. T5 1.1
(and so Flan-T5) has a head of its own, told by "tie_word_embeddings": false.
"""

from attrs import evolve

from lsim.extract.config import Config
from lsim.extract.families.activations import LABELS
from lsim.extract.families.translators import CONVENTIONS, Layers, layers
from lsim.extract.request import Request
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.step import Step

_SOURCE = "C. Raffel et al., Exploring the Limits of Transfer Learning, JMLR 2020, arXiv:1910.10683"
_BIAS = "The bias of relative positions is gathered once for all layers, then added to the scores of each."

# feed_forward_proj → the name of the function, and whether the layer is gated.
_FORMS = {"relu": ("relu", False), "gated-gelu": ("gelu_new", True), "gated-silu": ("silu", True)}


def t5(name: str, config: Config, request: Request) -> Document:
    config.one_of(["T5ForConditionalGeneration"])
    step, source = request.step(), request.encoded("T5")
    act, gated = _FORMS[config.word("feed_forward_proj", "relu", known=tuple(_FORMS))]
    encoder = Layers(
        name="encoder",
        count=config.layers("num_layers"),
        width=config.size("d_model"),
        heads=config.size("num_heads"),
        size=config.size("d_kv"),
        hidden=config.size("d_ff"),
        act=LABELS[act],
        gated=gated,
    )
    decoder = evolve(
        encoder, name="decoder", count=config.layers("num_decoder_layers", encoder.count), source=source
    )
    conventions = (*CONVENTIONS, _BIAS)
    b = Builder(name, f"T5, {step.words}", (_SOURCE,), conventions, biases=False, norms="rmsnorm")
    buckets, words = config.size("relative_attention_num_buckets", 32), config.size("vocab_size")
    tied = config.flag("tie_word_embeddings", True)
    word = b.tensor("embed.word", Role.WEIGHT, words, encoder.width)
    encoded = _stack(b, encoder, Step(source, 0, step.batch), word, buckets) if step.is_prefill else ""
    x = _stack(b, decoder, step, word, buckets, encoded)
    if tied:
        b.tied("head", x, word, (words, encoder.width), step.columns)
    else:
        b.linear("head", x, (words, encoder.width), step.columns)
    return b.document()


def _stack(b: Builder, s: Layers, step: Step, word: str, buckets: int, encoded: str = "") -> str:
    """Look-up, bias of relative positions, layers, norm."""
    stream, keys = (s.width, step.columns), step.cached + step.tokens
    ids = b.tensor(f"{s.name}.token_ids", Role.INPUT, step.columns)
    x = b.embedding(f"{s.name}.embed", [ids, word], stream)
    table = b.tensor(f"{s.name}.bias.weight", Role.WEIGHT, buckets, s.heads)
    bias = b.embedding(f"{s.name}.bias", [table], (s.heads, step.tokens * keys), label="position")
    return b.norm(f"{s.name}.norm", layers(b, x, evolve(s, bias=bias), step, encoded), stream)
