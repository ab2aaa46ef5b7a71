"""Random traces and machines, in one place: small enough for the per-tick reference, odd enough to find edges."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import NamedTuple

from attrs import define, field
from hypothesis import assume, reject
from hypothesis import strategies as st
from pytest import MonkeyPatch
from small import SETTINGS as SMALL
from small import attention, machine

from lsim import simulate
from lsim.arch import IDEALS, Arch, load_arch
from lsim.errors import InputError
from lsim.kernel import fold, program
from lsim.results.result import Result
from lsim.trace import Kind, Operator, Role, Tensor, Trace
from lsim.trace.band import DENSE
from lsim.trace.document import Document
from lsim.trace.zoo.builder import Attention, Builder

ELEMENT_WISE = (Kind.ACTIVATION, Kind.RESIDUAL, Kind.MULTIPLY, Kind.ROTARY)


@define
class _Model:
    """A model under construction: the current activation is `features` × `tokens`."""

    draw: Callable[[st.SearchStrategy[int]], int]
    tokens: int
    features: int
    x: str = "input"
    older: list[str] = field(factory=list)
    tensors: dict[str, Tensor] = field(factory=dict)
    operators: list[Operator] = field(factory=list)

    def tensor(self, name: str, *shape: int, role: Role = Role.ACTIVATION) -> str:
        self.tensors[name] = Tensor(name, shape, role)
        return name

    def add(
        self,
        kind: Kind,
        operands: list[tuple[str, ...]],
        out: str,
        size: tuple[int, int, int, int],
        role: Role,
    ) -> str:
        heads, rows, depth, columns = size
        self.tensor(out, heads, rows, columns, role=role)
        self.operators.append(
            Operator(out + ".op", kind, tuple(operands), (out,), heads, rows, depth, columns)
        )
        return out

    def linear(self, name: str, features: int, role: Role = Role.ACTIVATION) -> str:
        weight = self.tensor(f"{name}.w", features, self.features, role=Role.WEIGHT)
        return self.add(
            Kind.GEMM, [(weight,), (self.x,)], name, (1, features, self.features, self.tokens), role
        )

    def step(self, name: str, features: int) -> None:
        self.older = [] if features != self.features else [*self.older, self.x]
        self.x, self.features = name, features


def _linear(m: _Model, name: str, choice: int) -> None:
    features = 1 + choice % 13
    m.linear(name, features)
    m.step(name, features)


def _vector(m: _Model, name: str, choice: int) -> None:
    kind = ELEMENT_WISE[choice % 4]
    operands = [(m.x,)]
    if kind in (Kind.RESIDUAL, Kind.MULTIPLY):
        operands.append((m.older[choice % len(m.older)] if m.older else m.x,))
    m.add(kind, operands, name, (1, m.features, 0, m.tokens), _kept(choice))
    m.step(name, m.features)


def _kept(choice: int) -> Role:
    """Some of what vector operators write is for the cache: rotated or normalised keys."""
    return Role.KV if choice % 5 == 4 else Role.ACTIVATION


def _norm(m: _Model, name: str, choice: int) -> None:
    m.add(Kind.NORM, [(m.x,)], name, (1, m.tokens, 0, m.features), _kept(choice))
    m.step(name, m.features)


def _attention(m: _Model, name: str, choice: int) -> None:
    """Heads of Q·Kᵀ, softmax and S·V, the keys and values in the KV cache if the choice is odd."""
    heads, size = 1 + choice % 3, 1 + choice % 4
    role = Role.KV if choice % 2 else Role.ACTIVATION
    q = m.linear(f"{name}.q", heads * size)
    k, v = m.linear(f"{name}.k", heads * size, role), m.linear(f"{name}.v", heads * size, role)
    n = m.tokens
    scores = m.add(Kind.GEMM, [(q,), (k,)], f"{name}.s", (heads, n, size, n), Role.ACTIVATION)
    probabilities = m.add(Kind.SOFTMAX, [(scores,)], f"{name}.p", (heads, n, 0, n), Role.ACTIVATION)
    m.add(Kind.GEMM, [(probabilities,), (v,)], name, (heads, n, n, size), Role.ACTIVATION)
    m.step(name, heads * size)


def _grouped_attention(m: _Model, name: str, choice: int) -> None:
    """One layer writes Q, K and V; several query heads share a key head; older keys and values may come before the new."""
    heads, group, size, cached = 1 + choice % 2, 1 + choice % 3, 1 + choice % 4, choice % 5
    role = Role.KV if cached else Role.ACTIVATION
    n, rows = m.tokens, heads * size * (group + 2)
    weight = m.tensor(f"{name}.w", rows, m.features, role=Role.WEIGHT)
    q = m.tensor(f"{name}.q", heads * group * size, n)
    k, v = (m.tensor(f"{name}.{x}", heads * size, n, role=role) for x in "kv")
    fused = Operator(f"{name}.qkv.op", Kind.GEMM, ((weight,), (m.x,)), (q, k, v), 1, rows, m.features, n)
    m.operators.append(fused)
    keys, values = [k], [v]
    if cached:
        keys.insert(0, m.tensor(f"{name}.k_cache", heads * size, cached, role=Role.KV))
        values.insert(0, m.tensor(f"{name}.v_cache", heads * size, cached, role=Role.KV))
    scores = m.add(
        Kind.GEMM, [(q,), tuple(keys)], f"{name}.s", (heads, n * group, size, n + cached), Role.ACTIVATION
    )
    m.add(Kind.SOFTMAX, [(scores,)], f"{name}.p", (heads, n * group, 0, n + cached), Role.ACTIVATION)
    m.add(
        Kind.GEMM,
        [(f"{name}.p",), tuple(values)],
        name,
        (heads, n * group, n + cached, size),
        Role.ACTIVATION,
    )
    m.step(name, heads * group * size)


def _opaque(m: _Model, name: str, choice: int) -> None:
    """Something that is not known: it writes more than it reads, or less, of one activation or two."""
    features = 1 + choice % 17
    operand = (m.older[choice % len(m.older)], m.x) if choice % 2 and m.older else (m.x,)
    m.add(Kind.OPAQUE, [operand], name, (1, features, 0, m.tokens), Role.ACTIVATION)
    m.step(name, features)


def _joined(m: _Model, name: str, choice: int) -> None:
    """A layer of two weights side by side on two activations side by side."""
    other = m.older[choice % len(m.older)] if m.older else m.x
    rows, depth = 2 + choice % 7, 2 * m.features
    weights = tuple(m.tensor(f"{name}.w{i}", n, depth, role=Role.WEIGHT) for i, n in enumerate((1, rows - 1)))
    m.add(Kind.GEMM, [weights, (m.x, other)], name, (1, rows, depth, m.tokens), Role.ACTIVATION)
    m.step(name, rows)


def _positions(m: _Model, name: str, choice: int) -> None:
    """A sum with a parameter of full size, a product with one a feature, or a norm with a gain."""
    if choice % 3 == 2:
        scale = m.tensor(f"{name}.w", m.features, role=Role.WEIGHT)
        m.add(Kind.MULTIPLY, [(m.x,), (scale,)], name, (1, m.features, 0, m.tokens), Role.ACTIVATION)
    elif choice % 3:
        table = m.tensor(f"{name}.w", m.features, m.tokens, role=Role.WEIGHT)
        m.add(Kind.RESIDUAL, [(m.x,), (table,)], name, (1, m.features, 0, m.tokens), Role.ACTIVATION)
    else:
        gain = m.tensor(f"{name}.w", m.features, role=Role.WEIGHT)
        m.add(Kind.NORM, [(m.x,), (gain,)], name, (1, m.tokens, 0, m.features), Role.ACTIVATION)
    m.step(name, m.features)


def _repeated(m: _Model, name: str, choice: int) -> None:
    """A sum or a product with a smaller operand, a weight or an activation, which repeats."""
    kind = (Kind.RESIDUAL, Kind.MULTIPLY)[choice % 2]
    if choice % 3:
        small = m.tensor(f"{name}.w", m.features, role=Role.WEIGHT)
    else:
        small = m.tensor(f"{name}.s", m.features)
        gain = m.tensor(f"{name}.g", m.features, m.features, role=Role.WEIGHT)
        first = m.tensor(f"{name}.i", m.features, role=Role.INPUT)
        m.operators.append(
            Operator(small + ".op", Kind.GEMM, ((gain,), (first,)), (small,), 1, m.features, m.features, 1)
        )
    m.add(kind, [(m.x,), (small,)], name, (1, m.features, 0, m.tokens), Role.ACTIVATION)
    m.step(name, m.features)


def _embedding(m: _Model, tables: int) -> None:
    """The tokens' rows of one table or two, summed."""
    m.tensor("ids", m.tokens, role=Role.INPUT)
    names = [(m.tensor(f"table{i}.w", 5 + i, m.features, role=Role.WEIGHT),) for i in range(tables)]
    m.x = m.add(Kind.EMBEDDING, [("ids",), *names], "embedded", (1, m.tokens, 0, m.features), Role.ACTIVATION)


