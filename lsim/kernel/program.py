"""Work as a tree of repeats, and positions in it.

A program is a `Leaf` (one item of work), a `Seq` of programs or a `Repeat` of one. Nothing is unrolled: a layer that
occurs eighty times is one node, and a position in the work is one integer. Equal programs are the same object
(`Builder` interns them), so "the machine has the same work ahead" is an identity test.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple


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


class Loop(NamedTuple):
    """A repeat that came round: its depth in the tree, the position it began at, items an iteration, which
    program that is, and, of a loop within a loop, the position it ends at.

    `phase`: 0 at the end of an iteration; in long iterations also how many parts of it are done, so that a loop that
    settles in the middle of an iteration can be folded up to the middle of its last.
    """

    depth: int
    start: int
    items: int
    body: int
    end: int | None
    phase: int = 0


WORTH_FOLDING = 16
"""Items of a whole loop from which folding it is tried: to look for a period costs about as much as a few items."""

LONG = 300
"""Items of an iteration from which its parts are phases of their own."""


class Cursor:
    """A process's position in its program.

    `n` items are done; `leaf` is the one in hand (None at the end). `loop` is the outermost repeat of which an
    iteration, or a phase of one, ended just now, or None.
    """

    __slots__ = (
        "_few", "_few_start", "_path", "_run_end", "_run_loop", "item", "leaf", "loop", "n", "program", "size",
    )  # fmt: skip

    def __init__(self, program: Program) -> None:
        self.program, self.size, self.n = program, program.size, 0
        self.loop: Loop | None = None
        self.leaf: Leaf | None = None
        self.item: Any = None
        self._run_loop: Loop | None = None
        self._run_end = 0
        self._few: Leaves = ()  # the leaves of a part in which no loop is told of, which begins at `_few_start`
        self._few_start = 0
        # [node, which iteration or part, its Loop] from the root to above the leaf
        self._path: list[list[Any]] = []
        self._enter(program, 0)

    def advance(self) -> None:
        """The item in hand is done."""
        self.n += 1
        if self.n < self._run_end:
            self.loop = self._run_loop
            if self._few:
                leaf = self.leaf = self._few[self.n - self._few_start]
                self.item = leaf.item
            return
        path = self._path
        while path:
            frame = path[-1]
            node, at = frame[0], frame[1] + 1
            if isinstance(node, Repeat):
                if at < node.count and not isinstance(node.body, Leaf):
                    frame[1] = at
                    self.loop = frame[2]
                    self._enter(node.body, 0)
                    return
            elif at < len(node.parts):
                frame[1] = at
                self.loop = self._phase(at)
                self._enter(node.parts[at], 0)
                return
            path.pop()
        self.leaf = self.item = self.loop = None

    def _loop(self, node: Repeat, start: int) -> Loop | None:
        """What is told of a loop at the ends of its iterations; nothing if folding it is not worth it."""
        if node.size < WORTH_FOLDING:
            return None
        nested = any(isinstance(frame[0], Repeat) for frame in self._path)
        return Loop(
            len(self._path), start, node.body.size, id(node.body), start + node.size if nested else None
        )

    def _phase(self, done: int) -> Loop | None:
        """The loop whose iterations are this sequence, if they are long."""
        if len(self._path) < 2 or self._path[-1][0].size < LONG:
            return None
        loop: Loop | None = self._path[-2][2]
        return None if loop is None else loop._replace(phase=done)

    def skip(self, items: int) -> None:
        """Whole periods were folded; the leaf in hand stays the same."""
        self.n += items
        self._path.clear()
        self._enter(self.program, self.n)

    def _enter(self, node: Program, offset: int) -> None:
        """Walks down to the leaf at `offset` of `node`, which is where position `n` is."""
        n, path = self.n, self._path
        self._run_end, self._run_loop, self._few = n + 1, None, ()
        few = min(WORTH_FOLDING, LONG)
        while not isinstance(node, Leaf):
            if node.size < few:
                if not node.size:
                    self.leaf = self.item = None
                    return
                self._few, self._few_start = node.leaves, n - offset
                self._run_end = self._few_start + node.size
                node = self._few[offset]
            elif isinstance(node, Repeat):
                loop = self._loop(node, n - offset)
                if isinstance(node.body, Leaf):
                    self._run_end, self._run_loop = n - offset + node.size, loop
                at, offset = divmod(offset, node.body.size)
                path.append([node, at, loop])
                node = node.body
            else:
                at = bisect_right(node.starts, offset) - 1
                path.append([node, at, None])
                offset -= node.starts[at]
                node = node.parts[at]
        self.leaf, self.item = node, node.item

    def repeats(self, start: int, step: int) -> int:
        """An N for which the items [start + k·step, start + (k+1)·step] are equal for k = 0..N, from one loop alone.

        Both ends are included since one item is always in hand. `repeats_beyond` looks over the loop's end.
        """
        best, node, n = 0, self.program, start
        while not isinstance(node, Leaf):
            if isinstance(node, Repeat):
                if step % node.body.size == 0:
                    best = max(best, node.size - n)
                n %= node.body.size
                node = node.body
            else:
                i = bisect_right(node.starts, n) - 1
                n -= node.starts[i]
                node = node.parts[i]
        return max(0, (best - step - 1) // step)

    def equal(self, one: int, other: int, items: int) -> bool:
        """Whether so many items from two positions on are the same."""
        if one == other:
            return True
        same = 0
        while same < items and max(one, other) + same < self.size:
            common = _common(self.program, one + same, other + same)
            if not common:
                break
            same += common
        return same >= items

    def repeats_beyond(self, start: int, step: int, enough: int) -> int:
        """The largest such N, or any that is `enough`: compares the work from `start` with that from `start + step`."""
        equal, wanted = 0, enough * step + 1
        while equal < wanted and start + step + equal < self.size:
            common = _common(self.program, start + equal, start + step + equal)
            if not common:
                break
            equal += common
        return max(0, (equal - 1) // step)


def _common(program: Program, one: int, other: int) -> int:
    """Length of the largest stretch of loop iterations that begins at both positions; 0 if their items differ."""
    here = {id(body): count for body, count in _beginning_at(program, one)}
    return max(
        (
            min(count, here[id(body)]) * body.size
            for body, count in _beginning_at(program, other)
            if id(body) in here
        ),
        default=0,
    )


def _beginning_at(node: Program, n: int) -> Iterator[tuple[Program, int]]:
    """(body, iterations left) of everything in the tree that begins exactly at position n."""
    while not isinstance(node, Leaf):
        if isinstance(node, Repeat):
            done, n = divmod(n, node.body.size)
            if not n:
                yield node.body, node.count - done
            node = node.body
        else:
            i = bisect_right(node.starts, n) - 1
            n -= node.starts[i]
            node = node.parts[i]
            if not n:
                yield node, 1
