"""Continuous batches: which requests are in which step, in a schedule file of JSON lines.

    {"lsim_schedule": 1, "name": "two-requests"}
    {"steps": 1, "requests": {"a": 512}}                                  the prompt of a
    {"steps": 9, "requests": {"a": 1}}                                    nine more tokens
    {"steps": 2, "requests": {"a": 1, "b": 100}, "prompts": {"b": 300}}   b arrives: its prompt of 300, in chunks
    {"steps": 1, "requests": {"a": 1, "b": 100}}                          the last chunk: with it comes the first new token of b
    {"steps": 50, "requests": {"a": 1, "b": 1}}

Of each request, the tokens that it reads in a step: its prompt, then one each time. The prompt is what it reads in the step in
which it arrives; `prompts`, in that line, says that it is more, and then the request reads on until it has read so much
(chunked prefill). The step that reads the last of a prompt gives the first new token, each further step one more. The cache
holds what was read before; `cached` gives tokens that a request brings with it, from another machine or a prompt that is common to
several. A request that is in no later line has left. Batches: Yu et al., "Orca", OSDI 2022; chunks: Agrawal et al., "Taming
Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from attrs import define, field

from lsim.errors import TraceError
from lsim.trace.check import check_characters
from lsim.trace.document import Document, Phase
from lsim.trace.files import read_text
from lsim.trace.parse import MAX_STEPS
from lsim.trace.record import Record, read_record
from lsim.trace.zoo.generate import STEPS, Family, known_family
from lsim.trace.zoo.step import Step
from lsim.units import plural

VERSION = 1
_HEADER = '{"lsim_schedule": 1, "name": "two-requests"}'
_LINE = 'such as {"steps": 9, "requests": {"a": 1}}'
_FIRST = "The step that reads the last of a prompt gives the first new token of its request, each further step one more."


def scheduled(model: str, path: Path) -> Document:
    """The document of a generation by a model of `FAMILIES`, as a schedule file says."""
    family = known_family(model)
    try:
        header, *rows = _records(read_text(path))
        name = _header(header)
        if not rows:
            header.refuse(
                f"has no steps: after its header a schedule has a line for each run of equal steps, {_LINE}"
            )
        return _document(model, family, name, rows)
    except TraceError as error:
        raise error.at(file=path) from None


def _document(model: str, family: Family, name: str, rows: Sequence[Record]) -> Document:
    reader, phases, conventions = _Reader(family), list[Phase](), dict[str, None]()
    sources: tuple[str, ...] = ()
    for row in rows:
        for part, (count, steps) in enumerate(reader.row(row)):
            first = family.forward(name, steps(0))
            second = family.forward(name, steps(1)).items if count > 1 else ()
            named = f"line-{row.line}" + (f".{part}" if part else "")
            gets = steps.gets
            phases.append(Phase(named, count, sum(gets.values()), first.items, second, gets))
            conventions.update(dict.fromkeys(first.conventions))
            sources = first.sources
    total = sum(phase.count for phase in phases)
    who = f"{len(reader.read)} {plural(len(reader.read), 'request')}"
    description = f"{family.title}, {who} in {total} {plural(total, 'step')} of continuous batches"
    said = dict.fromkeys((*STEPS, _FIRST, *conventions))
    return Document(f"{model}-{name}", description, sources, tuple(said), (), tuple(phases))


def _records(text: str) -> list[Record]:
    lines = [(at, line) for at, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise TraceError(f"is empty: a schedule begins with a header line, {_HEADER}")
    kinds = ["lsim_schedule", *["steps"] * (len(lines) - 1)]
    return [read_record(line, at, [kind]) for (at, line), kind in zip(lines, kinds, strict=True)]


def _header(record: Record) -> str:
    if record.size("lsim_schedule") != VERSION:
        record.refuse(f"this lsim reads schedules of format {VERSION}")
    name = record.text("name")
    record.done()
    check_characters("a schedule", name, record.line)
    if "/" in name:
        raise TraceError(
            "the name of a schedule is part of that of a file: it has no /", line=record.line, place=name
        )
    return name


@define
class _Reader:
    """What each request has read so far, and what is left of its prompt; `steps` of all lines."""

    family: Family
    read: dict[str, int] = field(factory=dict)
    left: dict[str, int] = field(factory=dict)
    steps: int = 0

    def row(self, record: Record) -> list[tuple[int, _Steps]]:
        """How many steps a line stands for, and the sequences of each: in stretches of which all steps are alike but for sizes.

        A first step without a cache is one of its own, and so is a last one that ends a prompt.
        """
        count, requests = record.size("steps"), record.sizes("requests")
        brought, prompts = record.sizes("cached", {}), record.sizes("prompts", {})
        record.done()
        self._check_line(record, count, requests)
        self._arrive(record, requests, brought, prompts)
        for name, tokens in requests.items():
            self._check(record, name, tokens, count)
        cuts = {0, count}
        if any(not self.read[name] for name in requests):
            cuts.add(1)
        if any(self.left[name] for name in requests):
            cuts.add(count - 1)
        ends = sorted(cuts)
        return [(end - begin, self._stretch(requests, end - begin)) for begin, end in pairwise(ends)]

    def _stretch(self, requests: Mapping[str, int], count: int) -> _Steps:
        before = {name: self.read[name] for name in requests}
        for name, tokens in requests.items():
            self.read[name] += tokens * count
            self.left[name] = max(0, self.left[name] - tokens * count)
        return _Steps(requests, before, {name: int(not self.left[name]) for name in requests})

    def _check_line(self, record: Record, count: int, requests: Mapping[str, int]) -> None:
        if not requests:
            record.refuse("'requests' is empty: a step has at least one")
        for name in requests:
            check_characters("a request", name, record.line)
        self.steps += count
        if self.steps > MAX_STEPS:
            record.refuse(
                f"the schedule has {self.steps:,} steps to here; a generation has at most {MAX_STEPS:,}"
            )

    def _arrive(
        self,
        record: Record,
        requests: Mapping[str, int],
        brought: Mapping[str, int],
        prompts: Mapping[str, int],
    ) -> None:
        for what, named in (("cached", brought), ("prompts", prompts)):
            for name in named:
                if name not in requests or name in self.read:
                    record.refuse(
                        f"{what!r} is for a request that arrives in this line, and {name!r} does not"
                    )
        for name, tokens in requests.items():
            if name not in self.read:
                self.read[name] = brought.get(name, 0)
                self.left[name] = prompts.get(name, tokens if tokens > 1 else 0)

    def _check(self, record: Record, name: str, tokens: int, count: int) -> None:
        """That a request reads its prompt, and then one token a step."""
        left, read = self.left[name], self.read[name]
        if left and tokens * count > left:
            more = "; the step that ends it is the last of its line" if count > 1 else ""
            record.refuse(f"{name!r} reads {tokens * count} of the {left} that are left of its prompt{more}")
        if not left and tokens > 1:
            record.refuse(
                f"{name!r} has {read} {plural(read, 'token')} in its cache: it reads one a step, not {tokens}"
            )
        most = self.family.most
        if most and read + tokens * count > most:
            reads = f"{name!r} comes to {read + tokens * count} tokens"
            record.refuse(f"{self.family.title} has positions for {most} tokens, and {reads}")


@define
class _Steps:
    """The sequences of the steps of a stretch: tokens by request, what their caches hold before the first, and the new tokens
    that each step gives them."""

    requests: Mapping[str, int]
    before: Mapping[str, int]
    gets: Mapping[str, int]

    def __call__(self, step: int) -> Sequence[Step]:
        """Those of a step, of equal lengths together."""
        groups: dict[tuple[int, int], int] = {}
        for name, tokens in self.requests.items():
            length = tokens, self.before[name] + tokens * step
            groups[length] = groups.get(length, 0) + 1
        return [Step(tokens, cached, batch) for (tokens, cached), batch in groups.items()]
