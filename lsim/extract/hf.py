"""Models of Hugging Face Transformers and diffusers from their configuration: on the meta device, without weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from inspect import signature
from typing import Any

from lsim.errors import InputError
from lsim.extract.config import Config
from lsim.extract.meta import need_torch
from lsim.extract.request import Request
from lsim.trace.zoo.step import Step

LIBRARIES = ("transformers", "diffusers")


def model_of(name: str, config: Config) -> Any:
    """The model of a class with a configuration. Numbers are bfloat16: experts have no other kernel without numbers."""
    torch = need_torch()
    made = _class(name)
    _check_kind(made, config)
    try:
        with torch.device("meta"):
            model = _made(made, dict(config.fields))
    except Exception as error:  # whatever a library says of a configuration that it does not like
        said = " ".join(str(error).split())
        raise InputError(f"{name} does not take this configuration: {said}", file=config.file) from None
    return model.to(torch.bfloat16).eval()


def _check_kind(made: Any, config: Config) -> None:
    """Refuses the configuration of another model, of which a class would take the fields that it knows."""
    of_transformers = getattr(made, "config_class", None)
    key = "model_type" if of_transformers else "_class_name"
    asked = of_transformers.model_type if of_transformers else made.__name__
    given = config.fields.get(key, asked)
    if given != asked and (given, asked) != ("Transformer2DModel", "DiTTransformer2DModel"):
        config.refuse(key, f"is that of another model: {made.__name__} is a {asked!r}, not a {given!r}")


def _made(made: Any, fields: dict[str, Any]) -> Any:
    if not hasattr(made, "config_class") or made.config_class is None:
        return made.from_config(fields)  # diffusers
    config = made.config_class.from_dict(fields)
    config._attn_implementation = "eager"
    if any(hasattr(config, field) for field in ("num_local_experts", "num_experts", "n_routed_experts")):
        config._experts_implementation = "grouped_mm"
    model = made(config)
    if fields.get("tie_word_embeddings") is False:
        _untie(model)
    return model


def _untie(model: Any) -> None:
    """A head of its own, as the configuration says: Transformers ties that of T5 1.1 to the words all the same."""
    head = model.get_output_embeddings()
    if head is not None and head.weight is model.get_input_embeddings().weight:
        head.weight = type(head.weight)(head.weight.detach().clone())


def _class(name: str) -> Any:
    """A model class by name."""
    libraries = []
    for library in filter(None, map(_library, LIBRARIES)):
        libraries.append(library)
        found = getattr(library, name, None)
        if isinstance(found, type) and hasattr(found, "forward"):
            return found
    if not libraries:
        raise InputError("Transformers is needed to make a model: pip install 'lsim[torch]'", place="--hf")
    known = [word for word in dir(libraries[0]) if "For" in word or word.endswith("Model")]
    from lsim.errors import closest

    near = closest(name, known)
    mean = f"; did you mean {near!r}?" if near else ""
    raise InputError(f"no model class is named {name!r}{mean}", place="--hf")


def _library(name: str) -> Any:
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec(name) is None:
        return None
    library = import_module(name)
    logging.getLogger(name).setLevel(logging.ERROR)
    return library


def inputs_of(model: Any, request: Request) -> Mapping[str, Any]:
    """Example inputs of one run, by name; a decode step's cache is what a prefill leaves behind."""
    try:
        return _inputs(need_torch(), model, request)
    except (AttributeError, TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        said = " ".join(str(error).split())
        problem = (
            f"what it reads is not known: {type(error).__name__}: {said}; call lsim.trace_module with inputs"
        )
        raise InputError(problem, place=type(model).__name__) from error


def _inputs(torch: Any, model: Any, request: Request) -> Mapping[str, Any]:
    taken = signature(model.forward).parameters
    if getattr(model.config, "is_encoder_decoder", False):
        return _translated(torch, model, request)
    if "timestep" in taken:
        return _noisy(torch, model, request)
    if model.main_input_name == "pixel_values":
        request.image(type(model).__name__)
        return {"pixel_values": _pixels(torch, model.config, request.batch)}
    if "past_key_values" in taken and getattr(model.config, "is_decoder", True):
        return _generated(torch, model, request.step())
    ids = _ids(torch, request.batch, request.sequence(type(model).__name__))
    return {"input_ids": ids, **({"token_type_ids": ids.clone()} if "token_type_ids" in taken else {})}


def _ids(torch: Any, batch: int, tokens: int) -> Any:
    return torch.zeros(batch, tokens, dtype=torch.long, device="meta")


def _zeros(torch: Any, *shape: int) -> Any:
    return torch.zeros(*shape, dtype=torch.bfloat16, device="meta")


def _pixels(torch: Any, config: Any, batch: int) -> Any:
    return _zeros(torch, batch, config.num_channels, config.image_size, config.image_size)


def _generated(torch: Any, model: Any, step: Step) -> Mapping[str, Any]:
    """A decoder's tokens, and its cache if it has one."""
    ids = {"input_ids": _ids(torch, step.batch, step.tokens), "use_cache": True}
    if step.is_prefill:
        return ids
    with torch.no_grad():
        before = model(input_ids=_ids(torch, step.batch, step.cached), use_cache=True)
    return {**ids, "past_key_values": before.past_key_values}


def _translated(torch: Any, model: Any, request: Request) -> Mapping[str, Any]:
    """What the encoder reads and what the decoder has so far; in a decode step only the latter, and the caches."""
    step, config = request.step(), model.config
    if model.main_input_name == "input_features":
        source = {
            "input_features": _zeros(torch, step.batch, config.num_mel_bins, 2 * config.max_source_positions)
        }
    else:
        source = {"input_ids": _ids(torch, step.batch, request.encoded(type(model).__name__))}
    said = {"decoder_input_ids": _ids(torch, step.batch, step.tokens), "use_cache": True}
    if step.is_prefill:
        return {**source, **said}
    heard = {"decoder_input_ids": _ids(torch, step.batch, step.cached), "use_cache": True}
    with torch.no_grad():
        before = model(**source, **heard)
    encoded = (before.encoder_last_hidden_state,)
    return {**said, "encoder_outputs": encoded, "past_key_values": before.past_key_values}


def _noisy(torch: Any, model: Any, request: Request) -> Mapping[str, Any]:
    """A diffusion Transformer's latent image, its time step and its class."""
    request.image(type(model).__name__)
    side, channels = model.config.sample_size, model.config.in_channels
    numbers = _ids(torch, request.batch, 1)[:, 0]
    latent = _zeros(torch, request.batch, channels, side, side)
    return {"hidden_states": latent, "timestep": numbers, "class_labels": numbers.clone()}
