"""The loops of a GEMM around whatever a process does in the innermost: head, outer panel, row pass, inner panel, K chunk."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from attrs import frozen

from lsim.kernel.program import Builder, Program
from lsim.plan.tiling import Tiling


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

    def inner_panels(
        self,
        body: Body,
        blocks: int,
        outer: tuple[bool, bool],
        ends: tuple[bool, bool],
        passes: tuple[bool, bool],
    ) -> Program:
        """A row pass: `outer`, `ends`, `passes` say whether it is the first and the last of the outer panels, of all, of its panel."""
        t = self.t
        rows = t.last_rows if passes[1] else t.rows_a_pass
        return self.b.cut(
            blocks,
            t.inner,
            lambda n, f, end: body(
                Place(
                    rows, n, blocks, outer[1] and end, *outer, ends[0] and f, ends[1] and end, *passes, f, end
                )
            ),
        )

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
