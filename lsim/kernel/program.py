"""Work as a tree of repeats.

A program is a `Leaf` (one item of work), a `Seq` of programs or a `Repeat` of one. Nothing is unrolled: a layer that
occurs eighty times is one node, and a position in the work is one integer. Equal programs are the same object
(`Builder` interns them), so "the machine has the same work ahead" is an identity test.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any


class Leaf:
    """One item of work; the machine treats all occurrences of a leaf alike."""

    __slots__ = ("item",)

    def __init__(self, item: Any) -> None:
        self.item = item

    @property
    def size(self) -> int:
        return 1


class Repeat:
    """`count` times the same body, count >= 2."""

    __slots__ = ("_leaves", "body", "count", "size")

    def __init__(self, count: int, body: Program) -> None:
        self.count, self.body = count, body
        self.size: int = count * body.size
        self._leaves: Leaves = ()

    @property
    def leaves(self) -> Leaves:
        """All leaves in order, for one of few items."""
        self._leaves = self._leaves or self.count * in_order(self.body)
        return self._leaves


class Seq:
    """Programs one after another; no two neighbours are equal."""

    __slots__ = ("_leaves", "parts", "size", "starts")

    def __init__(self, parts: tuple[Program, ...]) -> None:
        self.parts = parts
        self.starts: list[int] = []
        self.size = 0
        for part in parts:
            self.starts.append(self.size)
            self.size += part.size
        self._leaves: Leaves = ()

    @property
    def leaves(self) -> Leaves:
        """All leaves in order, for one of few items."""
        self._leaves = self._leaves or tuple(leaf for part in self.parts for leaf in in_order(part))
        return self._leaves


Leaves = tuple[Leaf, ...]
Program = Leaf | Repeat | Seq


def in_order(program: Program) -> Leaves:
    """All leaves of a program of few items."""
    return (program,) if isinstance(program, Leaf) else program.leaves


class Builder:
    """Makes programs, equal ones once: neighbours that are equal become a `Repeat`."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Program] = {}
        self.empty = Seq(())

    def leaf(self, item: Hashable) -> Program:
        return self._intern(("leaf", item), lambda: Leaf(item))

    def repeat(self, count: int, body: Program) -> Program:
        if count <= 0 or body.size == 0:
            return self.empty
        if count == 1:
            return body
        return self._intern(("repeat", count, id(body)), lambda: Repeat(count, body))

    def seq(self, *programs: Program) -> Program:
        runs: list[tuple[int, Program]] = []
        for program in programs:
            if program.size:
                self._append(runs, program)
        parts = tuple(self.repeat(count, body) for count, body in runs)
        if not parts:
            return self.empty
        if len(parts) == 1:
            return parts[0]
        return self._intern(("seq", tuple(id(p) for p in parts)), lambda: Seq(parts))

    def loop(self, count: int, body: Callable[[bool, bool], Program]) -> Program:
        """`count` iterations of `body(first, last)`."""
        if count <= 0:
            return self.empty
        if count == 1:
            return body(True, True)
        middle = self.repeat(count - 2, body(False, False)) if count > 2 else self.empty
        return self.seq(body(True, False), middle, body(False, True))

    def cut(self, total: int, size: int, body: Callable[[int, bool, bool], Program]) -> Program:
        """`total` cut into stretches of `size` and a rest: `body(length, first, last)` for each."""
        full, rest = divmod(total, size)
        if not rest:
            return self.loop(full, lambda first, last: body(size, first, last))
        whole = self.loop(full, lambda first, _: body(size, first, False))
        return self.seq(whole, body(rest, full == 0, True))

    @staticmethod
    def _append(runs: list[tuple[int, Program]], program: Program) -> None:
        """Adds a program to a row of (count, body); one more of the same joins the last. A loop of loops stays one."""
        count, body = runs[-1] if runs else (0, None)
        if program is body:
            runs[-1] = (count + 1, program)
        elif isinstance(program, Repeat) and program.body is body:
            runs[-1] = (count + program.count, program.body)
        elif isinstance(body, Repeat) and count == 1 and body.body is program:
            runs[-1] = (body.count + 1, program)
        else:
            runs.append((1, program))

    def _intern(self, key: Hashable, make: Callable[[], Program]) -> Program:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = make()
        return known


def leaves(program: Program, times: int = 1) -> Iterator[tuple[int, Any]]:
    """(how often, item) for each leaf of the tree; a leaf that stands in two places comes twice."""
    if isinstance(program, Leaf):
        yield times, program.item
    elif isinstance(program, Repeat):
        yield from leaves(program.body, times * program.count)
    else:
        for part in program.parts:
            yield from leaves(part, times)
