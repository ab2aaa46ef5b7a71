"""Operators that are the same in every layer, taken together: `layers.*.ffn1`, twelve times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from attrs import frozen

_INDEX = re.compile(r"(?<=\.)\d+(?=\.)")


class Ran(Protocol):
    """What ran from a tick to another; see `lsim.results.result.OperatorRun`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def macs(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


@frozen
class Group:
    """Operators of one name, but for the number of their layer: first start, last end, sum of their ticks."""

    name: str
    kind: str
    count: int
    start: int
    end: int
    ticks: int

    @property
    def title(self) -> str:
        return f"{self.name} ×{self.count}" if self.count > 1 else self.name


def layerless(name: str) -> str:
    """The name with a star for each number between dots."""
    return _INDEX.sub("*", name)


def grouped(operators: Iterable[Ran]) -> list[Group]:
    """The groups in the order of their first members; only equal work is taken together."""
    members: dict[tuple[str, str, int], list[Ran]] = {}
    for operator in operators:
        members.setdefault((layerless(operator.name), operator.kind, operator.macs), []).append(operator)
    return [
        Group(
            name=name if len(group) > 1 else group[0].name,
            kind=kind,
            count=len(group),
            start=min(one.start for one in group),
            end=max(one.end for one in group),
            ticks=sum(one.end - one.start for one in group),
        )
        for (name, kind, _), group in members.items()
    ]
