"""A model of a user: a class of a Python file, whose errors name the file and the line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.models.base import Estimate, as_estimate
from lsim.trace import Operator, Trace


def user_model(file: str, class_name: str) -> UserModel:
    """An instance of a class of a Python file, which is run as a module of its own."""
    path = Path(file)
    module = _imported(path)
    cls = getattr(module, class_name, None)
    if not isinstance(cls, type) or not _is_model(cls):
        known = [name for name, value in vars(module).items() if isinstance(value, type) and _is_model(value)]
        problem = f"has no class {class_name!r} with a method estimate(operator, arch)"
        raise InputError(problem, file=path, known=known, given=class_name)
    return UserModel(path, _guarded(path, f"{class_name}()", cls))


class UserModel:
    """What `predict` asks; passes all on to the object of the user."""

    def __init__(self, path: Path, model: Any) -> None:
        self._path, self._model = path, model
        self.name = str(getattr(model, "name", type(model).__name__))

    def bind(self, trace: Trace) -> UserModel:
        """The model of this trace: itself, unless the user says otherwise."""
        if not hasattr(self._model, "bind"):
            return self
        return UserModel(self._path, self._ask("bind", trace))

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        """What the user's method says, checked."""
        said = self._ask("estimate", operator, arch)
        try:
            return as_estimate(said)
        except InputError as error:
            line = getattr(getattr(self._model.estimate, "__code__", None), "co_firstlineno", None)
            raise error.at(file=self._path, line=line) from None

    def terms(self, arch: Arch) -> dict[str, Any]:
        """Terms of the whole trace, none unless the user says otherwise."""
        return dict(self._ask("terms", arch)) if hasattr(self._model, "terms") else {}

    def notes(self, arch: Arch) -> Sequence[str]:
        """Notes, none unless the user says otherwise."""
        return list(self._ask("notes", arch)) if hasattr(self._model, "notes") else []

    def charges(self, arch: Arch) -> Any:
        """What it charges for events; None unless the user says so."""
        return self._ask("charges", arch) if hasattr(self._model, "charges") else None

    def _ask(self, method: str, *given: object) -> Any:
        asked = getattr(self._model, method)
        return _guarded(self._path, f"{self.name}.{method}", lambda: asked(*given))


def _is_model(cls: type) -> bool:
    return callable(getattr(cls, "estimate", None)) or callable(getattr(cls, "bind", None))


def _imported(path: Path) -> ModuleType:
    if path.suffix != ".py" or not path.is_file():
        raise InputError("is no Python file", file=path)
    spec = spec_from_file_location(f"lsim_model_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    loader = spec.loader
    _guarded(path, "import", lambda: loader.exec_module(module))
    return module


def _guarded(path: Path, doing: str, call: Callable[[], Any]) -> Any:
    """What the call returns; an exception of the user's code is an error of the input, at its line."""
    try:
        return call()
    except InputError as error:
        raise error.at(file=path, line=_line(error, path)) from None
    except Exception as error:
        problem = f"{doing} failed: {type(error).__name__}: {error}"
        raise InputError(problem, file=path, line=_line(error, path)) from error


def _line(error: Exception, path: Path) -> int | None:
    """The last line of the file that the error came through, or that it is about."""
    if isinstance(error, SyntaxError):
        return error.lineno
    own, frames = path.resolve(), extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == own]
    return lines[-1] if lines else None