STEPS = (
    _linear,
    _linear,
    _vector,
    _vector,
    _norm,
    _attention,
    _grouped_attention,
    _joined,
    _positions,
    _opaque,
    _repeated,
)


@st.composite
def traces(draw: st.DrawFn, layers: int = 3, steps: int = 4, size: int = 12) -> Trace:
    """A model of a few layers, each the same few operators; sizes up to `size`."""
    model = _Model(draw, draw(st.integers(1, size)), draw(st.integers(1, size)))
    model.tensor("input", model.features, model.tokens, role=Role.INPUT)
    tables = draw(st.integers(0, 2))
    if tables:
        _embedding(model, tables)
    body = draw(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99)), min_size=1, max_size=steps))
    for layer in range(draw(st.integers(1, layers))):
        for i, (step, choice) in enumerate(body):
            step(model, f"l{layer}.{i}", choice)
    read = {name for operator in model.operators for name in operator.reads}
    produced = {name for operator in model.operators for name in operator.outputs}
    tensors = {name: t for name, t in model.tensors.items() if name in read or name in produced}
    return Trace("random", tensors, tuple(model.operators))


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


def _settings(**choices: object) -> st.SearchStrategy[dict[str, str]]:
    options = {key.replace("__", "."): st.sampled_from(values) for key, values in choices.items()}  # type: ignore[arg-type]
    return st.fixed_dictionaries(options)


