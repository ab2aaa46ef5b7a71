"""The module and the inputs that a user's own function returns: `MODULE:CALLABLE`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from lsim.errors import InputError
from lsim.extract.meta import need_torch


def load_target(target: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """A module, its inputs in order and by keyword. `MODULE` is looked for in the current folder, too."""
    torch = need_torch()
    with _current_folder():
        function = _function(target)
        try:
            returned = function()
        except Exception as error:  # a user's function may fail as it likes
            raise InputError(f"fails: {type(error).__name__}: {error}", place=target) from error
    values = returned if isinstance(returned, tuple) else (returned,)
    module, *inputs = values or (None,)
    if not isinstance(module, torch.nn.Module):
        problem = f"returns {type(module).__name__}, not a torch.nn.Module and its example inputs"
        raise InputError(problem, place=target)
    keywords = inputs.pop() if inputs and isinstance(inputs[-1], dict) else {}
    return module, tuple(inputs), keywords


@contextmanager
def _current_folder() -> Iterator[None]:
    sys.path.insert(0, "")
    try:
        yield
    finally:
        sys.path.remove("")


def _function(target: str) -> Any:
    module, _, name = target.partition(":")
    if not module or not name:
        raise InputError("is MODULE:CALLABLE, e.g. models.mine:tiny", place=target)
    try:
        found = getattr(import_module(module), name, None)
    except Exception as error:  # so may what its module does when it is imported
        problem = f"cannot be imported: {type(error).__name__}: {error}"
        raise InputError(problem, place=target) from error
    if not callable(found):
        raise InputError(f"module {module!r} has no function {name!r}", place=target)
    return found
