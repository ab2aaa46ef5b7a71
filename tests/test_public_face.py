"""`import lsim`: what it offers, and what it costs."""

import importlib
import os
import subprocess
import sys

import pytest

import lsim

FACE = [
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
HEAVY = ["attrs", "click", "matplotlib", "networkx", "numpy", "rich", "simpy", "tqdm", "yaml"]


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_is_the_face_exactly_this():
    assert lsim.__all__ == FACE
    assert set(FACE) <= set(dir(lsim))


@pytest.mark.parametrize("name", FACE)
def test_has_every_name_something_behind_it(name):
    thing = getattr(lsim, name)
    assert name == "__version__" or thing.__doc__


@pytest.mark.parametrize("name", [name for name in FACE if name != "__version__"])
def test_is_a_name_the_thing_itself_and_no_copy(name):
    home = importlib.import_module(lsim._HOMES[name])
    assert getattr(lsim, name) is getattr(home, name)


def test_is_an_unknown_name_an_attribute_error():
    with pytest.raises(AttributeError, match="'simulte'"):
        _ = lsim.simulte


def test_does_import_load_nothing_heavy():
    assert python(f"import sys, lsim; print(sorted(set({HEAVY}) & sys.modules.keys()))") == "[]"


def test_stays_simulate_a_function_when_its_module_is_imported():
    code = "import lsim.simulate, lsim; print(lsim.simulate.__name__, callable(lsim.simulate))"
    assert python(code) == "simulate True"


def test_is_the_package_typed():
    folder = os.path.dirname(lsim.__file__)
    assert os.path.exists(os.path.join(folder, "py.typed"))


def test_does_the_example_of_the_docstring_run():
    result = lsim.simulate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"))
    assert isinstance(result, lsim.Result)
    assert result.ticks > 0
    assert len(result.operators) == len(result.trace.operators)