WIDTHS = st.fixed_dictionaries(
    {},
    optional={
        f"operands.{role}_bits": st.sampled_from(["4 bit", "8 bit", "16 bit"])
        for role in ("weight", "activation", "kv")
    },
)
"""What is stored at another width than that of operands; anything or nothing."""

SETTINGS = _settings(
    core__tiles=["1", "2", "4"],
    core__cores=["1", "2"],
    core__rows=["1", "2", "3"],
    core__columns=["1", "2", "3"],
    core__wavelengths=["1", "2", "3"],
    core__clock=["1 GHz"],
    operands__bits=["3 bit", "4 bit", "8 bit"],
    operands__partial_sum_bits=["16 bit"],
    global_sram__capacity=["700 B", "1 KiB", "4 KiB"],
    global_sram__banks=["2", "4"],
    global_sram__line=["4 B", "16 B"],
    global_sram__clock=["500 MHz", "250 MHz"],
    global_sram__groups=["1", "2"],
    global_sram__ports=["1", "2"],
    global_sram__arbitration=["fifo", "round-robin", "priority"],
    global_sram__m1_staging=["64 B", "160 B"],
    global_sram__m2_staging=["64 B", "160 B"],
    global_sram__out_staging=["160 B"],
    global_sram__dpu_staging=["64 B", "96 B"],
    global_sram__psum_staging=["1 B", "96 B"],
    m1_sram__slot=["16 B", "40 B"],
    m1_sram__slots=["1", "2", "3"],
    m1_sram__port=["matched", "3 B"],
    m2_sram__slot=["16 B", "40 B"],
    m2_sram__slots=["1", "2"],
    m2_sram__port=["matched", "5 B"],
    act_sram__slot=["18 B", "40 B"],
    act_sram__slots=["1", "2"],
    encoder__sample_rate=["1 GHz", "500 MHz"],
    broadcast__streams=["1", "2"],
    broadcast__groups=["1"],
    broadcast__propagation=["0 ticks", "2 ticks"],
    broadcast__switch=["0 ticks", "3 ticks"],
    broadcast__arbitration=["fifo", "round-robin", "priority"],
    readout__integrate=["1", "2", "3"],
    readout__conversion=["0 ticks", "1 tick", "3 ticks", "7 ticks"],
    readout__latency=["0 ticks", "4 ticks"],
    dpu__lanes=["1", "4"],
    dpu__clock=["500 MHz", "1 GHz"],
    dpu__slot=["16 B", "24 B"],
    dpu__slots=["1", "2"],
    dpu__softmax=["0", "2"],
    dpu__norm=["1"],
    hbm__bandwidth=["8 GB/s", "3 GB/s"],
    hbm__channels=["1", "2", "3"],
    hbm__latency=["0 ns", "5 ns", "40 ns"],
    hbm__transaction=["8 B", "32 B"],
    hbm__outstanding=["1", "4"],
    controller__window=["1", "2", "8"],
    controller__issue=["0 ticks", "4 ticks"],
    controller__prefetch=["0", "1", "3"],
    controller__m1_ahead=["32 B", "1 KiB"],
    controller__m2_ahead=["32 B", "1 KiB"],
    controller__lag=["0", "1", "3"],
)  # fmt: skip


