"""Continuous batches: which requests are in which step, in a schedule file of JSON lines.

    {"lsim_schedule": 1, "name": "two-requests"}
    {"steps": 1, "requests": {"a": 512}}             the prompt of a
    {"steps": 9, "requests": {"a": 1}}               nine more tokens
    {"steps": 1, "requests": {"a": 1, "b": 200}}     the prompt of b arrives
    {"steps": 50, "requests": {"a": 1, "b": 1}}

Of each request, the tokens that it reads in a step: its prompt, in the step in which it arrives, then one each time. Its
cache holds what it has read before; `cached` gives tokens that a request brings with it, from another machine or
a prompt that is shared. In each step each of its requests gets one new token. Yu et al., "Orca", OSDI 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field

from lsim.errors import TraceError
from lsim.trace.document import Document, Phase
from lsim.trace.files import read_text
from lsim.trace.parse import MAX_STEPS
from lsim.trace.record import Record, read_record
from lsim.trace.zoo.generate import MIXED, STEPS
from lsim.trace.zoo.step import Step

VERSION = 1


def scheduled(model: str, path: Path) -> Document:
    """The document of a generation by a model that can mix sequences of several lengths, as a schedule file says."""
    if model not in MIXED:
        raise TraceError(f"no model that mixes requests is named {model!r}", known=MIXED, given=model)
    try:
        header, *rows = _records(read_text(path))
        return _document(model, _header(header), rows)
    except TraceError as error:
        raise error.at(file=path) from None


def _document(model: str, name: str, rows: Sequence[Record]) -> Document:
    reader, phases, conventions = _Reader(), list[Phase](), dict[str, None]()
    sources: tuple[str, ...] = ()
    for row in rows:
        count, steps = reader.row(row)
        first = MIXED[model](name, steps(0))
        second = MIXED[model](name, steps(1)).items if count > 1 else ()
        phases.append(Phase(f"line-{row.line}", count, reader.tokens, first.items, second))
        conventions.update(dict.fromkeys(first.conventions))
        sources = first.sources
    total = sum(phase.count for phase in phases)
    if total > MAX_STEPS:
        raise TraceError(f"has {total:,} steps; a generation has at most {MAX_STEPS:,}")
    description = f"{model}, {len(reader.read)} requests in {total} steps of continuous batches"
    said = dict.fromkeys(
        (*STEPS, "A request reads its prompt in one step, then one token a step.", *conventions)
    )
    return Document(f"{model}-{name}", description, sources, tuple(said), (), tuple(phases))


def _records(text: str) -> list[Record]:
    lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) < 2:
        raise TraceError("a schedule has a header line, and a line for each run of equal steps")
    kinds = ["lsim_schedule", *["steps"] * (len(lines) - 1)]
    return [read_record(line, at, [kind]) for (at, line), kind in zip(lines, kinds, strict=True)]


def _header(record: Record) -> str:
    if record.size("lsim_schedule") != VERSION:
        record.refuse(f"this lsim reads schedules of format {VERSION}")
    name = record.text("name")
    record.done()
    return name


@define
class _Reader:
    """What each request has read so far; `tokens`: new ones of the line that was read last."""

    read: dict[str, int] = field(factory=dict)
    tokens: int = 0

    def row(self, record: Record) -> tuple[int, _Steps]:
        """How many steps a line stands for, and the sequences of each."""
        count, requests, brought = record.size("steps"), record.sizes("requests"), record.sizes("cached", {})
        record.done()
        if not requests:
            record.refuse("'requests' is empty: a step has at least one")
        for name in brought:
            if name not in requests or name in self.read:
                record.refuse(f"'cached' is for a request that arrives in this line, and {name!r} does not")
        before = {name: self.read.get(name, brought.get(name, 0)) for name in requests}
        for name, tokens in requests.items():
            self._check(record, name, tokens, count, before[name])
        self.read.update({name: before[name] + tokens * count for name, tokens in requests.items()})
        self.tokens = len(requests)
        return count, _Steps(requests, before)

    def _check(self, record: Record, name: str, tokens: int, count: int, before: int) -> None:
        if before and tokens > 1:
            record.refuse(f"{name!r} has {before} tokens in its cache: it reads one a step, not {tokens}")
        if count > 1 and not before:
            record.refuse(f"{name!r} arrives here: the step of its prompt is a line of its own")


@define
class _Steps:
    """The sequences of the steps of a line: tokens by request, and what their caches hold before the first."""

    requests: Mapping[str, int]
    before: Mapping[str, int]

    def __call__(self, step: int) -> Sequence[Step]:
        """Those of a step, of equal lengths together."""
        groups: dict[tuple[int, int], int] = {}
        for name, tokens in self.requests.items():
            length = tokens, self.before[name] + tokens * step
            groups[length] = groups.get(length, 0) + 1
        return [Step(tokens, cached, batch) for (tokens, cached), batch in groups.items()]
