"""The longest single waits of a run, each told once however often folding repeats it.

Changes of state of a part follow each other in the log as they are written, and at three more places, where a fold begins, where
one of its repetitions follows another, and where it ends. So a fold counts as an event that begins with the first change in
its stretch and ends with the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from attrs import frozen

from lsim.kernel.labels import Kind
from lsim.results.folded import FoldedLog, Ints
from lsim.results.series import part_ticks
from lsim.results.states import CAUSES, States

Span = tuple[int, int, int, int, int]
"""−ticks, begin, part, code, times of a wait: in this order they are sorted as they are told."""


@frozen
class Wait:
    """A wait of a part for another, in [begin, end), the first time it happens.

    `cause`: the root cause of most of its ticks, the first of `CAUSES` where several have as many. `times`: how often this wait, of this length, happens: folding repeats it.
    """

    part: str
    begin: int
    end: int
    waits_for: str | None
    cause: str
    times: int

    @property
    def ticks(self) -> int:
        return self.end - self.begin


def waits(states: States, parts: Iterable[int], most: int) -> list[Wait]:
    """The longest waits of some parts, the earlier first where they are as long."""
    log, found = states.log, []
    for part in parts:
        spans = _spans(log, part)
        if most < len(spans):
            least = np.partition(spans[:, 1], -most)[-most] if most else 0
            spans = spans[spans[:, 1] >= max(1, least)]
        found += [(-ticks, begin, part, code, times) for begin, ticks, code, times in spans.tolist()]
    longest = sorted(found)[:most]
    return [
        _wait(states.log, span, cause) for span, cause in zip(longest, _causes(states, longest), strict=True)
    ]


def _wait(log: FoldedLog, span: Span, cause: str) -> Wait:
    minus_ticks, begin, part, code, times = span
    target = log.labels[code].target
    name = None if target is None else log.parts[target]
    return Wait(log.parts[part], begin, begin - minus_ticks, name, cause, times)


def _causes(states: States, spans: Sequence[Span]) -> Iterator[str]:
    """The root cause of most ticks of each wait. Those of a part do not overlap, so that their edges cut a series of it."""
    ticks = {}
    for part in {part for _, _, part, _, _ in spans}:
        own = [(begin, begin - minus_ticks) for minus_ticks, begin, of, _, _ in spans if of == part]
        cuts = np.unique(own)
        (columns,) = part_ticks(states, [part], cuts)
        most = np.stack([columns[cause] for cause in CAUSES]).argmax(axis=0)
        ticks.update({(part, begin): CAUSES[most[i]] for i, begin in enumerate(cuts[:-1].tolist())})
    return (ticks[part, begin].value for _, begin, part, _, _ in spans)


def _spans(log: FoldedLog, part: int) -> Ints:
    """(begin, ticks, code, times) of every wait of a part: where it happens first, how often as long as that."""
    folds = log.active_folds(part)
    events = np.sort(np.concatenate([log.rows(part), log.fold_rows[folds]]), kind="stable")
    opens, closes = log.entries[events, 0].copy(), log.entries[events, 0].copy()
    codes, times = log.entries[events, 2].copy(), log.times[events]
    again = []
    for i in folds:
        fold, at = log.folds[i], np.searchsorted(events, log.fold_rows[i])
        first, last = np.searchsorted(events, (fold.first, fold.last)) - (0, 1)
        begin, end = log.entries[[fold.first, fold.last], 0]
        head, tail = opens[first] - begin, end - closes[last]
        again.append((opens[at] + fold.period - tail, tail + head, codes[last], times[at] * (fold.count - 1)))
        closes[at] += fold.count * fold.period - tail
        opens[at] += head
        codes[at] = codes[last]
    happen = times.copy()
    for i in (
        folds
    ):  # what comes last in a stretch is followed by what is written next only where the stretch is written
        last = np.searchsorted(events, log.folds[i].last) - 1
        happen[last] -= log.folds[i].count * log.times[log.fold_rows[i]]
    begins, ends = np.append(0, closes), np.append(opens, log.end)
    written = np.stack(
        [begins, ends - begins, np.append(log.initial[part], codes), np.append(1, happen)], axis=1
    )
    spans = np.concatenate([written, np.array(again, dtype=np.int64).reshape(-1, 4)])
    waiting = np.array([label.kind is Kind.WAIT for label in log.labels])
    lasting: Ints = spans[(spans[:, 1] > 0) & (spans[:, 3] > 0) & waiting[spans[:, 2]]]
    return lasting
