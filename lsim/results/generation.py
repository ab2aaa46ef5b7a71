"""The result of a generation: its steps one after another, each a run of its own from an empty machine."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from typing import Any

from attrs import frozen

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.results.energy.account import devices_told
from lsim.results.energy.bill import Bill
from lsim.results.laws import check_amounts
from lsim.results.result import arch_told, parts_told
from lsim.results.statistics import PartTime
from lsim.results.steps import RequestRun, StepRun
from lsim.results.tally import Tally
from lsim.trace import Generation


@frozen(eq=False, repr=False)
class GenerationResult:
    """What the run of a generation tells.

    `phases`: the sums of the steps of each. `cpu_s`: CPU seconds of planning, simulating and checking.
    """

    generation: Generation
    arch: Arch
    options: Mapping[str, Any]
    steps: tuple[StepRun, ...]
    phases: Mapping[str, Tally]
    cpu_s: float

    def __repr__(self) -> str:
        return f"<{self.generation.name} on {self.arch.name}: {self.ticks} ticks in {len(self.steps)} steps>"

    @property
    def ticks(self) -> int:
        """From the first step's begin to the last one's end: the steps' ticks add up."""
        return self.steps[-1].end

    @property
    def seconds(self) -> float:
        return self._seconds(self.ticks)

    @property
    def macs(self) -> int:
        return self.generation.total_macs

    @property
    def tokens(self) -> int:
        """New tokens of all sequences."""
        return self.generation.tokens

    @property
    def tokens_per_second(self) -> float:
        """New tokens of all sequences, the first ones included, over the length of the run."""
        return self.tokens / self.seconds

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds to the end of the first step that gives a token; without a schedule that is the one that reads the prompt. None if
        no step gives one."""
        return None if self._first is None else self._seconds(self.steps[self._first].end)

    @property
    def time_per_output_token(self) -> float | None:
        """Mean seconds of the steps after that one: between the tokens of a sequence that is in all. None if there are none."""
        if self._first is None or self._first == len(self.steps) - 1:
            return None
        later = len(self.steps) - 1 - self._first
        return self._seconds(self.ticks - self.steps[self._first].end) / later

    @property
    def energy_per_token(self) -> Fraction | None:
        """pJ of all steps, prompts included, over the new tokens; None if there are none."""
        return self.energy().total_pj / self.tokens if self.tokens else None

    @cached_property
    def _first(self) -> int | None:
        """The first step that gives a token."""
        return next((number for number, step in enumerate(self.steps) if step.tokens), None)

    @cached_property
    def requests(self) -> dict[str, RequestRun]:
        """The requests of a continuous batch, by name; none where sequences have no names."""
        found: dict[str, RequestRun] = {}
        for step, run in zip(self.generation.steps, self.steps, strict=True):
            for name, gets in step.phase.requests.items():
                before = found.setdefault(name, RequestRun(run.start))
                found[name] = before.given(gets, run.end) if gets else before
        return found

    @cached_property
    def simulated(self) -> tuple[StepRun, ...]:
        """The steps that were simulated: the others take as long as one of these."""
        return tuple(step for number, step in enumerate(self.steps) if step.as_step == number)

    @cached_property
    def sums(self) -> Tally:
        """What all steps come to: ticks of parts and tiles, bytes, shots."""
        total = Tally()
        for phase in self.phases.values():
            total.add(phase)
        return total

    def utilization(self) -> dict[str, float]:
        """What the cores did over what they could have done, over all steps: see `lsim.results.statistics.shares`."""
        return self.sums.utilization(self.arch)

    def parts(self) -> dict[str, PartTime]:
        """Ticks of each part over all steps; busy, idle and waiting sum to `ticks`."""
        return self.sums.parts()

    def tiles(self) -> dict[str, dict[str, int]]:
        """Ticks of each tile by root cause over all steps; they sum to `ticks`."""
        return {name: dict(causes) for name, causes in self.sums.tiles.items()}

    def bytes(self) -> dict[str, dict[str, int]]:
        """Bytes into and out of each memory over all steps."""
        return self.sums.bytes()

    def energy(self, phase: str | None = None) -> Bill:
        """The energy of all steps, or of those of a phase, exact."""
        tally = self.sums if phase is None else self.phases[phase]
        return tally.energy(self.arch)

    def check(self) -> None:
        """Raises LawBroken if what the steps come to breaks a law of runs."""
        check_amounts(self.sums.amounts, self.macs, self.ticks)
        for name, part in self.parts().items():
            if part.total != self.ticks:
                said = f"busy + waiting + idle is {part.total}, elapsed {self.ticks}"
                raise LawBroken(name, self.ticks, said)

    def to_dict(self) -> dict[str, Any]:
        """The object that `lsim run --json` prints."""
        from lsim import __version__

        generation = self.generation
        return {
            "lsim": __version__,
            "trace": {
                "name": generation.name,
                "sha256": generation.sha256,
                "operators": generation.operators,
                "macs": self.macs,
                **generation.masked.to_dict(),
            },
            "arch": arch_told(self.arch),
            "options": dict(self.options),
            "ticks": self.ticks,
            "seconds": self.seconds,
            "macs": self.macs,
            "events": sum(step.events for step in self.simulated),
            "folds": sum(step.folds for step in self.simulated),
            "cpu_s": self.cpu_s,
            "utilization": self.utilization(),
            "tiles": self.tiles(),
            "parts": parts_told(self.parts()),
            "bytes": self.bytes(),
            "energy": {**self.energy().to_dict(), "devices": devices_told(self.arch)},
            "generation": self._generation(),
        }

    def _generation(self) -> dict[str, Any]:
        columns = ("phase", "tokens", "macs", "start", "ticks", "as_step")
        return {
            "tokens": self.tokens,
            "tokens_per_second": self.tokens_per_second,
            "time_to_first_token": self.time_to_first_token,
            "time_per_output_token": self.time_per_output_token,
            "energy_per_token": None if self.energy_per_token is None else float(self.energy_per_token),
            "requests": {name: self._request(request) for name, request in self.requests.items()},
            "simulated_steps": len(self.simulated),
            "causes": self.sums.causes,
            "phases": {name: self._phase(name) for name in self.phases},
            "steps": {name: [getattr(step, name) for step in self.steps] for name in columns},
        }

    @cached_property
    def by_phase(self) -> dict[str, tuple[StepRun, ...]]:
        """The steps of each phase."""
        return {name: tuple(steps) for name, steps in groupby(self.steps, key=lambda step: step.phase)}

    def _phase(self, name: str) -> dict[str, Any]:
        tally, steps, energy = self.phases[name], self.by_phase[name], self.energy(name)
        return {
            "steps": len(steps),
            "tokens": sum(step.tokens for step in steps),
            "ticks": tally.ticks,
            "macs": tally.amounts["macs"],
            "utilization": tally.utilization(self.arch),
            "causes": tally.causes,
            "bytes": tally.bytes(),
            "energy": {**energy.all.to_dict(), "total": float(energy.total_pj)},
        }

    def _request(self, request: RequestRun) -> dict[str, Any]:
        first, each = request.to_first_token, request.per_output_token
        return {
            "tokens": request.tokens,
            "start": request.start,
            "end": request.end,
            "time_to_first_token": None if first is None else self._seconds(first),
            "time_per_output_token": None if each is None else self._seconds(each),
        }

    def _seconds(self, ticks: int | Fraction) -> float:
        return float(ticks / self.arch.core.clock)
