"""Whole generations: a prompt of P tokens, then G new tokens of each of B sequences.

The prefill reads the prompt and gives the first new token; each of G - 1 decode steps reads the token before and gives one
more. So the first new token is that of P tokens, and the last is given at context P + G - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from attrs import evolve, frozen

from lsim.errors import TraceError
from lsim.trace.document import Document, Phase
from lsim.trace.zoo import gpt2, llama
from lsim.trace.zoo.encoder import Sizes
from lsim.trace.zoo.step import Step

STEPS = (
    "A step begins when the one before has ended: its tokens are read. To choose a token takes no time.",
)
_CONVENTIONS = ("The prefill gives the first new token, each decode step one more of each sequence.", *STEPS)


@frozen
class Family:
    """A model that can generate: the document of a step, and the most tokens a sequence may have (0: no limit)."""

    title: str
    forward: Callable[[str, Step], Document]
    most: int = 0


def llama_family(model: llama.Llama) -> Family:
    """A model of Llama's family."""
    return Family(model.title, lambda name, step: llama.forward(name, model, step))


def gpt2_family(title: str, layers: Sizes) -> Family:
    """A model of GPT-2's family; `layers` are its sizes, of which the tokens are a step's."""

    def forward(name: str, step: Step) -> Document:
        sizes = evolve(layers, tokens=step.tokens, batch=step.batch, cached=step.cached)
        return gpt2.gpt2(name, title, sizes)

    return Family(title, forward, gpt2.POSITIONS)


FAMILIES: Mapping[str, Callable[[], Family]] = {
    "gpt2": partial(gpt2_family, "GPT-2 small", gpt2.SMALL),
    "llama-2-7b": partial(llama_family, llama.LLAMA_2_7B),
    "llama-3-70b": partial(llama_family, llama.LLAMA_3_70B),
}

MIXED: Mapping[str, Callable[[str, Sequence[Step]], Document]] = {
    "llama-2-7b": lambda name, steps: llama.mixed(name, llama.LLAMA_2_7B, steps),
    "llama-3-70b": lambda name, steps: llama.mixed(name, llama.LLAMA_3_70B, steps),
}
"""Models that can read sequences of several lengths at once."""


def generation(model: str, prompt: int, new: int, batch: int = 1) -> Document:
    """The document of a generation by a model of `FAMILIES`."""
    if model not in FAMILIES:
        raise TraceError(f"no model that generates is named {model!r}", known=FAMILIES, given=model)
    family = FAMILIES[model]()
    if family.most and prompt + new - 1 > family.most:
        problem = f"{family.title} has positions for {family.most} tokens, and {prompt} + {new} are asked for"
        raise TraceError(problem, place=model)
    name = f"{model}-generate-{prompt}-{new}" + (f"-batch-{batch}" if batch > 1 else "")
    return generate(name, family, prompt, new, batch)


def generate(name: str, family: Family, prompt: int, new: int, batch: int) -> Document:
    """The document of a generation by any model of which the sizes of a decode step are affine in the context."""
    prefill = family.forward(name, Step(prompt, 0, batch))
    phases, conventions = [Phase("prefill", 1, batch, prefill.items)], prefill.conventions
    if new > 1:
        decode = [family.forward(name, Step(1, prompt + step, batch)) for step in range(min(new - 1, 2))]
        last = family.forward(name, Step(1, prompt + new - 2, batch))
        phases.append(Phase("decode", new - 1, batch, decode[0].items, decode[1].items if new > 2 else ()))
        if phases[1].items(new - 2) != last.items:
            raise TraceError(
                "the sizes of its decode steps are not affine in the context", place=family.title
            )
        conventions += last.conventions
    of = f", batch {batch}" if batch > 1 else ""
    description = f"{family.title}, {new} new tokens after a prompt of {prompt}{of}"
    return Document(
        name,
        description,
        prefill.sources,
        tuple(dict.fromkeys((*_CONVENTIONS, *conventions))),
        (),
        tuple(phases),
    )
