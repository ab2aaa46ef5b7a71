"""The page: sections into one file of HTML that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from lsim import __version__
from lsim.errors import InputError
from lsim.report.blocks import Explorer, Figure, Run, Section
from lsim.report.packing import pack_text
from lsim.report.sections import sections
from lsim.results.palette import ENERGY_INKS, INKS

if TYPE_CHECKING:
    from jinja2 import Environment

INSTALL = "pip install 'lsim[report]'"


def check_libraries() -> None:
    """Raises InputError if plotly or Jinja2, which only reports need, are not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("plotly", "jinja2") if find_spec(name) is None]
    if missing:
        raise InputError(f"needs {' and '.join(missing)}: {INSTALL}", place="lsim report")


def page(runs: Sequence[Run]) -> str:
    """The HTML of a report on a run, or on several side by side. The same runs give the same text."""
    check_libraries()
    made = sections(runs)
    first = runs[0].result
    if len(runs) == 1:
        title, about = f"{first.trace.name} on {first.arch.name}", ""
    else:
        title, about = " | ".join(run.name for run in runs), f"{len(runs)} runs side by side"
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            title=title,
            about=about,
            sections=made,
            version=__version__,
            figures=_figures(made),
            states=INKS,
            inks={**ENERGY_INKS, **INKS},
            plotly=_plotly(),
            explorers=[block for section in made for block in section.blocks if isinstance(block, Explorer)],
        )
    )


def _figures(made: Sequence[Section]) -> dict[str, Mapping[str, Any]]:
    return {
        block.id: {"data": block.traces, "layout": block.layout}
        for section in made
        for block in section.blocks
        if isinstance(block, Figure)
    }


@cache
def _plotly() -> str:
    """plotly.js, packed, as its package for Python carries it."""
    source = resources.files("plotly") / "package_data" / "plotly.min.js"
    return pack_text(source.read_text(encoding="utf-8"))


def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lsim.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment
