"""Whole generations: a prompt of P tokens, then G new tokens of each of B sequences.

The prefill reads the prompt and gives the first new token; each of G - 1 decode steps reads the token before and gives one
more. So the first new token is that of P tokens, and the last is given at context P + G - 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from attrs import evolve, frozen

from lsim.errors import TraceError
from lsim.trace.document import Document, Phase
from lsim.trace.zoo import gpt2, llama
from lsim.trace.zoo.encoder import Sizes
from lsim.trace.zoo.step import Step
from lsim.units import plural

STEPS = (
    "A step begins when the one before has ended: its tokens are read. To choose a token takes no time.",
)
MOST_STRETCHES = 8  # of decode steps with affine sizes: one window makes two

_CONVENTIONS = ("The prefill gives the first new token, each decode step one more of each sequence.", *STEPS)


@frozen
class Family:
    """A model that can generate.

    `forward`: the document of a step in which sequences of several lengths are read, those of one length as one `Step`.
    `most`: tokens that a sequence may have, 0 for no limit.
    """

    title: str
    forward: Callable[[str, Sequence[Step]], Document]
    most: int = 0


def llama_family(model: llama.Llama) -> Family:
    """A model of Llama's family."""
    return Family(model.title, lambda name, steps: llama.mixed(name, model, steps))


def gpt2_family(title: str, layers: Sizes) -> Family:
    """A model of GPT-2's family; `layers` are its sizes, of which the tokens are a step's."""

    def forward(name: str, steps: Sequence[Step]) -> Document:
        sizes = evolve(layers, tokens=sum(step.columns for step in steps), batch=1)
        return gpt2.gpt2(name, title, sizes, steps)

    return Family(title, forward, gpt2.POSITIONS)


FAMILIES: Mapping[str, Callable[[], Family]] = {
    "gpt2": partial(gpt2_family, "GPT-2 small", gpt2.SMALL),
    "llama-2-7b": partial(llama_family, llama.LLAMA_2_7B),
    "llama-3-70b": partial(llama_family, llama.LLAMA_3_70B),
}


def known_family(model: str) -> Family:
    """The family of `FAMILIES` of that name; refuses others."""
    if model not in FAMILIES:
        raise TraceError(f"no model that generates is named {model!r}", known=FAMILIES, given=model)
    return FAMILIES[model]()


def generation(model: str, prompt: int, new: int, batch: int = 1) -> Document:
    """The document of a generation by a model of `FAMILIES`."""
    family = known_family(model)
    if family.most and prompt + new - 1 > family.most:
        problem = f"{family.title} has positions for {family.most} tokens, and {prompt} + {new} are asked for"
        raise TraceError(problem, place=model)
    name = f"{model}-generate-{prompt}-{new}" + (f"-batch-{batch}" if batch > 1 else "")
    return generate(name, family, prompt, new, batch)


def generate(name: str, family: Family, prompt: int, new: int, batch: int) -> Document:
    """The document of a generation by any model of which the sizes of decode steps are affine in the context, but for the steps at
    which a window of attention begins to slide."""

    def decode(step: int) -> Document:
        return family.forward(name, [Step(1, prompt + step, batch)])

    prefill = family.forward(name, [Step(prompt, 0, batch)])
    phases, conventions, begin = [Phase("prefill", 1, batch, prefill.items)], prefill.conventions, 0
    while begin < new - 1:
        count = _stretch(decode, begin, new - 1)
        first, second = decode(begin), decode(begin + 1).items if count > 1 else ()
        named = f"decode-{len(phases)}" if begin else "decode"
        phases.append(Phase(named, count, batch, first.items, second))
        conventions += first.conventions
        begin += count
        if len(phases) > MOST_STRETCHES:
            raise TraceError(
                "the sizes of its decode steps are not affine in the context", place=family.title
            )
    of = f", batch {batch}" if batch > 1 else ""
    description = f"{family.title}, {new} new {plural(new, 'token')} after a prompt of {prompt}{of}"
    return Document(
        name,
        description,
        prefill.sources,
        tuple(dict.fromkeys((*_CONVENTIONS, *conventions))),
        (),
        tuple(phases),
    )


def _stretch(decode: Callable[[int], Document], begin: int, end: int) -> int:
    """How many steps from `begin` on are on the line through the first two.

    Sizes are concave in the context (they grow, until a window is full): who is on the line at a step is on it at all before.
    """
    if end - begin < 2:
        return end - begin
    line = Phase("", end - begin, 0, decode(begin).items, decode(begin + 1).items)
    return 1 + bisect_left(
        range(1, end - begin), True, key=lambda at: line.items(at) != decode(begin + at).items
    )
