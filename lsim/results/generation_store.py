"""The result of a generation read back from its folder: its steps are in `result.json`, the sums of each phase in `sums.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lsim.arch import load_arch
from lsim.errors import InputError
from lsim.plan.mappings import mapping
from lsim.results.generation import GenerationResult
from lsim.results.steps import StepRun
from lsim.results.store import ARCH, RESULT, SUMS, TRACE, check_digests, read
from lsim.results.tally import Tally
from lsim.trace import Generation, load_workload


def pack_sums(result: GenerationResult) -> bytes:
    """The sums of each phase, and what each step has beside what `result.json` says, as the bytes of a file."""
    phases = {name: tally.to_dict() for name, tally in result.phases.items()}
    simulated = {
        str(step.as_step): {"tiles": dict(step.tiles), "events": step.events, "folds": step.folds}
        for step in result.simulated
    }
    return (json.dumps({"phases": phases, "simulated": simulated}) + "\n").encode()


def load_generation_result(folder: str | Path) -> GenerationResult:
    """The result of a generation that `lsim run --out` wrote; every number is as after the run.

    Raises InputError for a folder that is not one, or whose files are not those that were written together.
    """
    folder = Path(folder)
    check_digests(folder, (RESULT, SUMS, TRACE, ARCH))
    told, sums = read(folder / RESULT), read(folder / SUMS)
    arch = load_arch(folder / ARCH).with_ideal(told["options"]["ideal"])
    generation = load_workload(folder / TRACE)
    if not isinstance(generation, Generation):
        raise InputError("is one trace and no generation", file=str(folder / TRACE))
    groups = mapping(told["options"]["mapping"], arch).groups
    phases = {name: Tally.from_dict(one, groups) for name, one in sums["phases"].items()}
    steps = tuple(_steps(told["generation"]["steps"], sums["simulated"]))
    return GenerationResult(generation, arch, told["options"], steps, phases, 0.0)


def _steps(table: Mapping[str, list[Any]], simulated: Mapping[str, Mapping[str, Any]]) -> Iterator[StepRun]:
    for row in zip(*table.values(), strict=True):
        step = dict(zip(table, row, strict=True))
        yield StepRun(**step, **simulated[str(step["as_step"])])
