"""The flow on one page: trace → plan → parts → log → results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.kernel.environment import Environment
from lsim.parts.dptc import Core
from lsim.parts.machine import Machine
from lsim.parts.shots import ShotCore
from lsim.plan.schedule import Deps, plan
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
    if step not in STEPS:
        raise InputError(f"{step!r} is not a step", place="--step", known=STEPS, given=step)
    if deps not in list(Deps):
        raise InputError(
            f"{deps!r} is not a dependency policy", place="--deps", known=[d.value for d in Deps], given=deps
        )
    arch = arch.with_ideal(ideal)
    begin = time.process_time()
    planned = plan(trace, arch, mapping, Deps(deps))
    env = Environment(fold)
    machine = Machine(env, planned, STEPS[step])
    initial = env.states[:]
    if progress is not None:
        env.progress = lambda: progress(machine.processes["retire"].cursor.n / max(1, len(planned.units)))
    env.run_to_end()
    log = FoldedLog.of(env, initial)
    statistics = Statistics(log)
    laws.check(env, planned, statistics)
    options = {
        "mapping": planned.mapping,
        "deps": deps,
        "ideal": sorted(arch.ideal),
        "fold": fold,
        "step": step,
    }
    folds = env.folder.folds if env.folder else 0
    cpu_s = time.process_time() - begin
    return Result(trace, arch, options, log, env.events, folds, cpu_s, statistics, planned)
