"""What a configuration says of quantisation, as a convention of the trace: which `--widths` of a run would mean it.

A trace has no widths, so it is the same trace. `quantization_config` is that of Hugging Face Transformers (GPTQ, AWQ, bitsandbytes,
FP8, MXFP4) and of compressed-tensors, which SmoothQuant models are saved in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lsim.extract.config import Config
from lsim.widths import ALLOWED, Widths

KEYS = ("quantization_config", "compression_config")  # the second: older compressed-tensors
UNQUANTISED = 16  # bits of what a method leaves as it is: float16 or bfloat16
_ROUGHLY = "scales, zero points and what it leaves unquantised are not told apart"


Read = Callable[[Config], Widths | None]
"""What a method stores in how many bits, activations as products take them; None if that is not one width of each."""


def conventions(config: Config) -> tuple[str, ...]:
    """A line if the configuration quantises, none if it does not. Raises InputError for one that cannot be read."""
    key = next((key for key in KEYS if config.fields.get(key) is not None), None)
    return () if key is None else (_told(config.section(key)),)


def _told(section: Config) -> str:
    method = _method(section)
    read = METHODS.get(method)
    if read is None:
        return (
            f"Quantised by its configuration with {method or 'a method without a name'}, which lsim does not read: the trace is the "
            "same, and which --widths would mean it is not known"
        )
    said = read(section)
    if said is None:
        return f"Quantised by its configuration with {method} in ways that no one --widths means: the trace is the same"
    wrong = [f"{bits} bit" for bits in dict.fromkeys(said) if bits not in ALLOWED]
    if wrong:
        allowed = ", ".join(map(str, ALLOWED))
        return f"Quantised by its configuration with {method}: the trace is the same; no --widths means {', '.join(wrong)}, but {allowed}"
    return f"Quantised by its configuration with {method}: the trace is the same, --widths {said.spelled} means it; {_ROUGHLY}"


def _method(section: Config) -> str:
    """The method by its name, or by the fields that only it has: older files do not name it."""
    named = section.word("quant_method", "")
    if named:
        return named
    marks = {"load_in_4bit": "bitsandbytes", "load_in_8bit": "bitsandbytes", "config_groups": "compressed-tensors", "w_bit": "awq"}  # fmt: skip
    return next((method for mark, method in marks.items() if mark in section.fields), "")


def _of(weight: int, activation: int = UNQUANTISED, kv: int = UNQUANTISED) -> Widths:
    return Widths(weight, activation, kv)


def _weights_alone(key: str, *older: str) -> Read:
    """Methods that quantise weights: one number says to how many bits."""

    def read(section: Config) -> Widths:
        return _of(section.size(next((k for k in (key, *older) if k in section.fields), key)))

    return read


def _bitsandbytes(section: Config) -> Widths:
    """4 bits of weights (QLoRA), or 8 of both operands (LLM.int8(), its outliers aside)."""
    if section.flag("load_in_4bit", False):
        return _of(4)
    return _of(8, 8) if section.flag("load_in_8bit", False) else _of(UNQUANTISED)


def _fp8(section: Config) -> Widths:
    return _of(8, 8)


def _mxfp4(section: Config) -> Widths:
    return _of(4)


def _compressed(section: Config) -> Widths | None:
    """Groups of layers, each with its widths; None where they differ."""
    groups = section.section("config_groups")
    found = {_group(groups.section(name)) for name in groups.fields}
    return found.pop()._replace(kv=_bits(section, "kv_cache_scheme")) if len(found) == 1 else None


def _group(group: Config) -> Widths:
    return _of(_bits(group, "weights"), _bits(group, "input_activations"))


def _bits(section: Config, key: str) -> int:
    """Of a scheme that may be null, or not there: what is not quantised."""
    return UNQUANTISED if section.fields.get(key) is None else section.section(key).size("num_bits")


METHODS: Mapping[str, Read] = {
    "gptq": _weights_alone("bits"),
    "awq": _weights_alone("bits", "w_bit"),
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "mxfp4": _mxfp4,
    "compressed-tensors": _compressed,
}
