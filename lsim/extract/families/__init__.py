"""The model families that can be built from their configuration, by `model_type` (diffusers: by `_class_name`)."""

from collections.abc import Callable, Mapping

from lsim.errors import InputError
from lsim.extract.config import Config
from lsim.extract.families import decoders, encoders
from lsim.extract.families.dit import dit, transformer2d
from lsim.extract.families.swin import swin
from lsim.extract.families.t5 import t5
from lsim.extract.families.whisper import whisper
from lsim.extract.request import Request
from lsim.trace.document import Document

Family = Callable[[str, Config, Request], Document]

FAMILIES: Mapping[str, Family] = {
    "DiTTransformer2DModel": dit,
    "Transformer2DModel": transformer2d,
    "bert": encoders.bert,
    "deit": encoders.deit,
    "gpt2": decoders.gpt2,
    "llama": decoders.llama,
    "mistral": decoders.mistral,
    "mixtral": decoders.mixtral,
    "qwen2": decoders.qwen2,
    "swin": swin,
    "t5": t5,
    "vit": encoders.vit,
    "whisper": whisper,
}


def family(config: Config) -> str:
    """The family of a configuration; unknown ones are refused with a list of those that are known."""
    given = config.fields.get("model_type", config.fields.get("_class_name"))
    if given is not None and not isinstance(given, str):
        config.refuse("model_type", "must be a string")
    if given is None:
        raise InputError("is missing: no telling what model this is", file=config.file, place="model_type")
    if given not in FAMILIES:
        config.refuse("model_type", f"{given!r} is not known", sorted(FAMILIES), given)
    return given
