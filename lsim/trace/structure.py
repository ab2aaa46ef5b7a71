"""Where a sequence repeats itself: the layers of a model among its operators, without being told.

A *run* is a stretch in which every item equals the one `period` before it. All runs of three periods or
more are found, and nearly all of two, by prefix doubling: number the windows of 1, 2, 4, … items so that
equal windows have equal numbers; a run shows as two neighbouring equal windows one period apart, and the
numbers then tell how far it reaches. O(n log² n) for n items. (Karp, Miller and Rosenberg, "Rapid
identification of repeated patterns in strings, trees and arrays", STOC 1972.)
"""

from collections.abc import Hashable, Iterator, Sequence
from heapq import heapify, heappop, heappush

Piece = tuple[int, int, int]
_Run = tuple[int, int, int]  # begin, end, period
_Windows = list[list[int]]


def repeats(signatures: Sequence[Hashable]) -> list[Piece]:
    """A cover of the sequence by pieces (start, length, count): `length` items from `start`, `count` times.

    Greedy: the repeat that covers most comes first, of those that of the shortest length, then the leftmost.
    What no repeat covers is in pieces of count 1, as long as can be. Pieces are in order and do not overlap.
    """
    taken = _choose(_runs(signatures), len(signatures))
    cover: list[Piece] = []
    at = 0
    for start, length, count in sorted(taken):
        if at < start:
            cover.append((at, start - at, 1))
        cover.append((start, length, count))
        at = start + length * count
    return [*cover, (at, len(signatures) - at, 1)] if at < len(signatures) else cover


def _choose(runs: Iterator[_Run], size: int) -> list[Piece]:
    """The greedy choice among runs; one that loses part of its stretch competes again with the rest."""
    heap = [_rank(*run) for run in set(runs)]
    heapify(heap)
    free = bytearray(b"\1") * size
    chosen: list[Piece] = []
    while heap:
        _, period, begin, end = heappop(heap)
        hole = free.find(0, begin, end)
        if hole < 0:
            covered = (end - begin) // period * period
            free[begin : begin + covered] = bytes(covered)
            chosen.append((begin, period, covered // period))
            continue
        beyond = free.find(1, hole, end)
        for left, right in ((begin, hole), (beyond, end)):
            if left >= 0 and right - left >= 2 * period:
                heappush(heap, _rank(left, right, period))
    return chosen


def _rank(begin: int, end: int, period: int) -> tuple[int, int, int, int]:
    """Least for the run to take first."""
    return -((end - begin) // period * period), period, begin, end


def _runs(signatures: Sequence[Hashable]) -> Iterator[_Run]:
    """The runs of two periods or more; one may come more than once."""
    windows = _windows(signatures)
    reach: dict[int, int] = {}  # period → where the last run of that period ends
    for level, numbers in enumerate(windows):
        reach.clear()
        for at, period in _neighbours(numbers):
            if at + period < reach.get(period, 0):
                continue
            begin, end = _extend(windows, at, at + period, level)
            reach[period] = end
            if end - begin >= 2 * period:
                yield begin, end, period


def _windows(signatures: Sequence[Hashable]) -> _Windows:
    """For each level k, the number of the window of 2ᵏ items that begins at each item."""
    names: dict[object, int] = {}
    levels = [[names.setdefault(item, len(names)) for item in signatures]]
    span = 1
    while len(set(levels[-1])) < len(levels[-1]):
        last, names = levels[-1], {}
        pairs = zip(last, last[span:], strict=False)
        levels.append([names.setdefault(pair, len(names)) for pair in pairs])
        span *= 2
    return levels


def _neighbours(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Every item equal to an earlier one: where the last equal one is, and how far apart they are."""
    last: dict[int, int] = {}
    for at, number in enumerate(numbers):
        if number in last:
            yield last[number], at - last[number]
        last[number] = at


def _extend(windows: _Windows, one: int, other: int, level: int) -> tuple[int, int]:
    """The widest stretch around two equal windows with that period: its begin and end."""
    begin, end = one, other + (1 << level)
    period = other - one
    for k in range(len(windows) - 1, -1, -1):
        span, numbers = 1 << k, windows[k]
        while end + span <= len(windows[0]) and numbers[end - period] == numbers[end]:
            end += span
        while begin >= span and numbers[begin - span] == numbers[begin - span + period]:
            begin -= span
    return begin, end
