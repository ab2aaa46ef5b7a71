"""Packages that only some formats need."""

from importlib import import_module
from types import ModuleType

from lsim.errors import InputError


def need(module: str, extra: str) -> ModuleType:
    """A module of an optional extra; raises InputError that says what to install."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0] if extra != "chakra" else "protobuf"
        raise InputError(f"needs the package {package} ({error}): pip install 'lsim[{extra}]'") from None
