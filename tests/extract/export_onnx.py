"""Exports the models of models.py as ONNX by PyTorch's own exporters, without the values of their parameters.

Run it by hand, with `tests` on the path, to make the files of exported/ anew: python tests/extract/export_onnx.py
It needs torch, transformers, diffusers, onnx and onnxscript; exported/README.md says which versions made the files.
"""

import copy
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import torch
import transformers
from extract.models import CASES, Case
from onnx import numpy_helper

from lsim.extract.hf import inputs_of, model_of

FOLDER = Path(__file__).with_name("exported")
LEARNED = (2.0, 3.0)  # parameters are filled with numbers between these, by which they are known in a file


class Style(NamedTuple):
    """A way to export."""

    opset: int
    attention: str = "eager"
    script: bool = False  # the older exporter, by TorchScript
    optimize: bool = True  # whether the newer one computes what is constant
    dynamic: bool = False  # whether batch and tokens stay open


STYLES = {
    "fixed": Style(18),
    "sdpa": Style(20, "sdpa"),
    "plain": Style(18, optimize=False),
    "dynamic": Style(21, dynamic=True),
    "fused": Style(23, "sdpa"),
    "script": Style(17, script=True),
}
# What is committed: each family, each exporter, and each form of attention. `mistral-decode` cannot be exported.
COMMITTED = {
    "fixed": ["llama-tied", "mistral", "qwen2-decode", "mixtral", "t5", "whisper-decode", "swin", "deit-one-head", "dit"],
    "sdpa": ["gpt2", "bert", "vit"],
    "plain": ["llama", "t5-decode", "deit", "whisper", "dit-batch"],
    "dynamic": ["llama-batch", "llama-decode", "bert-batch", "vit-pooled"],
    "fused": ["llama-batch", "mistral", "qwen2", "gpt2-decode", "t5-decode", "whisper"],
    "script": ["gpt2", "t5-gated", "bert-classes", "mixtral-decode", "swin-batch"],
}  # fmt: skip


