"""Traces from configurations and from live modules: what the command line and `lsim.trace_module` call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve

from lsim.errors import InputError, TraceError
from lsim.extract import positions, quantization
from lsim.extract.config import Config, read_config
from lsim.extract.families import FAMILIES, family
from lsim.extract.request import Phase, Request
from lsim.trace.check import build
from lsim.trace.document import Document
from lsim.trace.ir import Trace
from lsim.trace.zoo.experts import BALANCED, ROUTINGS
from lsim.trace.zoo.generate import Family, generate
from lsim.trace.zoo.step import Step

if TYPE_CHECKING:
    import torch

Noted = TypeVar("Noted", Document, Trace)


def from_config(config: Config | str | Path, request: Request, name: str = "") -> Trace:
    """The trace of a configuration's model, for one run; `config` may be the path of a config.json."""
    config = config if isinstance(config, Config) else read_config(config)
    with _naming(config):
        return build(document_of(config, request, name))


def document_of(config: Config, request: Request, name: str = "") -> Document:
    """The folded document of a configuration's model, for one run."""
    return _noted(_step_of(config, request, name), config, request.length)


def _step_of(config: Config, request: Request, name: str) -> Document:
    kind = family(config)
    with _naming(config):
        document = FAMILIES[kind](name or request.named(kind), config, request)
    return evolve(document, conventions=document.conventions + quantization.conventions(config))


def _noted(made: Noted, config: Config, context: int | None) -> Noted:
    """With what is to be said of sequences of so many tokens."""
    return evolve(made, conventions=made.conventions + positions.conventions(config, context))


def generation_of(config: Config, request: Request, prompt: int, new: int, name: str = "") -> Document:
    """The document of a whole generation by a decoder: `prompt` tokens, then `new` ones of each sequence of the request's batch."""
    kind = family(config)
    named = name or f"{kind}-generate-{prompt}-{new}" + (
        f"-batch-{request.batch}" if request.batch > 1 else ""
    )

    def forward(name: str, steps: Sequence[Step]) -> Document:
        (step,) = steps
        if step.is_prefill:
            return _step_of(config, evolve(request, phase=Phase.PREFILL, tokens=step.tokens), name)
        context = step.cached + step.tokens
        return _step_of(config, evolve(request, phase=Phase.DECODE, context=context), name)

    # refuses a model that has no decode step, also where only one token is asked for
    forward(named, [Step(1, max(1, prompt - 1))])  # which needs no position that the prompt does not
    with _naming(config):
        document = generate(named, Family(kind, forward), prompt, new, request.batch)
    return _noted(document, config, prompt + new - 1)


@contextmanager
def _naming(config: Config) -> Iterator[None]:
    """Errors name the file of the configuration that they are about."""
    try:
        yield
    except TraceError as error:
        raise error.at(file=config.file) from None


def from_class(
    model: str, config: Config, request: Request, name: str = "", *, allow_unknown: bool = False
) -> Trace:
    """The trace of a model class of Transformers or diffusers, recorded from its code, for one run."""
    from lsim.extract.hf import inputs_of, model_of
    from lsim.extract.meta import need_torch

    need_torch()
    module = model_of(model, config)
    inputs = inputs_of(module, request)
    name = name or request.named(model)
    trace = traced(module, (), dict(inputs), name, request.routing, allow_unknown)
    trace = evolve(trace, conventions=trace.conventions + quantization.conventions(config))
    return _noted(trace, config, request.length)


def trace_module(
    module: torch.nn.Module,
    *inputs: Any,
    name: str = "",
    routing: str = BALANCED,
    allow_unknown: bool = False,
    **keywords: Any,
) -> Trace:
    """The trace of a PyTorch module called with example inputs, of which only shapes, types and masks matter.

    `inputs` and `keywords` are the module's own, the names above aside. The module is recorded in evaluation mode and
    without numbers: it need have no weights (`torch.device("meta")`); module and inputs are left as they are. Of numbers
    only those of masks matter: an attention is causal if it says so and its mask is known to be a triangle. `routing` is the policy of a mixture of experts,
    'balanced' or 'concentrated'. An operator that lsim does not know raises TraceError, unless `allow_unknown` keeps it
    as movement of its operands. Needs PyTorch: `pip install 'lsim[torch]'`.
    """
    return traced(module, inputs, keywords, name, routing, allow_unknown)


def traced(
    module: Any,
    inputs: tuple[Any, ...],
    keywords: dict[str, Any],
    name: str,
    routing: str,
    allow_unknown: bool,
) -> Trace:
    """`trace_module`, of a module whose keywords may be any words."""
    from lsim.extract.canonical import trace_of
    from lsim.extract.record import record

    if routing not in ROUTINGS:
        raise InputError(f"cannot be {routing!r}", place="routing", known=ROUTINGS, given=routing)
    recording = record(module, inputs, keywords)
    name = name or recording.model
    return trace_of(recording, name, f"{recording.model}, as recorded", routing, allow_unknown)
