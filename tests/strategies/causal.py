"""Random causal attention, with all that a mask may meet."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from lsim.trace import Role
from lsim.trace.band import DENSE
from lsim.trace.document import Document
from lsim.trace.zoo.builder import Attention, Builder


class Causal(NamedTuple):
    """Sizes of causal attention: `group` query heads share each of `heads` key-value heads, in each of `batch` sequences."""

    layers: int
    batch: int
    tokens: int
    heads: int
    group: int
    size: int
    window: int
    fused: bool
    cached: bool
    bias: bool

    @property
    def document(self) -> Document:
        """Layers of causal attention between linear layers; a repeat."""
        n, width = self.batch * self.tokens, self.heads * self.group * self.size
        b = Builder("causal", "", (), (f"Attention is causal; {DENSE}.",), biases=False)
        first = b.tensor("input", Role.INPUT, width, n)
        bias = self._bias(b) if self.bias else ""
        sizes = (
            self.batch * self.heads,
            self.size,
            self.tokens,
            self.tokens,
            self.group,
            True,
            self.window,
            bias,
        )
        with b.repeat(self.layers, x=(first, "l{i}.o.out")):
            mixed = b.attention("l{i}", *self._qkv(b, n), Attention(*sizes))
            b.linear("l{i}.o", mixed, (width, width), n)
        b.linear("head", f"l{self.layers - 1}.o.out", (3, width), n)
        return b.document()

    def _bias(self, b: Builder) -> str:
        heads = self.heads * self.group
        table = b.tensor("table", Role.WEIGHT, 5, heads)
        return b.embedding("positions", [table], (heads, self.tokens**2))

    def _qkv(self, b: Builder, n: int) -> tuple[str, str, str]:
        q, k, v = "l{i}.q", "l{i}.k", "l{i}.v"
        wide, narrow = self.heads * self.group * self.size, self.heads * self.size
        if self.fused:
            parts = {q: wide, k: narrow, v: narrow}
            b.split("l{i}.qkv", "x", (wide + 2 * narrow, wide), n, parts, kv=(k, v) if self.cached else ())
            return q, k, v
        made = [
            b.linear(name, "x", (rows, wide), n, kv=self.cached and name != q)
            for name, rows in ((q, wide), (k, narrow), (v, narrow))
        ]
        return made[0], made[1], made[2]


def causals(tokens: int = 9, layers: int = 3) -> st.SearchStrategy[Causal]:
    """Causal attention, some with windows (0: none), grouped queries, several sequences, biases of positions."""
    small = st.integers(1, 2)
    return st.builds(
        Causal, st.integers(1, layers), small, st.integers(2, tokens), small, small, st.integers(1, 3),
        st.integers(0, tokens), st.booleans(), st.booleans(), st.booleans(),
    )  # fmt: skip


ODD = Causal(
    layers=2, batch=2, tokens=7, heads=2, group=2, size=3, window=0, fused=True, cached=True, bias=False
)
"""Two sequences of grouped queries, whose keys and values come from one fused layer and are kept."""
