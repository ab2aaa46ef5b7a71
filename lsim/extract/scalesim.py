"""GEMM topologies of SCALE-Sim: one line a layer, `Layer, M, N, K,` and no more.

    M    rows of the moving operand (input feature map): tokens of a linear layer, queries of Q·Kᵀ
    N    filters: out features of a linear layer, keys of Q·Kᵀ
    K    depth

The first line is a header, which SCALE-Sim skips unread. A fifth column is a sparsity ratio `n:m` (v3) or a batch, a
sixth a batch: as many independent GEMMs of that size. Every line ends in a comma: SCALE-Sim drops what is after the last.

Sources: github.com/scalesim-project/SCALE-Sim, its README (`-i gemm`) and reader of topologies; Samajdar et al.,
"A systematic methodology for characterizing scalability of DNN accelerators using SCALE-Sim", ISPASS 2020.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from lsim.errors import TraceError
from lsim.extract.assemble import Names, assemble
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace
from lsim.trace.record import MAX_SIZE

_HEADER = ("m", "n", "k")
_HEAD = ".head{}"
_RATIO = re.compile(r"([0-9]+)\s*:\s*([0-9]+)")

_CHAIN = (
    "Read from a SCALE-Sim GEMM topology, which has sizes only. A chain is assumed: each GEMM reads, as its moving "
    "operand, what the GEMM before it wrote; what is missing is an input in HBM, what is left over is an output.",
    "The filter operand of a GEMM is a weight; of a batched GEMM (one that has heads) it is an input in HBM.",
    "No softmax, norm, activation, residual, bias or embedding, no causal mask and no KV cache: the file has none.",
)


@frozen
class Layer:
    """A line of a topology: `heads` GEMMs of M x K by K x N."""

    name: str
    m: int
    n: int
    k: int
    heads: int = 1
    ratio: str = "1:1"


# -- reading -------------------------------------------------------------------------------------------------------
def read_topology(text: str, name: str) -> tuple[Trace, list[str]]:
    """The chain of GEMMs of a topology, and what was assumed; errors know their line, not their file."""
    layers = _folded(list(_layers(text)))
    names = Names()
    layers = [evolve(layer, name=names.make(layer.name)) for layer in layers]
    sparse = [layer.name for layer in layers if not _is_dense(layer.ratio)]
    notes = list(_CHAIN)
    if sparse:
        notes.append(f"Sparse layers are computed dense: {len(sparse)} of {len(layers)}, first {sparse[0]}.")
    if names.changed:
        notes.append(
            f"{names.changed} layer names were taken twice or had signs that a trace does not allow."
        )
    operators, tensors = _chain(layers)
    description = f"{len(layers)} GEMMs of a SCALE-Sim topology"
    return assemble(name, operators, tensors, description, notes), notes


def _layers(text: str) -> Iterator[Layer]:
    lines = [(at, line.strip()) for at, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1)]
    lines = [(at, line) for at, line in lines if line]
    if not lines:
        raise TraceError("is empty: a topology begins with the header 'Layer, M, N, K,'")
    _check_header(*lines[0])
    if len(lines) == 1:
        raise TraceError("has no layers, only a header", line=lines[0][0])
    for at, line in lines[1:]:
        try:
            yield _layer(_cells(line))
        except TraceError as error:
            raise error.at(line=at, place=_cells(line)[0] or None) from None


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split(",")]
    return cells if cells[-1] else cells[:-1] or [""]


def _check_header(at: int, line: str) -> None:
    titles = tuple(cell.casefold() for cell in _cells(line)[1:4])
    if titles == _HEADER:
        return
    if len(titles) == 3 and all(map(_is_number, titles)):
        raise TraceError(
            "the header is missing, and SCALE-Sim skips the first line: put 'Layer, M, N, K,' first", line=at
        )
    if any("filter" in title or "ifmap" in title for title in titles):
        raise TraceError("is a topology of convolutions: give the sizes of GEMMs, 'Layer, M, N, K,'", line=at)
    raise TraceError(
        f"the header must be 'Layer, M, N, K,', not {line!r}: columns go by their place", line=at
    )


def _layer(cells: Sequence[str]) -> Layer:
    if not 4 <= len(cells) <= 6:
        raise TraceError(
            f"a layer has a name, M, N, K, and at most a sparsity and a batch: not {len(cells)} fields"
        )
    if not cells[0]:
        raise TraceError("the layer has no name")
    m, n, k = (_size(title, cell) for title, cell in zip("MNK", cells[1:4], strict=True))
    rest = list(cells[4:])
    if len(rest) == 1 and _is_number(rest[0]):
        rest.insert(0, "")
    ratio, batch = [*rest, "", ""][:2]
    if ratio and not _is_ratio(ratio):
        raise TraceError(f"the fifth field is a sparsity such as 2:4, or a batch, not {ratio!r}")
    return Layer(cells[0], m, n, k, _size("the batch", batch) if batch else 1, ratio or "1:1")


def _size(title: str, cell: str) -> int:
    if not _is_number(cell) or not 1 <= int(cell) <= MAX_SIZE:
        raise TraceError(f"{title} must be a whole number from 1 to {MAX_SIZE}, not {cell!r}")
    return int(cell)


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal()


def _is_ratio(cell: str) -> bool:
    """Whether it is n:m, n of m elements kept."""
    found = _RATIO.fullmatch(cell)
    return found is not None and 1 <= int(found[1]) <= int(found[2])


def _is_dense(ratio: str) -> bool:
    kept, of = ratio.replace(" ", "").split(":")
    return int(kept) == int(of)


def _folded(layers: Sequence[Layer]) -> list[Layer]:
    """Consecutive lines X.head0, X.head1, … of one size as one GEMM of as many heads: as `topology` writes them."""
    folded, at = [], 0
    while at < len(layers):
        layer, heads = layers[at], _heads(layers, at)
        one = evolve(layer, name=layer.name.removesuffix(_HEAD.format(0)), heads=heads)
        folded.append(one if heads > 1 else layer)
        at += heads
    return folded


def _heads(layers: Sequence[Layer], at: int) -> int:
    """How many lines from this one on are heads of one GEMM."""
    first = layers[at]
    if first.heads > 1 or not first.name.endswith(_HEAD.format(0)):
        return 1
    name, heads = first.name.removesuffix(_HEAD.format(0)), 1
    while at + heads < len(layers) and layers[at + heads] == evolve(first, name=name + _HEAD.format(heads)):
        heads += 1
    return heads


def _chain(layers: Sequence[Layer]) -> tuple[list[Operator], dict[str, Tensor]]:
    operators: list[Operator] = []
    tensors: dict[str, Tensor] = {}
    made, has = "", 0  # the tensor that passes on, and its elements
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        needs, gives = layer.heads * layer.m * layer.k, layer.heads * layer.m * layer.n
        moving = [Tensor(made, (has,))] if made else []
        if needs > has:
            moving.append(Tensor(f"{layer.name}.input", (needs - has,), Role.INPUT))
        has = min(gives, after.heads * after.m * after.k) if after else gives
        written = [Tensor(made := f"{layer.name}.out", (has,))]
        if gives > has:
            written.append(Tensor(f"{layer.name}.unread", (gives - has,)))
        role = Role.WEIGHT if layer.heads == 1 else Role.INPUT
        filters = Tensor(f"{layer.name}.filter", (layer.heads, layer.n, layer.k), role)
        tensors.update({tensor.name: tensor for tensor in (*moving, filters, *written)})
        operators.append(_gemm(layer, filters.name, [t.name for t in moving], [t.name for t in written]))
    return operators, tensors


def _gemm(layer: Layer, filters: str, moving: Sequence[str], written: Sequence[str]) -> Operator:
    """A weight is M1, its filters along the rows; a batched product has its moving operand there."""
    pair: list[tuple[tuple[str, ...], int]] = [((filters,), layer.n), (tuple(moving), layer.m)]
    (m1, rows), (m2, columns) = pair if layer.heads == 1 else reversed(pair)
    return Operator(layer.name, Kind.GEMM, (m1, m2), tuple(written), layer.heads, rows, layer.k, columns)


# -- writing -------------------------------------------------------------------------------------------------------
def topology(trace: Trace, heads: str = "rows") -> tuple[str, list[str]]:
    """The topology of the GEMMs of a trace, and what of the trace it does not have.

    `heads`: a GEMM of several heads as so many `rows`, X.head0, X.head1, …, which every version of SCALE-Sim reads; or as
    one row with a `batch`, which releases without that column take for a single head.
    """
    layers = [_of_operator(trace, operator) for operator in trace.operators if operator.is_gemm]
    if not layers:
        raise TraceError(
            "no operator of the trace is a GEMM, and a topology has nothing else", place=trace.name
        )
    lines = [line for layer in layers for line in _lines(layer, heads)]
    return "".join(f"{line}\n" for line in ("Layer, M, N, K,", *lines)), list(_losses(trace, layers, heads))


def _of_operator(trace: Trace, operator: Operator) -> Layer:
    m, n = operator.rows, operator.columns
    if trace.is_linear(operator):
        m, n = n, m
    return Layer(operator.name, m, n, operator.depth, operator.heads)


def _lines(layer: Layer, heads: str) -> Iterator[str]:
    size = f"{layer.m}, {layer.n}, {layer.k},"
    if layer.heads == 1:
        yield f"{layer.name}, {size}"
    elif heads == "batch":
        yield f"{layer.name}, {size} {layer.heads},"
    else:
        yield from (f"{layer.name}{_HEAD.format(head)}, {size}" for head in range(layer.heads))


def _losses(trace: Trace, layers: Sequence[Layer], heads: str) -> Iterator[str]:
    yield "Lost: which tensor is a weight, an activation, an input or KV cache, and who needs whom."
    other = Counter(operator.kind.value for operator in trace.operators if not operator.is_gemm)
    if other:
        kinds = ", ".join(f"{count} {kind}" for kind, count in other.items())
        yield f"Lost: {other.total()} of {len(trace.operators)} operators, which are no GEMMs: {kinds}."
    gemms = [operator for operator in trace.operators if operator.is_gemm]
    causal = sum(operator.causal for operator in gemms)
    if causal:
        yield f"Lost: that {causal} GEMMs are causal; what is masked of them is in their sizes."
    biased = sum(len(operator.operands) > 2 for operator in gemms)
    if biased:
        yield f"Lost: the biases of {biased} GEMMs."
    many = [layer for layer in layers if layer.heads > 1]
    if many and heads == "batch":
        yield f"{len(many)} GEMMs of several heads have them as a batch: releases of SCALE-Sim without that column compute one head."
    elif many:
        yield f"{len(many)} GEMMs of several heads are {sum(layer.heads for layer in many)} lines, NAME.head0 and so on."
