"""The tensors that a node of a Chakra execution trace names, in the text form of PyTorch's execution traces."""

from __future__ import annotations

from ast import literal_eval
from math import prod
from typing import Any

from attrs import frozen

from lsim.errors import TraceError


@frozen
class Ref:
    """A tensor of an operation: its id, the id of its data, its shape."""

    tensor: int
    storage: int
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return prod(self.shape)


def refs_of(info: Any, place: str) -> list[list[Ref]]:
    """The tensors of each argument; none of one that is no tensor."""
    try:
        values, shapes = (literal_eval(text or "[]") for text in (info.values, info.shapes))
        return [_argument(value, shape) for value, shape in zip(values, shapes, strict=True)]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise TraceError(f"its values and shapes cannot be read: {error}", place=place) from None


def whole_number(info: Any, at: int) -> int | None:
    """An argument that is a whole number, e.g. a dimension; None if it is not, or is not there."""
    values = literal_eval(info.values or "[]")
    value = values[at] if at < len(values) else None
    return value if type(value) is int else None


def _argument(value: Any, shape: Any) -> list[Ref]:
    if not isinstance(value, list | tuple) or not value:
        return []
    if isinstance(value[0], list | tuple):
        return [ref for one, its in zip(value, shape, strict=True) for ref in _argument(one, its)]
    is_tensor = (
        len(value) == 6
        and all(isinstance(part, int) for part in value[:5])
        and isinstance(shape, list | tuple)
    )
    return [Ref(value[0], value[1], tuple(int(size) for size in shape))] if is_tensor else []
