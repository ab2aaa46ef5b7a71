"""Look-ups in tables of parameters: of words, positions and segments, whose rows are summed as they are read."""

from __future__ import annotations

from lsim.extract.onnx_graph import Node
from lsim.extract.onnx_lower import Lowering, Operand
from lsim.trace.ir import Kind, Operator


def add_table(low: Lowering, node: Node, one: str, other: str) -> bool:
    """Makes the sum of two look-ups one look-up, if both are of parameters and nobody else reads them."""
    first, second = (_lookup(low, node, name) for name in (one, other))
    out = node.outputs[0]
    if first is not None and low.is_weight(other) and _is_whole(first, low.size(other)):
        operands = [*first.operands, low.operand(other)]
        low.put(out, _lookup_of(low, node, first, operands))
        return True
    if first is None or second is None or first.columns != second.columns or first.elements % second.elements:
        return False
    indices = tuple(tensor for o in (first, second) for operand in _split(low, o)[0] for tensor in operand)
    tables = [table for o in (first, second) for table in _split(low, o)[1]]
    low.put(out, _lookup_of(low, node, first, [*([indices] if indices else []), *tables]))
    return True


def _lookup_of(low: Lowering, node: Node, like: Operator, operands: list[Operand]) -> Operand:
    out, sizes = node.outputs[0], (1, like.rows, 0, like.columns)
    return low.out.add(node.name, Kind.EMBEDDING, operands, sizes, {out: low.shape(out)}, label="gather")


def _is_whole(lookup: Operator, elements: int) -> bool:
    """Whether an array is rows for all that is looked up, in order: positions that are stored as they are needed."""
    rows, rest = divmod(elements, lookup.columns)
    return rows > 1 and not rest and lookup.elements % elements == 0


def _lookup(low: Lowering, node: Node, name: str) -> Operator | None:
    made = low.made(low.held.get(name, ()))
    alone = low.readers.get(name) == [node] and name not in low.graph.outputs
    if made is None or made.kind is not Kind.EMBEDDING or not alone or low.is_used(made.outputs[0]):
        return None
    return made if all(map(low.out.is_weight, _split(low, made)[1])) else None


def _split(low: Lowering, lookup: Operator) -> tuple[tuple[Operand, ...], tuple[Operand, ...]]:
    """Indices, if there are any, and tables."""
    begin = 0 if low.out.is_weight(lookup.operands[0]) or len(lookup.operands) == 1 else 1
    return lookup.operands[:begin], lookup.operands[begin:]
