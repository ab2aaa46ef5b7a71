"""The flow of a generation: its steps one after another, each planned, simulated and checked as a run of its own.

A step begins when the one before has ended and the machine is empty: what it does cannot depend on what was before, and the
times of the steps add up. So a step that must take as long as one that was simulated (`lsim.parts.alike`) is not
simulated again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from attrs import evolve

from lsim.arch import Arch
from lsim.kernel.garbage import collected_when_asked
from lsim.parts.alike import Likeness, counted
from lsim.parts.machine import Machine
from lsim.results.generation import GenerationResult
from lsim.results.steps import StepRun
from lsim.results.tally import Tally
from lsim.simulate import Options, checked, made, run
from lsim.trace import Generation
from lsim.trace.generation import Step

STEPS_A_COLLECTION = 64


def simulate_generation(
    generation: Generation,
    arch: Arch,
    *,
    mapping: str | None = None,
    deps: str = "barrier",
    ideal: Iterable[str] = (),
    fold: bool = True,
    step: str = "block",
    progress: Callable[[float], None] | None = None,
) -> GenerationResult:
    """Replays all steps of a generation; options are those of `lsim.simulate`. Without `fold` every step is simulated."""
    options = checked(arch, mapping=mapping, deps=deps, ideal=ideal, fold=fold, step=step)
    begin = time.process_time()
    replay = _Replay(generation, options)
    runs: list[StepRun] = []
    with collected_when_asked() as collect:  # machines of steps are cycles
        for each in generation.steps:
            runs.append(replay.step(each, runs[-1].end if runs else 0))
            if progress is not None:
                progress((each.number + 1) / len(generation.steps))
            if each.number % STEPS_A_COLLECTION == 0:
                collect()
    cpu_s = time.process_time() - begin
    result = GenerationResult(generation, options.arch, replay.told, tuple(runs), replay.phases, cpu_s)
    result.check()
    return result


class _Replay:
    """The steps so far: the last that was simulated, its machine and its sums; and the sums of each phase."""

    def __init__(self, generation: Generation, options: Options) -> None:
        self.generation, self.options = generation, options
        self.told: dict[str, object] = {}
        self.phases: dict[str, Tally] = {phase.name: Tally() for phase in generation.document.phases}
        self._likeness = Likeness(options.arch)
        self._done: tuple[Machine, StepRun, Tally] | None = None

    def step(self, step: Step, start: int) -> StepRun:
        begin = time.process_time()
        machine = made(self.generation.trace(step.number), self.options)
        ran = self._known(machine, step) or self._simulated(machine, step, begin)
        phase, macs = step.phase, machine.plan.trace.macs
        return evolve(ran, phase=phase.name, tokens=phase.tokens, macs=macs, start=start)

    def _known(self, machine: Machine, step: Step) -> StepRun | None:
        """A step that takes as long as the last that was simulated."""
        if self._done is None or not self.options.fold:
            return None
        done, run, tally = self._done
        changes = self._likeness.changes(done, machine)
        if changes is None:
            return None
        phase = self.phases[step.phase.name]
        phase.add(tally)
        for part, amounts, times in counted(machine, changes):
            phase.count(part, amounts, times)
        for part, ticks in changes.served.items():
            phase.lengthen(part, ticks)
        return run

    def _simulated(self, machine: Machine, step: Step, begin: float) -> StepRun:
        result = run(machine, self.options, begin)
        self.told = result.options
        tally = Tally.of(result)
        self.phases[step.phase.name].add(tally)
        done = StepRun(
            phase=step.phase.name,
            tokens=step.phase.tokens,
            macs=result.macs,
            start=0,
            ticks=result.ticks,
            tiles=tally.causes,
            as_step=step.number,
            events=result.events,
            folds=result.folds,
        )
        self._done = machine, done, tally
        return done
