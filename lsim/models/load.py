"""Models by name, by file and class, or as a table of estimates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.models.base import Model, TraceModel
from lsim.models.table import Table
from lsim.models.user import user_model

PUBLISHED, ROOFLINE, BOUND = "published", "roofline", "bound"
ALL = "all"
NAMES = (PUBLISHED, ROOFLINE, BOUND, "path.py:Class", "file.csv")


def load_model(
    name: str,
    arch: Arch,
    *,
    level: str | None = None,
    corrected: Iterable[str] = (),
    mapping: str | None = None,
    deps: str | None = None,
) -> Model | TraceModel:
    """The model of that name, `path.py:Class` or `file.csv`.

    `level` and `corrected` are those of the published model of the architecture's kind of core; "all" alone corrects
    all. `mapping` and `deps` are the policies of a run, for a bound on it; by default it holds for all of them. Raises InputError for a name, a file or an option that will not do.
    """
    corrected = list(corrected)
    if name == PUBLISHED:
        from lsim.models.published import FORMS

        form = FORMS[arch.core.kind]
        return form(level, form.corrections if corrected == [ALL] else corrected)
    for option, given in (("--level", level), ("--correct", corrected)):
        if given:
            raise InputError(f"is for the model {PUBLISHED!r}, not for {name!r}", place=option)
    if name == ROOFLINE:
        from lsim.models.roofline import Roofline

        return Roofline()
    if name == BOUND:
        from lsim.models.bound import Bound

        return Bound(mapping, deps)
    if name.endswith(".csv"):
        return Table(Path(name))
    if ":" in name:
        return user_model(*name.rsplit(":", 1))
    raise InputError(f"{name!r} is not a model", place="--model", known=NAMES, given=name)
