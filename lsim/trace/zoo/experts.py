"""A mixture of experts in the place of a feed-forward layer: Jiang et al., "Mixtral of Experts", arXiv:2401.04088.

Which experts a token goes to depends on the data, which a trace does not have: the *routing* is a policy.
"""

from attrs import frozen

from lsim.trace.zoo.builder import Builder

# How many (token, expert) pairs each expert gets.
BALANCED, CONCENTRATED = "balanced", "concentrated"
ROUTINGS = (BALANCED, CONCENTRATED)

_SAID = {
    BALANCED: "as many experts as there are pairs of token and expert, as evenly as can be",
    CONCENTRATED: "all tokens go to the same experts",
}


@frozen
class Experts:
    """`count` experts, of which each token goes to `chosen`; `routing` is the policy."""

    count: int
    chosen: int
    routing: str = BALANCED

    @property
    def policies(self) -> tuple[str, ...]:
        return (
            f"Routing is {self.routing}: {_SAID[self.routing]}; experts that no token goes to are not read.",
            "Experts with equally many tokens are the heads of one GEMM; top-k, dispatch and return are gathers.",
        )

    def shares(self, tokens: int) -> list[tuple[int, int]]:
        """(experts, tokens of each) of the experts in use, larger shares first."""
        pairs = tokens * self.chosen
        used = self.chosen if self.routing == CONCENTRATED else min(self.count, pairs)
        each, more = divmod(pairs, used)
        return [share for share in ((more, each + 1), (used - more, each)) if share[0]]


def experts(b: Builder, name: str, x: str, e: Experts, sizes: tuple[int, int, int], act: str) -> str:
    """Adds experts(norm(x)) to x; `sizes` are width, hidden width and tokens, `act` the gate's function."""
    width, hidden, tokens = sizes
    stream, pairs = (width, tokens), tokens * e.chosen
    normed = b.norm(f"{name}.norm", x, stream)
    top, scores = _route(b, f"{name}.router", normed, e, width, tokens)
    shares = e.shares(tokens)
    parts = {f"{name}.dispatch.{at}": (width, n * each) for at, (n, each) in enumerate(shares)}
    b.gather(f"{name}.dispatch", [top, normed], parts, width)
    out = _feed_forward(b, name, tuple(parts), shares, (width, hidden, pairs), act)
    b.gather(f"{name}.scores", [top, scores], {f"{name}.scores.out": (1, pairs)}, 1)
    weighted = b.multiply(f"{name}.weigh", out, f"{name}.scores.out", (width, pairs))
    back = {f"{name}.return.{at}": stream for at in range(e.chosen)}
    b.gather(f"{name}.return", [top, weighted], back, width)
    mixed = b.residual_of(f"{name}.sum", list(back), stream) if e.chosen > 1 else next(iter(back))
    return b.residual(f"{name}.residual", x, mixed, stream)


def _route(b: Builder, name: str, x: str, e: Experts, width: int, tokens: int) -> tuple[str, str]:
    """The experts of each token, and their normalised scores."""
    logits = b.linear(name, x, (e.count, width), tokens)
    scores = b.softmax(f"{name}.softmax", logits, (tokens, e.count))
    top = b.embedding(f"{name}.topk", [scores], (1, tokens * e.chosen), label="top-k")
    return top, b.norm(f"{name}.normalise", top, (e.chosen, tokens), learned=False, label="normalise")


def _feed_forward(
    b: Builder,
    name: str,
    parts: tuple[str, ...],
    shares: list[tuple[int, int]],
    sizes: tuple[int, int, int],
    act: str,
) -> tuple[str, ...]:
    """The gated feed-forward layers of all experts in use; `sizes` are width, hidden width and pairs."""
    width, hidden, pairs = sizes
    gates, ups, outs = (
        tuple(f"{name}.{at}.{what}" for at in range(len(shares))) for what in ("gate", "up", "down.out")
    )
    for at, (count, each) in enumerate(shares):
        made = {gates[at]: (hidden, count * each), ups[at]: (hidden, count * each)}
        b.batched(f"{name}.{at}.gate_up", parts[at], (count, 2 * hidden, width, each), made)
    gate = b.activation(f"{name}.{act}", gates, (hidden, pairs))
    gated = {f"{name}.gated.{at}": (hidden, count * each) for at, (count, each) in enumerate(shares)}
    b.multiply_to(f"{name}.multiply", gate, ups, (hidden, pairs), gated)
    for at, (part, (count, each)) in enumerate(zip(gated, shares, strict=True)):
        b.batched(f"{name}.{at}.down", part, (count, width, hidden, each), {outs[at]: (width, count * each)})
    return outs
