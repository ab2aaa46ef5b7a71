"""The loops of a GEMM around whatever a process does in the innermost: head, outer panel, row pass, inner panel, K chunk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from attrs import frozen

from lsim.kernel.program import Builder, Program
from lsim.plan.tiling import Tiling
from lsim.units import ceil_div


@frozen
class Place:
    """One inner panel of one row pass.

    `rows`, `blocks`: its own; `outer`: blocks of its outer panel; `edge`: its last block is the operator's last. The
    others say where in the loops it stands: in the operator, among the outer panels, the passes, the inner panels.
    """

    rows: int
    blocks: int
    outer: int
    edge: bool
    first_outer: bool
    last_outer: bool
    first: bool
    last: bool
    first_pass: bool
    last_pass: bool
    first_inner: bool
    last_inner: bool


Body = Callable[[Place], Program]
Ends = tuple[bool, bool]
"""Whether something is the first, and the last, of a loop."""


def nth(count: int, size: Callable[[bool, bool], int], index: int) -> tuple[int, Ends, int]:
    """The iteration of a loop that an item is in: its number, whether it is the first and the last, and the item's index
    in it. `size(first, last)`: items of an iteration."""
    begin = 0
    while True:
        ends = begin == 0, begin == count - 1
        same = 1 if any(ends) else count - 2
        items = size(*ends)
        if index < same * items:
            return begin + index // items, ends, index % items
        index, begin = index - same * items, begin + same
        assert begin < count, "no such item"


def _ends(*loops: Ends) -> Ends:
    """The first and the last of several loops in each other."""
    return all(first for first, _ in loops), all(last for _, last in loops)


class Loops:
    """The loops of one tiling."""

    def __init__(self, tiling: Tiling, builder: Builder) -> None:
        self.t, self.b = tiling, builder

    def walk(self, body: Body) -> Program:
        """The loops down to the inner panel around a body."""
        body, t, b = cache(body), self.t, self.b

        @cache
        def passes(blocks: int, outer: tuple[bool, bool], first: bool, last: bool) -> Program:
            return b.loop(
                t.passes,
                lambda f, end: self.inner_panels(body, blocks, outer, (first and f, last and end), (f, end)),
            )

        def panel(first: bool, last: bool) -> Program:
            n = len(t.outer)
            whole = b.loop(n - 1, lambda f, _: passes(t.outer[0], (f, False), first and f, False))
            return b.seq(whole, passes(t.outer[-1], (n == 1, True), first and n == 1, last))

        return b.loop(t.heads, panel)

    def walk_passes(self, body: Body) -> list[tuple[int, Program]]:
        """The row passes of all heads one by one, as (count, program); for operators of one outer panel."""
        body, t = cache(body), self.t

        def a_pass(first: bool, last: bool, f: bool, end: bool) -> Program:
            return self.inner_panels(body, t.blocks, (True, True), (first and f, last and end), (f, end))

        runs: list[tuple[int, Program]] = []
        for head in range(t.heads):
            first, last = head == 0, head == t.heads - 1
            runs.append((1, a_pass(first, last, True, t.passes == 1)))
            runs.append((t.passes - 2, a_pass(first, last, False, False)))
            if t.passes > 1:
                runs.append((1, a_pass(first, last, False, True)))
        return [(count, program) for count, program in runs if count > 0]

    def no_passes(self) -> list[tuple[int, Program]]:
        """As many passes of a process that has nothing to do in them."""
        return [(self.t.heads * self.t.passes, self.b.empty)]

    def inner_panels(
        self,
        body: Body,
        blocks: int,
        outer: Ends,
        ends: Ends,
        passes: Ends,
    ) -> Program:
        """A row pass: `outer`, `ends`, `passes` say whether it is the first and the last of the outer panels, of all, of its panel."""
        t = self.t
        return self.b.cut(
            blocks, t.inner, lambda n, f, end: body(self._place(n, blocks, outer, ends, passes, (f, end)))
        )

    def _place(self, n: int, blocks: int, outer: Ends, ends: Ends, passes: Ends, inner: Ends) -> Place:
        rows = self.t.last_rows if passes[1] else self.t.rows_a_pass
        (first, last), edge = ends, outer[1] and inner[1]
        return Place(rows, n, blocks, edge, *outer, first and inner[0], last and inner[1], *passes, *inner)

    # -- where an item of `walk` stands --------------------------------------------------------------------------------
    def locate(self, body: Body, index: int) -> tuple[dict[str, int], Place, int]:
        """The loops' counters at an item of `walk(body)`, from 0; its inner panel; and its index among that one's items."""
        body, t, b = cache(body), self.t, self.b

        def row_pass(head: Ends, outer: Ends, at: Ends) -> Program:
            blocks = t.outer[-1 if outer[1] else 0]
            return self.inner_panels(body, blocks, outer, _ends(head, outer, at), at)

        def panel(head: Ends, outer: Ends) -> Program:
            return b.loop(t.passes, lambda *at: row_pass(head, outer, at))

        def items(*head: bool) -> int:
            return b.loop(len(t.outer), lambda *outer: panel((head[0], head[1]), outer)).size

        head, at_head, index = nth(t.heads, items, index)
        outer, at_outer, index = nth(len(t.outer), lambda *at: panel(at_head, at).size, index)
        passed, at_pass, index = nth(t.passes, lambda *at: row_pass(at_head, at_outer, at).size, index)
        counters = {"head": head, "outer_panel": outer, "row_pass": passed}
        inner, place, index = self._locate_inner(
            body, at_outer, _ends(at_head, at_outer, at_pass), at_pass, index
        )
        return {**counters, "inner_panel": inner}, place, index

    def locate_in_pass(self, body: Body, number: int, index: int) -> tuple[dict[str, int], Place, int]:
        """The same of an item of one of the passes of `walk_passes(body)`, counted over all heads."""
        t = self.t
        head, passed = divmod(number, t.passes)
        at = passed == 0, passed == t.passes - 1
        ends = number == 0, number == t.heads * t.passes - 1
        inner, place, index = self._locate_inner(body, (True, True), ends, at, index)
        return {"head": head, "outer_panel": 0, "row_pass": passed, "inner_panel": inner}, place, index

    def _locate_inner(
        self, body: Body, outer: Ends, ends: Ends, passes: Ends, index: int
    ) -> tuple[int, Place, int]:
        t, blocks = self.t, self.t.outer[-1 if outer[1] else 0]
        count = ceil_div(blocks, t.inner)

        def place(*inner: bool) -> Place:
            n = blocks - (count - 1) * t.inner if inner[1] else t.inner
            return self._place(n, blocks, outer, ends, passes, (inner[0], inner[1]))

        found, at, index = nth(count, lambda *inner: body(place(*inner)).size, index)
        return found, place(*at), index

    def chunks(self, body: Callable[[int, bool, bool], Program]) -> Program:
        """`body(depth, first, last)` for each K chunk."""
        return self.b.cut(sum(self.t.chunks), self.t.chunks[0], body)

    def nest(self, blocks: int, large: int, small: int, block: Callable[..., Program]) -> Program:
        """Blocks in groups of `small` within groups of `large`, each with its place in all three."""
        b = self.b
        return b.cut(
            blocks,
            large,
            lambda n, fl, ll: b.cut(
                n,
                small,
                lambda m, fs, ls: b.loop(
                    m, lambda f, end: block(fs and f, ls and end, f, end, fl and fs and f, ll and ls and end)
                ),
            ),
        )
