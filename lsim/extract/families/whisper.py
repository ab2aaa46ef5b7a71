"""Whisper: an encoder of half a minute of sound, as a mel spectrogram, and a decoder of text.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", ICML 2023, arXiv:2212.04356.
"""

from lsim.errors import InputError
from lsim.extract.config import Config
from lsim.extract.families.activations import activation
from lsim.extract.families.translators import CONVENTIONS, Layers, layers
from lsim.extract.request import Request
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.step import Step

TAPS = 3  # of each of the two convolutions; the second has stride 2

_SOURCE = "A. Radford et al., Robust Speech Recognition, ICML 2023, arXiv:2212.04356"
_CONVOLUTIONS = "Convolutions are GEMMs over the elements under their kernels, which are gathered (im2col)."


def whisper(name: str, config: Config, request: Request) -> Document:
    config.one_of(["WhisperForConditionalGeneration"])
    if request.source is not None:
        raise InputError("what Whisper's encoder reads is fixed by its configuration", place="--source")
    step, source = request.step(), config.size("max_source_positions", 1500)
    positions = config.size("max_target_positions", 448)
    if step.cached + step.tokens > positions:
        config.refuse(
            "max_target_positions", f"{positions} are too few for {step.cached + step.tokens} tokens"
        )
    b = Builder(name, f"Whisper, {step.words}", (_SOURCE,), (*CONVENTIONS, _CONVOLUTIONS))
    encoded = _encoder(b, config, Step(source, 0, step.batch)) if step.is_prefill else ""
    s = _layers(config, "decoder", source)
    stream, words = (s.width, step.columns), config.size("vocab_size")
    ids = b.tensor("token_ids", Role.INPUT, step.columns)
    word = b.tensor("embed.word", Role.WEIGHT, words, s.width)
    position = b.tensor("embed.position", Role.WEIGHT, positions, s.width)
    x = layers(b, b.embedding("embed", [ids, word, position], stream), s, step, encoded)
    x = b.norm("decoder.norm", x, stream)
    if config.flag("tie_word_embeddings", True):
        b.tied("head", x, word, (words, s.width), step.columns, bias=False)
    else:
        b.linear("head", x, (words, s.width), step.columns, bias=False)
    return b.document()


def _layers(config: Config, name: str, source: int = 0) -> Layers:
    width, heads = config.size("d_model"), config.size(f"{name}_attention_heads")
    if width % heads:
        config.refuse(f"{name}_attention_heads", f"{heads} does not divide the width {width}")
    return Layers(
        name=name,
        count=config.layers(f"{name}_layers"),
        width=width,
        heads=heads,
        size=width // heads,
        hidden=config.size(f"{name}_ffn_dim", 1536),
        act=activation(config, "activation_function", "gelu"),
        source=source,
    )


def _encoder(b: Builder, config: Config, step: Step) -> str:
    """Two convolutions, positions, layers, norm; the spectrogram has two frames for each token."""
    s, mels = _layers(config, "encoder"), config.size("num_mel_bins", 80)
    frames, stream = 2 * step.columns, (s.width, step.columns)
    sound = b.tensor("spectrogram", Role.INPUT, mels, frames)
    x = b.embedding("conv1.im2col", [sound], (mels, TAPS * frames), label="im2col")
    x = b.linear("conv1", x, (s.width, TAPS * mels), frames)
    x = b.activation(f"conv1.{s.act}", x, (s.width, frames))
    x = b.embedding("conv2.im2col", [x], (s.width, TAPS * step.columns), label="im2col")
    x = b.activation(f"conv2.{s.act}", b.linear("conv2", x, (s.width, TAPS * s.width), step.columns), stream)
    position = b.tensor("encoder.position", Role.WEIGHT, s.width, step.tokens)
    x = b.residual("encoder.positions", x, position, stream, label="position")
    return b.norm("encoder.norm", layers(b, x, s, step), stream)
