"""What a picture of a trace shows: boxes, arrows with shapes, and a frame around what repeats. Not yet where.

A repeated stretch is drawn once. What its rounds hand to each other enters it at a port on top and leaves it at one below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field, frozen

from lsim.results.grouping import layerless
from lsim.trace import Kind, Operator, Role, Tensor, Trace
from lsim.trace.layers import Stretch, stretches

IN, OUT, INPUT, KV = "in", "out", "input", "kv"  # kinds of boxes besides those of operators
STORED = {Role.INPUT: INPUT, Role.KV: KV}  # stored tensors that have a box; weights are told by sizes


@frozen
class Box:
    """One operator, stored tensor or port: with `lines` written in it, in a `band` of the picture, which go down one by one."""

    name: str
    kind: str
    band: int
    lines: tuple[str, ...]


@frozen
class Arrow:
    """From box to box; the tensors that pass along it."""

    source: str
    target: str
    passes: tuple[Tensor, ...]

    @property
    def label(self) -> str:
        """Their shapes."""
        counts = Counter(map(_shape, self.passes)).items()
        return ", ".join(shape if count == 1 else f"{count} of {shape}" for shape, count in counts)


@frozen
class Frame:
    """A stretch that repeats."""

    band: int
    title: str


@define
class Picture:
    """Everything that is drawn."""

    title: str
    subtitle: str
    boxes: dict[str, Box] = field(factory=dict)
    arrows: dict[tuple[str, str], Arrow] = field(factory=dict)
    frames: list[Frame] = field(factory=list)


def picture(trace: Trace) -> Picture:
    """The picture of a trace: the same for the same trace."""
    about = f"{trace.macs:,} MACs, {trace.parameters:,} parameters, {len(trace.operators):,} operators"
    made = Picture(trace.name, about)
    cover = stretches(trace)
    drawing = _Drawing(trace, cover, made)
    for at, stretch in enumerate(cover):
        drawing.stretch(_band(at), stretch)
    return made


def _band(stretch: int) -> int:
    """The band of a stretch; the inputs that it is the first to read are in the one above."""
    return 2 * stretch + 1


class _Drawing:
    def __init__(self, trace: Trace, cover: Sequence[Stretch], made: Picture) -> None:
        self.trace, self.made = trace, made
        self.home: dict[
            str, tuple[int, Operator]
        ] = {}  # operator → its band, the same operator in the first round
        for number, stretch in enumerate(cover):
            for at in range(len(stretch.first) * stretch.count):
                first = stretch.first[at % len(stretch.first)]
                self.home[trace.operators[stretch.start + at].name] = _band(number), first

    def stretch(self, band: int, stretch: Stretch) -> None:
        if stretch.count > 1:
            self.made.frames.append(Frame(band, f"× {stretch.count}"))
        handed = self._handed(stretch)
        for name, operator in zip(stretch.names, stretch.first, strict=True):
            self._box(Box(operator.name, operator.kind.value, band, (name, *_sizes(operator))))
        for operator in stretch.first:
            for name in dict.fromkeys(operator.reads):
                target, after = operator.name, handed.get((operator.name, name))
                if after is not None:
                    target = self._ports(band, operator, after)
                self._read(band, name, target)

    def _handed(self, stretch: Stretch) -> Mapping[tuple[str, str], str]:
        """Of what the first round reads from outside, what the second reads in its place if the first wrote that."""
        if stretch.count == 1:
            return {}
        begin = stretch.start + len(stretch.first)
        second = self.trace.operators[begin : begin + len(stretch.first)]
        made = {name for operator in stretch.first for name in operator.outputs}
        return {
            (one.name, name): after
            for one, two in zip(stretch.first, second, strict=True)
            for name, after in zip(one.reads, two.reads, strict=True)
            if after in made and name not in made
        }

    def _ports(self, band: int, operator: Operator, after: str) -> str:
        """Ports for what a round hands to the next: the operator reads it from one, which is returned."""
        port_in, port_out = f"{after}:{IN}", f"{after}:{OUT}"
        giver, tensor = self.trace.producer(after), self.trace.tensors[after]
        assert giver is not None
        self._box(Box(port_in, IN, band, ()))
        self._box(Box(port_out, OUT, band, ()))
        self._arrow(port_in, operator.name, tensor)
        self._arrow(giver.name, port_out, tensor)
        return port_in

    def _read(self, band: int, name: str, target: str) -> None:
        tensor, source = self.trace.tensors[name], self.trace.producer(name)
        if source is not None:
            self._arrow(self._leaving(source, name, band), target, tensor)
        elif tensor.role in STORED:
            self._stored(tensor, band - (tensor.role is Role.INPUT), target)

    def _leaving(self, source: Operator, tensor: str, band: int) -> str:
        """The box that what an operator wrote comes from: seen from outside, the port of a stretch that repeats."""
        home, first = self.home[source.name]
        port = f"{first.outputs[source.outputs.index(tensor)]}:{OUT}"
        return port if home != band and port in self.made.boxes else first.name

    def _stored(self, tensor: Tensor, band: int, reader: str) -> None:
        self._box(
            Box(f"{tensor.name}:stored", STORED[tensor.role], band, (layerless(tensor.name), _shape(tensor)))
        )
        self._arrow(f"{tensor.name}:stored", reader, None)

    def _box(self, box: Box) -> None:
        self.made.boxes.setdefault(box.name, box)

    def _arrow(self, source: str, target: str, tensor: Tensor | None) -> None:
        """An arrow, or one more tensor on one that is there."""
        known = self.made.arrows.get((source, target), Arrow(source, target, ()))
        passes = known.passes if tensor is None or tensor in known.passes else (*known.passes, tensor)
        self.made.arrows[source, target] = Arrow(source, target, passes)


def _sizes(operator: Operator) -> Iterator[str]:
    """What an operator does, in figures."""
    heads = f"{operator.heads} × " if operator.heads > 1 else ""
    causal = ", causal" if operator.causal else ""
    if operator.is_gemm:
        yield f"{heads}({operator.rows} × {operator.depth})·({operator.depth} × {operator.columns}){causal}"
        yield f"{_short(operator.macs)} MACs"
        return
    what = operator.kind.value
    if operator.label and operator.kind in (Kind.NORM, Kind.ACTIVATION, Kind.OPAQUE, Kind.EMBEDDING):
        what = f"{what}: {operator.label}"
    yield f"{what}, {heads}{operator.rows} × {operator.columns}{causal}"


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape))


def _short(count: int) -> str:
    for factor, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            return f"{count / factor:.3g} {prefix}"
    return str(count)