class Flat(torch.nn.Module):
    """A model as an ONNX file has it: tensors in, tensors out, those of the caches among them."""

    def __init__(self, model: torch.nn.Module, inputs: dict[str, Any]) -> None:
        super().__init__()
        self.model = model
        self.given = {name: value for name, value in inputs.items() if torch.is_tensor(value)}
        self.flags = {name: value for name, value in inputs.items() if isinstance(value, bool)}
        self.encoded, self.cache = inputs.get("encoder_outputs", ()), inputs.get("past_key_values")
        self.past = dict(_cached(self.cache)) if self.cache else {}

    @property
    def inputs(self) -> dict[str, torch.Tensor]:
        encoded = {"encoder_hidden_states": self.encoded[0]} if self.encoded else {}
        return {
            **self.given,
            **encoded,
            **{f"past_key_values.{name}": one for name, one in self.past.items()},
        }

    def forward(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        left = iter(tensors)
        inputs: dict[str, Any] = {name: next(left) for name in self.given}
        if self.encoded:
            inputs["encoder_outputs"] = (next(left),)
        if self.past:
            inputs["past_key_values"] = _refilled(self.cache, left)
        made = self.model(**inputs, **self.flags)
        return [tensor for value in made.values() for tensor in _tensors(value)]


# -- caches
def _caches(cache: Any) -> dict[str, Any]:
    """The caches that a cache consists of, by what is put into the names of their tensors."""
    if hasattr(cache, "self_attention_cache"):
        return {".decoder": cache.self_attention_cache, ".encoder": cache.cross_attention_cache}
    return {"": cache}


def _cached(cache: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for side, one in _caches(cache).items():
        for at, layer in enumerate(one.layers):
            yield f"{at}{side}.key", layer.keys
            yield f"{at}{side}.value", layer.values


def _refilled(cache: Any, tensors: Iterator[torch.Tensor]) -> Any:
    """A cache like this one that holds these tensors."""
    made = copy.deepcopy(cache, {id(tensor): tensor for _, tensor in _cached(cache)})
    for one in _caches(made).values():
        for layer in one.layers:
            layer.keys, layer.values = next(tensors), next(tensors)
    return made


def _tensors(value: Any) -> list[torch.Tensor]:
    if torch.is_tensor(value):
        return [value]
    is_cache = hasattr(value, "layers") or hasattr(value, "self_attention_cache")
    return [tensor for _, tensor in _cached(value)] if is_cache else []


# -- models
def flat(case: Case, attention: str) -> Flat:
    """The model with numbers, and its inputs."""
    inputs = inputs_of(model_of(case.model, case.config), case.request)
    return Flat(_model(case, attention), {name: _real(value) for name, value in inputs.items()}).eval()


def _model(case: Case, attention: str) -> torch.nn.Module:
    made = getattr(transformers, case.model, None)
    if made is None:
        import diffusers

        model = getattr(diffusers, case.model).from_config(dict(case.fields))
    else:
        config = made.config_class.from_dict(dict(case.fields))
        config._attn_implementation = attention
        config._experts_implementation = "batched_mm"  # the only one that an exporter takes
        model = made(config)
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, *LEARNED)
    return model.float()


def _real(value: Any) -> Any:
    """An input with numbers instead of one on the meta device."""
    if torch.is_tensor(value):
        kind = torch.float32 if value.is_floating_point() else value.dtype
        return torch.zeros(value.shape, dtype=kind)
    if isinstance(value, tuple):
        return tuple(map(_real, value))
    if not isinstance(value, bool) and value is not None:
        for one in _caches(value).values():
            for layer in one.layers:
                layer.keys, layer.values = _real(layer.keys), _real(layer.values)
                layer.device, layer.dtype = torch.device("cpu"), torch.float32
    return value


# -- files
def exported(name: str, style: Style) -> onnx.ModelProto:
    """A case as an ONNX model; parameters are as if in a file that is not there."""
    model = flat(CASES[name], style.attention)
    inputs = model.inputs
    options: dict[str, Any] = {"dynamo": False}
    if not style.script:
        options = {"dynamo": True, "optimize": style.optimize, "external_data": False, "verbose": False}
    if style.dynamic:
        options["dynamic_shapes"] = {"tensors": tuple(_open(one, tensor) for one, tensor in inputs.items())}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            opset_version=style.opset,
            **options,
        )
        return stripped(onnx.load(path))


def _open(name: str, tensor: torch.Tensor) -> dict[int, Any]:
    """The dimensions that stay open: the batch, and tokens of ids and of caches."""
    tokens = {1: torch.export.Dim.AUTO} if not tensor.is_floating_point() and tensor.dim() > 1 else {}
    cached = {2: torch.export.Dim.AUTO} if name.startswith("past") else {}
    return {0: torch.export.Dim.AUTO, **tokens, **cached}


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without parameters' values, notes of the exporter and names of this machine's files."""
    for weight in model.graph.initializer:
        value = numpy_helper.to_array(weight)
        low, high = LEARNED
        if value.dtype.kind == "f" and value.size > 1 and (value >= low).all() and (value <= high).all():
            for kept in ("raw_data", "float_data"):
                weight.ClearField(kept)
            weight.data_location = onnx.TensorProto.EXTERNAL
            weight.external_data.add(key="location", value="weights.bin")
    for described in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.initializer,
    ):
        described.ClearField("metadata_props")
        described.ClearField("doc_string")
    for described in (*model.graph.input, *model.graph.output):
        described.ClearField("metadata_props")
    del model.graph.value_info[:]
    return model


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for style, names in COMMITTED.items():
        for name in names:
            path = FOLDER / f"{name}.{style}.onnx"
            onnx.save(exported(name, STYLES[style]), path)
            print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