class Machine(NamedTuple):
    """A small machine, told by what differs from LT-B: short to print when a test fails."""

    settings: dict[str, str]
    ideal: frozenset[str]

    @property
    def arch(self) -> Arch:
        return _base().with_settings(self.settings).with_ideal(self.ideal)


@cache
def _base() -> Arch:
    return load_arch("lt-b-4bit")


HELD = _settings(
    core__kind=["mrr-bank", "mzi-mesh"], core__columns=["1"], core__reload=["0 ns", "2 ns", "9 ns"], core__passes=["1", "2", "3"]
)  # fmt: skip
"""What differs where cores hold an operand."""


@st.composite
def machines(draw: st.DrawFn, groups: tuple[str, ...] = ("1",)) -> Machine:
    """A small machine; any contention source may be ideal."""
    settings = draw(SETTINGS)
    if draw(st.booleans()):
        settings |= draw(WIDTHS)
    if draw(st.integers(0, 3)) == 0:
        settings |= draw(HELD)
    settings["broadcast.groups"] = draw(
        st.sampled_from([g for g in groups if int(settings["core.tiles"]) % int(g) == 0])
    )
    for side, vectors in (("m1", "rows"), ("m2", "columns")):
        step = prod(int(settings[f"core.{size}"]) for size in ("cores", vectors, "wavelengths"))
        if step * _widest(settings) > 8 * 16:
            settings[f"{side}_sram.slot"] = "40 B"
    ideal = draw(st.sets(st.sampled_from(sorted(IDEALS)), max_size=2)) if draw(st.booleans()) else set()
    return Machine(settings, frozenset(ideal))


def _widest(settings: dict[str, str]) -> int:
    """Bits of the widest that a machine stores."""
    widths = ("bits", "weight_bits", "activation_bits", "kv_bits")
    given = [settings[f"operands.{name}"] for name in widths if f"operands.{name}" in settings]
    return max(int(width.split()[0]) for width in given)


