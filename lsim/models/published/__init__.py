"""The published closed forms, one kind of core a file: latency and energy of a trace, area and power of a chip."""

from importlib import import_module
from pkgutil import iter_modules

from lsim.models.published.form import FORMS, ClosedForm

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")  # a form is registered by being declared

__all__ = ["FORMS", "ClosedForm"]
