"""Exports of the models of models.py as ONNX, by PyTorch's own exporters, without the values of their parameters."""

import copy
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from extract.models import Case
from onnx import numpy_helper

from lsim.extract.hf import inputs_of, model_of

PARAMETERS = (2.0, 3.0)  # parameters are filled with numbers between these, by which they are known in a file


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
        encoded = {"encoder_hidden_states": tensor for tensor in self.encoded}
        return {**self.given, **encoded, **{f"past_key_values.{name}": one for name, one in self.past.items()}}

    def forward(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        left = iter(tensors)
        inputs = {name: next(left) for name in self.given}
        if self.encoded:
            inputs["encoder_outputs"] = (next(left),)
        if self.past:
            inputs["past_key_values"] = _refilled(self.cache, left)
        made = self.model(**inputs, **self.flags)
        return [tensor for value in made.values() for _, tensor in _tensors(value)]


def _caches(cache: Any) -> dict[str, Any]:
    """The caches that a cache consists of, by what is put before the names of their tensors."""
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


def _tensors(value: Any) -> list[tuple[str, torch.Tensor]]:
    if torch.is_tensor(value):
        return [("", value)]
    return list(_cached(value)) if hasattr(value, "layers") or _caches(value).keys() != {""} else []


def model_and_inputs(case: Case, attention: str) -> Flat:
    """The model with numbers, and its inputs."""
    model = model_of(case.model, case.config)
    inputs = dict(inputs_of(model, case.request))
    flat = Flat(model, inputs)
    flat.to_empty(device="cpu").float()
    return flat
