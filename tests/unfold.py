"""The timeline written out: every interval of every part, folds undone. For tests: a long run would not fit."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.log import CUT, FOLD
from lsim.results.folded import FoldedLog
from lsim.results.result import Result

Interval = tuple[int, int, str]
Ticks = NDArray[np.int64]


def intervals(result: Result) -> dict[str, list[Interval]]:
    """Part → (start, end, what), blocks divided into shots, feed and waiting for the ADC; equal neighbours joined."""
    t = result.log
    found: dict[str, list[Interval]] = {}
    for part, name in enumerate(t.parts):
        changes = [(0, t.initial[part]), *_changes(result, part)]
        pieces: list[Interval] = []
        for (start, code), (end, _) in zip(changes, [*changes[1:], (t.end, 0)], strict=True):
            pieces += _divided(result, t.labels[code], start, end)
        found[name] = _joined(pieces)
    return found


def busy_intervals(result: Result) -> dict[str, list[tuple[int, int]]]:
    """Part → [start, end) in which it is busy."""
    return {
        name: [
            (start, end)
            for start, end, _ in _joined([(s, e, "busy") for s, e, what in found if what.startswith("busy")])
        ]
        for name, found in intervals(result).items()
    }


def records(result: Result, part: int) -> list[tuple[int, int, int]]:
    """Every record of a part, folds undone: (tick, code, items of its program done)."""
    return _records(result.log)[part]


@lru_cache(maxsize=2)
def _records(log: FoldedLog) -> list[list[tuple[int, int, int]]]:
    entries, folds = log.entries.tolist(), log.folds
    found: list[list[tuple[int, int, int]]] = [[] for _ in log.parts]
    still = [0] * len(log.parts)

    def emit(low: int, high: int, later: int, further: list[int]) -> None:
        for i in range(low, high):
            tick, who, code, position = entries[i]
            if who == FOLD:
                fold = folds[code]
                for k in range(1, fold.count + 1):
                    moved = [fold.further(part, k) + more for part, more in enumerate(further)]
                    emit(fold.first, fold.last, later + fold.later(k), moved)
            elif who != CUT:
                found[who].append((tick + later, code, position + further[who]))

    emit(0, len(entries), 0, still)
    return found


def _changes(result: Result, part: int) -> list[tuple[int, int]]:
    return [(tick, code) for tick, code, _ in records(result, part)]


def _divided(result: Result, label: Label, start: int, end: int) -> list[Interval]:
    if start == end:
        return []
    if label.pattern is None or label.pattern[0] is None:
        return [(start, end, _words(result, label))]
    pieces = []
    for cause, ticks in label.pattern[0].intervals():
        pieces.append((start, start + ticks, f"busy {cause}"))
        start += ticks
    assert start == end, label
    return pieces


def _words(result: Result, label: Label) -> str:
    if label.kind is Kind.BUSY:
        return f"busy {label.cause}"
    whom = "" if label.target is None else result.log.parts[label.target]
    cause = "" if label.cause in (None, Cause.DONE) else f" {label.cause}"
    return f"{label.kind.name.lower()}{cause} {whom}"


def _joined(pieces: list[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for start, end, what in pieces:
        if joined and joined[-1][1] == start and joined[-1][2] == what:
            joined[-1] = (joined[-1][0], end, what)
        else:
            joined.append((start, end, what))
    return joined


def codes(result: Result) -> Ticks:
    """(part, tick): what every part does at every tick of the run, as the code of its label."""
    t, rows = result.log, []
    for part in range(len(t.parts)):
        changes = [(0, t.initial[part]), *_changes(result, part)]
        starts = np.array([tick for tick, _ in changes] + [t.end])
        rows.append(np.repeat([code for _, code in changes], np.diff(starts)))
    return np.array(rows)


def columns(result: Result) -> dict[str, NDArray[np.str_]]:
    """Part → at every tick busy, idle, or the root cause that it waits for, found by asking one part after another."""
    labels, now = result.log.labels, codes(result)
    waits = np.array([label.kind is not Kind.BUSY and label.target is not None for label in labels])
    target = np.array([label.target or 0 for label in labels])
    in_block = [label.pattern and label.cause is not Cause.RELOAD for label in labels]
    cause = np.array(
        [Cause.COMPUTE.value if b else str(x.cause) for b, x in zip(in_block, labels, strict=True)]
    )
    kind = np.array([label.kind.name.lower() for label in labels])
    root, ticks = now, np.arange(result.ticks)
    while waits[root].any():
        root = np.where(waits[root], now[target[root], ticks], root)
    found = np.where(kind[now] == "wait", cause[root], kind[now])
    return dict(zip(result.log.parts, found, strict=True))
