"""lsim: a cycle-level discrete-event simulator of photonic Transformer accelerators.

    import lsim
    result = lsim.simulate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"))
    result.ticks, result.utilization(), result.operators

This is all of the public face. Each name is imported when it is first used.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsim.arch import Arch as Arch
    from lsim.arch import list_archs as list_archs
    from lsim.arch import load_arch as load_arch
    from lsim.errors import Deadlock as Deadlock
    from lsim.errors import InputError as InputError
    from lsim.errors import LawBroken as LawBroken
    from lsim.extract.api import trace_module as trace_module
    from lsim.generate import simulate_generation as simulate_generation
    from lsim.ledger.audit import audit as audit
    from lsim.ledger.diff import diff as diff
    from lsim.ledger.ledger import Ledger as Ledger
    from lsim.ledger.validate import validate as validate
    from lsim.models import Estimate as Estimate
    from lsim.models import load_model as load_model
    from lsim.models import predict as predict
    from lsim.results.generation import GenerationResult as GenerationResult
    from lsim.results.generation_store import load_generation_result as load_generation_result
    from lsim.results.result import Result as Result
    from lsim.results.store import load_result as load_result
    from lsim.simulate import simulate as simulate
    from lsim.trace import Generation as Generation
    from lsim.trace import Trace as Trace
    from lsim.trace import list_traces as list_traces
    from lsim.trace import load_trace as load_trace
    from lsim.trace import load_workload as load_workload
    from lsim.trace.skip import skip_masked as skip_masked

__version__ = "0.1.0"

_HOMES = {
    "Arch": "lsim.arch",
    "Deadlock": "lsim.errors",
    "Estimate": "lsim.models",
    "Generation": "lsim.trace",
    "GenerationResult": "lsim.results.generation",
    "InputError": "lsim.errors",
    "Ledger": "lsim.ledger.ledger",
    "LawBroken": "lsim.errors",
    "Result": "lsim.results.result",
    "Trace": "lsim.trace",
    "audit": "lsim.ledger.audit",
    "diff": "lsim.ledger.diff",
    "list_archs": "lsim.arch",
    "list_traces": "lsim.trace",
    "load_arch": "lsim.arch",
    "load_generation_result": "lsim.results.generation_store",
    "load_model": "lsim.models",
    "load_result": "lsim.results.store",
    "load_trace": "lsim.trace",
    "load_workload": "lsim.trace",
    "predict": "lsim.models",
    "simulate": "lsim.simulate",
    "simulate_generation": "lsim.generate",
    "skip_masked": "lsim.trace.skip",
    "trace_module": "lsim.extract.api",
    "validate": "lsim.ledger.validate",
}

__all__ = [
    "Arch",
    "Deadlock",
    "Estimate",
    "Generation",
    "GenerationResult",
    "InputError",
    "LawBroken",
    "Ledger",
    "Result",
    "Trace",
    "__version__",
    "audit",
    "diff",
    "list_archs",
    "list_traces",
    "load_arch",
    "load_generation_result",
    "load_model",
    "load_result",
    "load_trace",
    "load_workload",
    "predict",
    "simulate",
    "simulate_generation",
    "skip_masked",
    "trace_module",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lsim' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Face(ModuleType):
    """Keeps `lsim.simulate` the function: importing the module of that name would put the module in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "simulate" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
