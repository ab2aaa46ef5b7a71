"""Where a process is in its program, and what folding asks of that: which loops came round, and how often the work ahead repeats."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from lsim.kernel.program import Leaf, Leaves, Program, Repeat


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
