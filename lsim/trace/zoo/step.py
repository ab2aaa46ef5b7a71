"""What one run of a decoder reads: new tokens, and what its KV cache holds before them."""

from attrs import frozen

from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.units import plural

CHUNK = (
    "Attention of a chunk of a prompt is one dense product of its queries with the cache and the chunk: that it is causal within "
    "the chunk is not marked.",
)
MIXED = (
    "Sequences of one length have their attention together, others apart; all linear layers are of all tokens.",
)


@frozen
class Step:
    """`tokens` new tokens of each of `batch` sequences, after `cached` ones."""

    tokens: int
    cached: int = 0
    batch: int = 1

    @property
    def is_prefill(self) -> bool:
        return self.cached == 0

    @property
    def is_chunk(self) -> bool:
        """Whether it reads more of a prompt of which the cache holds the beginning."""
        return self.cached > 0 and self.tokens > 1

    @property
    def columns(self) -> int:
        """Tokens of all sequences: the columns of a linear layer."""
        return self.batch * self.tokens

    @property
    def words(self) -> str:
        """The step in words, for a description."""
        of = f", batch {self.batch}" if self.batch > 1 else ""
        if self.is_prefill or self.is_chunk:
            after = f" after {self.cached}" if self.is_chunk else ""
            return f"prefill of {self.tokens} {plural(self.tokens, 'token')}{after}{of}"
        return f"decode of one token at context {self.cached + self.tokens}{of}"

    def cached_in(self, window: int) -> int:
        """Tokens that the cache holds of a sequence, if it keeps those that a window of keys still needs; 0: all."""
        return min(self.cached, window - 1) if window else self.cached

    def cache(self, b: Builder, name: str, width: int, tokens: int) -> tuple[str, ...]:
        """What the cache holds before the step, `width` elements a token: nothing, or one tensor."""
        return (b.tensor(f"{name}.cache", Role.KV, width, self.batch * tokens),) if tokens else ()
