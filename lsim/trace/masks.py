"""Which attention of a trace is causal, how much of it is computed though masked, and how much is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from lsim.trace.band import Band
from lsim.trace.ir import Kind, Operator, Trace
from lsim.units import plural

_BETWEEN = (Kind.RESIDUAL, Kind.MULTIPLY, Kind.ACTIVATION)  # what may be done to scores before their softmax


@frozen
class Attention:
    """A causal Q·Kᵀ, what is done to its scores, their softmax, and S·V. All tokens of a sequence, or a band of them.

    `between`: operators on the scores alone, in order. `pairs`: what these read beside the scores that has as many
    elements for each query and key (a bias of positions).
    """

    qk: Operator
    between: tuple[Operator, ...]
    softmax: Operator
    sv: Operator
    pairs: frozenset[str]

    @property
    def operators(self) -> tuple[Operator, ...]:
        return (self.qk, *self.between, self.softmax, self.sv)

    @property
    def window(self) -> int:
        return self.softmax.window

    @property
    def band(self) -> Band:
        keys = self.softmax.columns
        return self.softmax.band or Band(0, keys, keys)

    @property
    def group(self) -> int:
        """Queries that are stacked for each token."""
        return self.softmax.rows // self.band.queries

    @property
    def macs(self) -> int:
        return self.qk.macs + self.sv.macs

    @property
    def masked_macs(self) -> int:
        """MACs that are computed for a query and a key that it does not need."""
        band, window = self.band, self.window
        pairs = band.queries * self.softmax.columns
        return self.macs * (pairs - band.needed(window)) // pairs

    @property
    def dense_macs(self) -> int:
        """MACs of the band's queries with the keys of all tokens."""
        return self.macs // self.softmax.columns * self.band.tokens


class Unclear(Exception):
    """Why a causal softmax is in no attention that can be understood."""


def attentions(trace: Trace) -> tuple[list[Attention], dict[str, str]]:
    """The causal attentions of a trace in order of their softmaxes; and of every other operator that is causal, why it is in none."""
    found: list[Attention] = []
    why: dict[str, str] = {}
    for operator in trace.operators:
        if operator.causal and operator.kind is Kind.SOFTMAX:
            try:
                found.append(_attention(trace, operator))
            except Unclear as unclear:
                why[operator.name] = str(unclear)
    known = {operator.name for attention in found for operator in attention.operators}
    if not why:
        alone = (o.name for o in trace.operators if o.causal and o.name not in known)
        why.update(dict.fromkeys(alone, "no causal softmax belongs to this product"))
    return found, why


def _attention(trace: Trace, softmax: Operator) -> Attention:
    if softmax.rows % (softmax.band.queries if softmax.band else softmax.columns):
        raise Unclear(f"{softmax.rows} rows are not whole groups of {softmax.columns} queries")
    qk, between = _scores(trace, softmax)
    sv = _values(trace, softmax)
    for one, after in zip((qk, *between), (*between, softmax), strict=True):
        if len(one.outputs) != 1 or trace.consumers(one.outputs[0]) != (after,):
            raise Unclear("its scores are not only for its softmax")
    if {o.window for o in (qk, sv)} != {softmax.window} or {o.band for o in (qk, sv)} != {softmax.band}:
        raise Unclear("its products have another window, or another band, than it has")
    scores = {one.outputs[0] for one in (qk, *between)}
    beside = {name for one in between for name in one.reads if name not in scores}
    pairs = frozenset(name for name in beside if trace.tensors[name].elements > 1)
    return Attention(qk, tuple(between), softmax, sv, pairs)


def _scores(trace: Trace, softmax: Operator) -> tuple[Operator, list[Operator]]:
    """The product whose result the softmax reads, and what is done to that before."""
    chain = _chain(trace, softmax, _sizes(softmax))
    if not chain:
        raise Unclear("no causal product is found that makes its scores")
    if len(chain[0].operands) > 2:
        raise Unclear("its product has a bias")
    return chain[0], chain[1:]


