"""Bytes that each unit of a plan moves through HBM and the global SRAM: those of its items, each as often as it is done.

The laws hold these sums against the log's. (Where the row passes of two operators take turns, their items lie mixed: what one
of the two moves may count for the other. The sum of both is exact.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from attrs import frozen

from lsim.kernel.program import Leaf, Program, Repeat
from lsim.plan.items import Drain, Fill, Piece
from lsim.plan.schedule import Plan


@frozen
class Traffic:
    """Bytes in and out of HBM and of the global SRAM."""

    hbm: int
    global_sram: int


def traffic(plan: Plan) -> tuple[Traffic, ...]:
    """The bytes of each unit, in the order of the trace."""
    sums = [[0, 0] for _ in plan.units]
    for process, ends in plan.ends.items():
        if process in plan.programs:
            measured = _Bytes(plan.programs[process])
            before = (0, 0)
            for unit, end in zip(sums, ends, strict=True):
                here = measured.before(end)
                for i in range(2):
                    unit[i] += here[i] - before[i]
                before = here
    return tuple(Traffic(*unit) for unit in sums)


class _Bytes:
    """Bytes of HBM and of the global SRAM that a program has moved at any position."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._wholes: dict[int, tuple[int, int]] = {}
        self._sums: dict[int, list[tuple[int, int]]] = {}

    def before(self, position: int) -> tuple[int, int]:
        node, hbm, sram = self._program, 0, 0
        while position:
            if position == node.size:
                here, node, position = self._whole(node), node, 0
            elif isinstance(node, Repeat):
                times, position = divmod(position, node.body.size)
                h, s = self._whole(node.body)
                here, node = (times * h, times * s), node.body
            else:
                assert not isinstance(node, Leaf)
                i = bisect_right(node.starts, position) - 1
                here, position, node = self._parts(node.parts)[i], position - node.starts[i], node.parts[i]
            hbm, sram = hbm + here[0], sram + here[1]
        return hbm, sram

    def _whole(self, node: Program) -> tuple[int, int]:
        known = self._wholes.get(id(node))
        if known is None:
            known = self._wholes[id(node)] = self._sum(node)
        return known

    def _sum(self, node: Program) -> tuple[int, int]:
        if isinstance(node, Leaf):
            return _moved(node.item)
        if isinstance(node, Repeat):
            hbm, sram = self._whole(node.body)
            return node.count * hbm, node.count * sram
        return self._parts(node.parts)[-1]

    def _parts(self, parts: Sequence[Program]) -> list[tuple[int, int]]:
        """The sums before each part of a sequence, and that of all."""
        known = self._sums.get(id(parts))
        if known is None:
            known = [(0, 0)]
            for part in parts:
                hbm, sram = self._whole(part)
                known.append((known[-1][0] + hbm, known[-1][1] + sram))
            self._sums[id(parts)] = known
        return known


def _moved(item: object) -> tuple[int, int]:
    """An HBM piece passes through the global SRAM; a fill leaves it; a drain reads earlier sums of it and writes."""
    if isinstance(item, Piece):
        return item.bytes, item.bytes
    if isinstance(item, Fill):
        return 0, item.bytes
    if isinstance(item, Drain):
        return 0, item.reads + item.writes
    return 0, 0
