"""What one run of a model is to read: the question that a configuration leaves open."""

from enum import StrEnum

from attrs import frozen

from lsim.errors import InputError
from lsim.trace.zoo.experts import BALANCED
from lsim.trace.zoo.step import Step


class Phase(StrEnum):
    """A whole prompt (or image, or sequence) at once, or one new token."""

    PREFILL = "prefill"
    DECODE = "decode"


@frozen
class Request:
    """Sizes of a run; None is what the model itself fixes, or an error where it does not.

    `tokens`: of a prompt, or of an encoder's sequence. `context`: tokens that a decode step sees, the new one included.
    `source`: tokens that the encoder of an encoder-decoder model reads. `routing`: the policy of a mixture of experts.
    """

    phase: Phase = Phase.PREFILL
    tokens: int | None = None
    context: int | None = None
    batch: int = 1
    source: int | None = None
    routing: str = BALANCED

    @property
    def length(self) -> int | None:
        """Tokens of a sequence, those in its cache included; None where the model fixes them."""
        return self.tokens if self.phase is Phase.PREFILL else self.context

    def named(self, kind: str) -> str:
        """A name for the trace: the model's kind, phase and sizes."""
        sized = f"{self.phase}-{self.length}" if self.length else ""
        source = f"source-{self.source}" if self.source else ""
        batch = f"batch-{self.batch}" if self.batch > 1 else ""
        return "-".join(part for part in (kind.lower(), sized, source, batch) if part)

    def step(self) -> Step:
        """The run of a decoder."""
        if self.phase is Phase.PREFILL:
            _refuse(
                self.context, "--context", "a prefill sees its own tokens only: say how many with --tokens"
            )
            return Step(_asked(self.tokens, "--tokens", "a prompt needs its number of tokens"), 0, self.batch)
        if self.tokens not in (None, 1):
            raise InputError("a decode step has one new token", place="--tokens")
        context = _asked(self.context, "--context", "a decode step needs the number of tokens that it sees")
        if context < 2:
            raise InputError("the first token is a prefill: a decode step sees 2 or more", place="--context")
        return Step(1, context - 1, self.batch)

    def sequence(self, model: str) -> int:
        """The tokens of an encoder's sequence."""
        self._encodes(model)
        return _asked(self.tokens, "--tokens", f"{model} needs the number of tokens of its sequence")

    def encoded(self, model: str) -> int:
        """The tokens that the encoder of an encoder-decoder model reads."""
        return _asked(self.source, "--source", f"{model} needs the number of tokens that its encoder reads")

    def image(self, model: str) -> None:
        """Refuses what an image model has no use for."""
        self._encodes(model)
        _refuse(self.tokens, "--tokens", f"{model} reads an image, whose size its configuration fixes")

    def _encodes(self, model: str) -> None:
        if self.phase is not Phase.PREFILL:
            raise InputError(f"{model} has no KV cache and so no decode step", place="--phase")
        _refuse(self.context, "--context", f"{model} has no KV cache")
        _refuse(self.source, "--source", f"{model} has one sequence only: say its length with --tokens")


def _asked(value: int | None, place: str, why: str) -> int:
    if value is None:
        raise InputError(f"is missing: {why}", place=place)
    return value


def _refuse(value: int | None, place: str, why: str) -> None:
    if value is not None:
        raise InputError(why, place=place)
