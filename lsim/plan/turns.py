"""Row passes of two operators that take turns: in which order, and whose an item of the merged program is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from lsim.kernel.program import Builder, Program

Passes = Sequence[tuple[int, Program]]


@frozen
class Merged:
    """Two operators' programs of one process as one; `first_ends`: the position at which the first operator is done."""

    program: Program
    first_ends: int


Round = tuple[int, tuple[tuple[int, Program], ...]]
"""(count, what is done so often in a row: (0 a pass of the first operator, 1 of the second; its program))."""


def turns(first: Passes, second: Passes, lag: int) -> list[Round]:
    """The passes of `first` and of `second`, as many, the second `lag` passes behind; either may have nothing to do in some."""
    passes = sum(count for count, _ in first)
    head = min(lag + 1, passes)
    pairs = _zipped(_taken(second, 0, passes - head), _taken(first, head, passes))
    return [
        *((count, ((0, program),)) for count, program in _taken(first, 0, head)),
        *((count, ((1, s), (0, f))) for count, s, f in pairs),
        *((count, ((1, program),)) for count, program in _taken(second, passes - head, passes)),
    ]


def interleave(first: Passes, second: Passes, lag: int, builder: Builder) -> Merged:
    """One program of two operators that take turns."""
    parts, done = [], 0
    for count, both in turns(first, second, lag):
        parts.append(builder.repeat(count, builder.seq(*(program for _, program in both))))
        if both[-1][0] == 0:
            done += parts[-1].size
    return Merged(builder.seq(*parts), done)


def turn_of(first: Passes, second: Passes, lag: int, index: int) -> tuple[int, int, int]:
    """Of an item of the merged program: whose it is (0 first, 1 second), its row pass over all heads, its index in that."""
    done = [0, 0]
    for count, both in turns(first, second, lag):
        size = sum(program.size for _, program in both)
        number, rest = divmod(index, size) if size else (count, 0)
        if number < count:
            for whose, program in both:
                if rest < program.size:
                    return whose, done[whose] + number, rest
                rest -= program.size
        index -= count * size
        for whose, _ in both:
            done[whose] += count
    raise IndexError(index)


def _taken(passes: Passes, low: int, high: int) -> Iterator[tuple[int, Program]]:
    """The passes from `low` to `high`."""
    at = 0
    for count, program in passes:
        begin, end = max(low, at), min(high, at + count)
        if begin < end:
            yield end - begin, program
        at += count


def _zipped(
    one: Iterator[tuple[int, Program]], other: Iterator[tuple[int, Program]]
) -> Iterator[tuple[int, Program, Program]]:
    """(count, pass of one, pass of the other), of two rows of equal length."""
    others = list(other)
    for count, program in one:
        while count:
            theirs, partner = others[0]
            both = min(count, theirs)
            yield both, program, partner
            count -= both
            others[0] = (theirs - both, partner)
            if both == theirs:
                others.pop(0)
