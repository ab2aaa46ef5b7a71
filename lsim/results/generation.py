"""The result of a generation: its steps one after another, each a run of its own from an empty machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attrs import frozen

from lsim.arch import Arch
from lsim.results.result import arch_told
from lsim.trace import Generation


@frozen
class StepRun:
    """A step as it ran. `start`, `ticks`: when it began and how long it took. `tokens`: new ones of all sequences.

    `tiles`: ticks of all tiles by root cause. `as_step`: the step that was simulated in its place, as both take the same
    ticks; its own number if it was simulated itself. `events`, `folds`: of that simulation.
    """

    phase: str
    tokens: int
    macs: int
    start: int
    ticks: int
    tiles: Mapping[str, int]
    as_step: int
    events: int
    folds: int

    @property
    def end(self) -> int:
        return self.start + self.ticks


@frozen(eq=False, repr=False)
class GenerationResult:
    """What the run of a generation tells. `cpu_s`: CPU seconds of planning, simulating and checking."""

    generation: Generation
    arch: Arch
    options: Mapping[str, Any]
    steps: tuple[StepRun, ...]
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
    def time_to_first_token(self) -> float:
        """Seconds to the end of the first step, which reads the prompt and gives the first token of each sequence."""
        return self._seconds(self.steps[0].end)

    @property
    def time_per_output_token(self) -> float | None:
        """Mean seconds of the steps after the first: between the tokens of a sequence that is in all. None for a single step."""
        later = len(self.steps) - 1
        return self._seconds(self.ticks - self.steps[0].end) / later if later else None

    @property
    def useful_macs(self) -> float:
        """MACs over the peak of all engines and wavelengths."""
        return self.macs / (self.arch.peak_macs_per_tick * self.ticks)

    @cached_property
    def simulated(self) -> tuple[StepRun, ...]:
        """The steps that were simulated: the others take as long as one of these."""
        return tuple(step for number, step in enumerate(self.steps) if step.as_step == number)

    @cached_property
    def tiles(self) -> dict[str, int]:
        """Ticks of all tiles by root cause, over all steps; they sum to the ticks times the tiles."""
        total: Counter[str] = Counter()
        for step in self.steps:
            total.update(step.tiles)
        return dict(total)

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
            "utilization": {"useful_macs": self.useful_macs},
            "generation": self._generation(),
        }

    def _generation(self) -> dict[str, Any]:
        columns = ("phase", "tokens", "macs", "start", "ticks", "as_step")
        return {
            "tokens": self.tokens,
            "tokens_per_second": self.tokens_per_second,
            "time_to_first_token": self.time_to_first_token,
            "time_per_output_token": self.time_per_output_token,
            "simulated_steps": len(self.simulated),
            "causes": self.tiles,
            "steps": {name: [getattr(step, name) for step in self.steps] for name in columns},
        }

    def _seconds(self, ticks: int) -> float:
        return ticks / self.arch.core.clock