COARSE = _settings(
    core__kind=["dptc"], core__cores=["1"], core__columns=["8", "12"], core__wavelengths=["8", "16"],
    operands__bits=["4 bit", "8 bit"],
    global_sram__capacity=["3 KiB", "6 KiB", "12 KiB", "64 KiB"], global_sram__line=["16 B", "64 B", "128 B"],
    global_sram__m1_staging=["512 B"], global_sram__m2_staging=["512 B", "1 KiB"], global_sram__out_staging=["512 B", "1 KiB"],
    global_sram__dpu_staging=["256 B", "512 B"], global_sram__psum_staging=["512 B"],
    m1_sram__slot=["128 B"], m2_sram__slot=["256 B", "1 KiB"], act_sram__slot=["256 B", "1 KiB"],
    dpu__lanes=["64"], dpu__slot=["128 B", "256 B"], hbm__bandwidth=["16 GB/s", "64 GB/s", "200 GB/s"], hbm__transaction=["64 B", "256 B"],
    controller__m1_ahead=["128 B", "1 KiB"], controller__m2_ahead=["128 B", "1 KiB"],
)  # fmt: skip
"""Machines on which sizes that differ often come to the same ticks."""


@st.composite
def coarse_machines(draw: st.DrawFn) -> Machine:
    """A machine whose memories move so much a tick that one token more often costs none."""
    machine = draw(machines(groups=("1", "2")))
    settings = {
        key: value for key, value in machine.settings.items() if key not in ("core.reload", "core.passes")
    }
    settings |= draw(COARSE)
    if int(settings["core.columns"]) * int(settings["core.wavelengths"]) * _widest(settings) > 8 * 256:
        settings["m2_sram.slot"] = "1 KiB"
    return Machine(settings, machine.ideal)


TIGHT = _settings(
    core__columns=["8"], core__wavelengths=["8"], m1_sram__slot=["128 B"], m2_sram__slot=["512 B"], act_sram__slot=["256 B"],
    dpu__lanes=["64"], dpu__slot=["256 B"], hbm__bandwidth=["64 GB/s", "200 GB/s"], hbm__transaction=["64 B", "256 B"], hbm__outstanding=["4", "16"],
    global_sram__line=["16 B", "64 B"], global_sram__capacity=["6 KiB", "12 KiB", "64 KiB"], global_sram__psum_staging=["256 B"],
    controller__m1_ahead=["1 KiB", "64 KiB"], controller__m2_ahead=["1 KiB", "64 KiB"], controller__prefetch=["1", "3"],
    **{f"global_sram__{ring}_staging": ["256 B", "512 B", "1 KiB"] for ring in ("m1", "m2", "out", "dpu")},
)  # fmt: skip
"""What makes the small machine coarse, and its rings so small that their room makes somebody wait."""


def tight_machines() -> st.SearchStrategy[Machine]:
    """Machines whose staging rings are often full; of another size where another step uses more of the region."""
    return TIGHT.map(lambda settings: Machine({**SMALL, **settings}, frozenset()))


SLACK = _settings(
    core__columns=["8", "16"], core__wavelengths=["8"], m1_sram__slot=["128 B"], m2_sram__slot=["512 B", "2 KiB"], act_sram__slot=["256 B"],
    dpu__lanes=["64"], dpu__slot=["256 B"], hbm__bandwidth=["16 GB/s", "24 GB/s"], hbm__transaction=["32 B"], hbm__outstanding=["4", "16"],
    hbm__latency=["1 ns", "5 ns"], global_sram__clock=["25 MHz", "50 MHz", "125 MHz"], global_sram__line=["32 B", "64 B"],
    global_sram__capacity=["6 KiB", "12 KiB", "64 KiB"], controller__prefetch=["1", "3"],
    **{f"global_sram__{ring}_staging": ["1 KiB"] for ring in ("m1", "m2", "out", "dpu", "psum")},
)  # fmt: skip
"""What makes the small machine coarse, and fetch pieces faster than it writes them into the SRAM."""


