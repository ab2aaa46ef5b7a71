"""Where a model repeats itself: stretches of operators that are the same but for numbers in their names."""

import re
from collections.abc import Hashable, Sequence

from attrs import frozen

from lsim.trace.ir import Operator, Role, Trace
from lsim.trace.structure import Piece, repeats

_NUMBER = re.compile(r"[._]?\d+")  # exporters name the second `linear` of a model `linear_1`
_DIGITS = re.compile(r"(\d+)")


@frozen
class Stretch:
    """`count` times the work of the operators of `first`, which are those of its first round; `start` is where it begins.

    `names`: theirs, with a star for each number that the next round has another of.
    """

    start: int
    count: int
    first: tuple[Operator, ...]
    names: tuple[str, ...]


def stretches(trace: Trace) -> list[Stretch]:
    """The trace as stretches side by side: what repeats, and between, with count 1, what does not."""
    signatures = [_signature(trace, operator) for operator in trace.operators]
    layers = [_layer(operator.name) for operator in trace.operators]
    return [_stretch(trace.operators, *piece) for piece in _aligned(repeats(signatures), signatures, layers)]


def _stretch(operators: Sequence[Operator], start: int, length: int, count: int) -> Stretch:
    first = tuple(operators[start : start + length])
    second = operators[start + length : start + 2 * length] if count > 1 else first
    return Stretch(start, count, first, tuple(_starred(*pair) for pair in zip(first, second, strict=True)))


def _starred(one: Operator, other: Operator) -> str:
    pieces = [_DIGITS.split(operator.name) for operator in (one, other)]
    if len(pieces[0]) != len(pieces[1]):
        return one.name
    return "".join(a if a == b else "*" for a, b in zip(*pieces, strict=True))


def _signature(trace: Trace, operator: Operator) -> Hashable:
    """What equal operators of two layers have in common. The first layer may read an input, the others what another wrote."""
    sizes = (operator.heads, operator.rows, operator.depth, operator.columns)
    mask = operator.causal, operator.window, operator.band
    roles = tuple(trace.tensors[name].role for name in operator.reads)
    passing = tuple(Role.ACTIVATION if role is Role.INPUT else role for role in roles)
    return _NUMBER.sub("", operator.name), operator.kind, sizes, mask, passing


def _layer(name: str) -> Hashable:
    """The numbers that stand alone in a name: those of a layer, and of a list that it is in."""
    return tuple(part for part in name.split(".") if part.isdecimal())


def _aligned(
    cover: Sequence[Piece], signatures: Sequence[Hashable], layers: Sequence[Hashable]
) -> list[Piece]:
    """The cover, each repeat of it moved to where a round has the operators of the fewest layers.

    A repeat that goes on for a part of a round may as well begin later: as much is covered.
    """
    moved: list[Piece] = []
    for at, (start, length, count) in enumerate(cover):
        if count == 1:
            continue
        low = _end(moved[-1]) if moved else 0
        high = next((begin for begin, _, times in cover[at + 1 :] if times > 1), len(signatures))
        begin, end = start, start + length * count
        while begin > low and signatures[begin - 1] == signatures[begin - 1 + length]:
            begin -= 1
        while end < high and signatures[end] == signatures[end - length]:
            end += 1
        places = range(begin, end - length * count + 1)
        best = min(places, key=lambda b: (len(set(layers[b : b + length])), abs(b - start)))
        moved.append((best, length, count))
    return _filled(moved, len(signatures))


def _end(piece: Piece) -> int:
    start, length, count = piece
    return start + length * count


def _filled(repeated: Sequence[Piece], size: int) -> list[Piece]:
    """The repeats, and between them what does not repeat."""
    cover: list[Piece] = []
    for piece in (*repeated, (size, 0, 1)):
        at = _end(cover[-1]) if cover else 0
        if at < piece[0]:
            cover.append((at, piece[0] - at, 1))
        cover.append(piece)
    return cover[:-1]