def _chain(trace: Trace, after: Operator, sizes: tuple[int, int, int]) -> list[Operator]:
    """From a causal product to what an operator reads of it; empty if there is none."""
    makers = [trace.producer(operand[0]) for operand in after.operands if len(operand) == 1]
    for maker in makers:
        if maker is None or _sizes(maker) != sizes:
            continue
        if maker.is_gemm and maker.causal:
            return [maker]
        before = _chain(trace, maker, sizes) if maker.kind in _BETWEEN else []
        if before:
            return [*before, maker]
    return []


def _values(trace: Trace, softmax: Operator) -> Operator:
    """The product of what the softmax writes."""
    readers = trace.consumers(softmax.outputs[0])
    if len(softmax.outputs) != 1 or len(readers) != 1:
        raise Unclear("its result is not only for a product with values")
    (sv,) = readers
    if not (sv.is_gemm and sv.causal and sv.operands[0] == softmax.outputs and len(sv.operands) == 2):
        raise Unclear("its result is not only for a causal product with values")
    if (sv.heads, sv.rows, sv.depth) != _sizes(softmax):
        raise Unclear("the product of its result has other heads or rows")
    return sv


def _sizes(operator: Operator) -> tuple[int, int, int]:
    return operator.heads, operator.rows, operator.columns


@frozen
class Masked:
    """Multiply-accumulates by what the masks of causal attention make of them; all but `skipped` are computed.

    `masked`: computed, and masked. `skipped`: of the dense products, not computed. `queries`: of the widest band that there is;
    0 if none. `dense`: whether there is causal attention that is in no bands. Masks that are not known to be causal are in none of these.
    """

    macs: int
    masked: int = 0
    skipped: int = 0
    queries: int = 0
    dense: bool = False

    @property
    def share(self) -> float:
        """Masked MACs over all that are computed."""
        return self.masked / self.macs if self.macs else 0.0

    @property
    def skipped_share(self) -> float:
        """Skipped MACs over those of the dense trace."""
        return self.skipped / (self.macs + self.skipped) if self.skipped else 0.0

    def to_dict(self) -> dict[str, int]:
        """What JSON says of it."""
        return {"masked_macs": self.masked, "skipped_macs": self.skipped}

    @property
    def words(self) -> str:
        """A line for people; empty where nothing is causal."""
        masked = f"{_percent(self.share)} of the MACs are masked"
        if not self.queries:
            return f"causal attention dense: {masked}" if self.dense else ""
        some = ", some dense" if self.dense else ""
        skipped = f"{_percent(self.skipped_share)} of those of the dense products are skipped"
        bands = f"bands of {self.queries:,} {plural(self.queries, 'query', 'queries')}"
        return f"causal attention in {bands}{some}: {masked}; {skipped}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def masked(trace: Trace) -> Masked:
    """What masks make of the MACs of a trace."""
    found, why = attentions(trace)
    return Masked(
        macs=trace.macs,
        masked=sum(one.masked_macs for one in found),
        skipped=sum(one.dense_macs - one.macs for one in found),
        queries=max((one.band.queries for one in found if one.softmax.band), default=0),
        dense=bool(why) or any(one.softmax.band is None for one in found),
    )


def total(parts: Sequence[Masked]) -> Masked:
    """Of several traces together."""
    return Masked(
        macs=sum(one.macs for one in parts),
        masked=sum(one.masked for one in parts),
        skipped=sum(one.skipped for one in parts),
        queries=max((one.queries for one in parts), default=0),
        dense=any(one.dense for one in parts),
    )


def by_reason(why: Mapping[str, str]) -> Iterator[str]:
    """For each reason the first operator of it, and how many more there are."""
    for reason in dict.fromkeys(why.values()):
        names = [name for name, given in why.items() if given == reason]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{names[0]}{more}: {reason}"
