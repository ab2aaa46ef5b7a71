"""A model against the simulation, from a trace and an architecture to the ledger between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lsim.arch import Arch
from lsim.ledger.ledger import Ledger, ledger
from lsim.models import Model, TraceModel, load_model, predict
from lsim.simulate import simulate
from lsim.trace import Trace


def validate(
    trace: Trace,
    arch: Arch,
    model: str | Model | TraceModel = "published",
    *,
    level: str | None = None,
    corrected: Iterable[str] = (),
    mapping: str | None = None,
    deps: str = "barrier",
    ideal: Iterable[str] = (),
    progress: Callable[[float], None] | None = None,
) -> Ledger:
    """Asks a model, simulates, and says row by row what lies between.

    `model`: an object with an `estimate` method, or a name as in `lsim.load_model`, which takes `level` and `corrected`; the
    other options are those of `lsim.simulate`. Raises InputError for what either refuses.
    """
    machine = arch.with_ideal(ideal)
    if isinstance(model, str):
        model = load_model(model, machine, level=level, corrected=corrected, mapping=mapping, deps=deps)
    said = predict(model, trace, machine)
    return ledger(said, simulate(trace, machine, mapping=mapping, deps=deps, progress=progress))
