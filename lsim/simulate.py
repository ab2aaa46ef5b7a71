"""The flow on one page: trace → plan → parts → log → results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from attrs import field, frozen

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.kernel.environment import Environment
from lsim.parts.dptc import Core
from lsim.parts.machine import Machine
from lsim.parts.shots import ShotCore
from lsim.plan.schedule import Deps, plan
from lsim.plan.work import Cache
from lsim.results import laws
from lsim.results.folded import FoldedLog
from lsim.results.result import Result
from lsim.results.statistics import Statistics
from lsim.trace import Trace

STEPS = {"block": Core, "shot": ShotCore}


def simulate(
    trace: Trace,
    arch: Arch,
    *,
    mapping: str | None = None,
    deps: str = "barrier",
    ideal: Iterable[str] = (),
    fold: bool = True,
    step: str = "block",
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Replays a trace on a machine.

    `mapping`: one of `lsim.plan.mappings.MAPPINGS`; by default the core's own. `deps`: "barrier", a unit starts when its inputs are complete, or
    "chunked", when the row passes it needs are. `ideal`: contention sources to make free, of `lsim.arch.IDEALS`. `fold`: skip
    what repeats itself; the result is the same without, only later. `step`: "block" or "shot", what one event of a
    core stands for. `progress`: called now and then with the fraction of operators retired.

    Raises InputError (bad names, an arch that cannot run the trace) and LawBroken (an error of ours).
    """
    options = checked(arch, mapping=mapping, deps=deps, ideal=ideal, fold=fold, step=step)
    begin = time.process_time()
    machine = made(trace, options)
    if progress is not None:
        retired, units = machine.processes["retire"].cursor, max(1, len(machine.plan.units))
        machine.env.progress = lambda: progress(retired.n / units)
    return run(machine, options, begin)


@frozen
class Options:
    """How to run: what `simulate` takes, checked. `cache` keeps what plans of other traces for the same machine can share."""

    arch: Arch
    mapping: str | None
    deps: Deps
    fold: bool
    step: str
    cache: Cache = field(factory=Cache)


def checked(
    arch: Arch, *, mapping: str | None, deps: str, ideal: Iterable[str], fold: bool, step: str
) -> Options:
    """The options of a run; raises InputError for a bad name."""
    if step not in STEPS:
        raise InputError(f"{step!r} is not a step", place="--step", known=STEPS, given=step)
    if deps not in list(Deps):
        raise InputError(
            f"{deps!r} is not a dependency policy", place="--deps", known=[d.value for d in Deps], given=deps
        )
    return Options(arch.with_ideal(ideal), mapping, Deps(deps), fold, step)


def made(trace: Trace, options: Options) -> Machine:
    """The machine that will replay a trace, at tick 0."""
    planned = plan(trace, options.arch, options.mapping, options.deps, options.cache)
    return Machine(Environment(options.fold), planned, STEPS[options.step])


def run(machine: Machine, options: Options, begin: float) -> Result:
    """Runs a machine to its end and checks the laws. `begin`: the process time from which its cost counts."""
    env, planned = machine.env, machine.plan
    initial = env.states[:]
    env.run_to_end()
    log = FoldedLog.of(env, initial)
    statistics = Statistics(log)
    laws.check(env, planned, statistics)
    told = {
        "mapping": planned.mapping,
        "deps": options.deps.value,
        "ideal": sorted(options.arch.ideal),
        "fold": options.fold,
        "step": options.step,
    }
    folds = env.folder.folds if env.folder else 0
    cpu_s = time.process_time() - begin
    return Result(planned.trace, options.arch, told, log, env.events, folds, cpu_s, statistics, planned)