def slack_machines() -> st.SearchStrategy[Machine]:
    """Machines in which a piece may come later from HBM and nobody notices."""
    return SLACK.map(lambda settings: Machine({**SMALL, **settings}, frozenset()))


OPTIONS = st.fixed_dictionaries(
    {
        "mapping": st.sampled_from(["lockstep", "head-parallel"]),
        "deps": st.sampled_from(["barrier", "chunked"]),
        "step": st.sampled_from(["block", "block", "shot"]),
    }
)
MOST = 30_000  # ticks of a run that is looked at tick by tick


@st.composite
def runs(draw: st.DrawFn) -> Result:
    """The result of a run of 1 to `MOST` ticks, folded wherever it can be, some with folds in folds."""
    options = draw(OPTIONS)
    if draw(st.integers(0, 2)):
        work, arch = draw(repeating())
    else:
        work, arch = draw(traces(layers=6, size=20)), draw(machines(groups=("1", "2", "4"))).arch
    with MonkeyPatch.context() as patch:
        patch.setattr(program, "WORTH_FOLDING", 2)
        patch.setattr(fold, "WORTH_AN_ANCHOR", 1)
        try:
            result = simulate(work, arch, **options)
        except InputError:
            reject()
    assume(0 < result.ticks <= MOST)
    return result


@st.composite
def repeating(draw: st.DrawFn) -> tuple[Trace, Arch]:
    """Attention blocks on a machine with room for them: layers, heads and row passes that settle."""
    size = {name: draw(st.integers(*bounds)) for name, bounds in _REPEATING_SIZES.items()}
    settings = {name: draw(st.sampled_from(values)) for name, values in _REPEATING_SETTINGS.items()}
    return attention(**size), machine(global_sram__capacity="64 KiB", **settings)


_REPEATING_SIZES = {"tokens": (14, 20), "heads": (3, 4), "size": (2, 4), "blocks": (2, 3)}
_REPEATING_SETTINGS = {
    "broadcast__groups": ["1", "2"],
    "core__cores": ["1", "2"],
    "global_sram__groups": ["1", "2"],
    "global_sram__ports": ["1", "2"],
    "hbm__channels": ["1", "3"],
    "encoder__sample_rate": ["1 GHz", "500 MHz"],
    "readout__conversion": ["0 ticks", "3 ticks", "7 ticks"],
    "readout__integrate": ["1", "3"],
}


class Step(NamedTuple):
    """A call of a random program: of which values, by number, and which of several parameters or dimensions."""

    name: str
    operands: tuple[int, ...]
    choice: int


class Program(NamedTuple):
    """Values of one size, computed of inputs and of each other; those are returned that nobody reads, and some others."""

    tokens: int
    inputs: int
    steps: tuple[Step, ...]
    returned: tuple[int, ...]


@st.composite
def programs(draw: st.DrawFn, operands: dict[str, int], often: list[str], steps: int = 7) -> Program:
    """A few calls, each of so many values as its name takes operands: of few names, so that they meet each other."""
    inputs = draw(st.integers(1, 2))
    names = draw(st.lists(st.sampled_from(sorted(operands)), max_size=3)) + often
    made: list[Step] = []
    for at in range(inputs, inputs + draw(st.integers(1, steps))):
        name = draw(st.sampled_from(names))
        of = draw(st.tuples(*[st.integers(max(0, at - 3), at - 1)] * operands[name]))
        made.append(Step(name, of, draw(st.integers(0, 2))))
    read = {value for step in made for value in step.operands}
    values = range(inputs, inputs + len(made))
    returned = tuple(at for at in values if at not in read or draw(st.booleans()))
    return Program(draw(st.sampled_from([2, 4, 6])), inputs, tuple(made), returned)
