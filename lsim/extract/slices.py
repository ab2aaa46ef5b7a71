"""Whether slices of one tensor are all of it: then they are what is written, and side by side they are the tensor."""

from collections.abc import Collection, Hashable, Sequence

from lsim.extract.graph import Source


def covers(whole: Source, parts: Collection[Source]) -> bool:
    """Whether a tensor is cut into just these parts, or into slices that are: none is left out, none overlap."""
    places = [place for place, part in whole.slices.items() if part in parts or covers(part, parts)]
    elements = sum(whole.slices[place].elements for place in places)
    return bool(places) and elements == whole.elements and disjoint(places)


def disjoint(places: Sequence[Hashable]) -> bool:
    """Whether slices share no element. Slices that were not cut in one way are taken to."""
    ways = {_way(place) for place in places}
    if len(ways) > 1 or None in ways:
        return len(places) == 1
    taken: set[int] = set()
    for place in places:
        positions = _positions(place)
        if taken.intersection(positions):
            return False
        taken.update(positions)
    return True


def _way(place: Hashable) -> Hashable:
    """What slices have in common that were cut in one way: the operator, the dimension, the shape of the whole."""
    match place:
        case ("slice" | "select" as base, (int(dimension), *_), tuple(shape), _, order):
            return base, dimension % len(shape), shape, order
        case ("split" | "split_with_sizes" | "unbind" | "chunk" as base, args, shape, _, order):
            return base, args, shape, order
        case ("sum" | "share" as base, int(value), _):
            return base, value
    return None


def _positions(place: Hashable) -> Sequence[int]:
    """Where along its dimension a slice lies; which of several it is, of a cut into several."""
    match place:
        case (
            "slice",
            (int(dimension), int() | None as start, int() | None as end, int(step)),
            tuple(shape),
            _,
            _,
        ):
            return range(shape[dimension])[start:end:step]
        case ("select", (int(dimension), int(index)), tuple(shape), _, _):
            return [index % int(shape[dimension])]
        case (_, _, int(at)) | (_, _, _, int(at), _):
            return [at]
    raise AssertionError(place)
