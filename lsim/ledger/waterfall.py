"""A ledger as a picture: bars from the model's ticks to the simulation's, each row beginning where the one before ends."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from lsim.errors import InputError
from lsim.ledger.ledger import Ledger

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png")
LEAST = Fraction(1, 500)  # of the longest bar: rows below are drawn as one
REST = "smaller rows"

TOTAL, MORE, LESS = "#4d4d4d", "#d55e00", "#0072b2"  # told apart by the colour-blind (Okabe and Ito 2008)
STYLE: Any = {"svg.hashsalt": "lsim", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 9}


@frozen
class Bar:
    """A bar from `begin` over `value`, which may be less than 0; a total begins at 0."""

    name: str
    begin: Fraction
    value: Fraction
    is_total: bool = False


def check_file(path: Path) -> None:
    """Raises InputError for a file that could not be drawn: before a run, not after it."""
    if path.suffix not in FORMATS:
        raise InputError(
            f"{path.name!r} is no name of a picture", place="--plot", known=[f"*{end}" for end in FORMATS]
        )
    if not path.absolute().parent.is_dir():
        raise InputError("is in a folder that is not there", file=path)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("needs matplotlib: pip install 'lsim[plot]'", place="--plot") from None


def write_waterfall(ledger: Ledger, path: Path) -> None:
    """Draws a ledger into an SVG or PNG file, the same bytes for the same ledger. Raises InputError as `check_file` does."""
    check_file(path)
    from lsim.trace.files import write_bytes

    try:
        write_bytes(path, drawn(ledger, path.suffix[1:]))
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=path) from None


def drawn(ledger: Ledger, form: str) -> bytes:
    """The bytes of the picture, `form` being svg or png."""
    import matplotlib

    nothing: dict[str, Any] = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    with matplotlib.rc_context(STYLE):
        buffer = BytesIO()
        _figure(ledger).savefig(buffer, format=form, dpi=150, metadata=nothing)
    return buffer.getvalue()


def bars(ledger: Ledger) -> list[Bar]:
    """From the model to the simulation."""
    ends = (ledger.prediction.model, ledger.model), ("simulation", Fraction(ledger.simulation))
    return steps(*ends, ledger.rows)


def steps(first: tuple[str, Fraction], last: tuple[str, Fraction], rows: Mapping[str, Fraction]) -> list[Bar]:
    """From one total to another, each with its name; rows too small to be seen are one bar."""
    (_, at), (_, end) = first, last
    longest = max(at, end)
    large = {name: value for name, value in rows.items() if abs(value) >= LEAST * longest}
    rest = end - at - sum(large.values())
    found = [Bar(first[0], Fraction(0), at, is_total=True)]
    for name, value in [*large.items(), *([(REST, rest)] if rest else [])]:
        found.append(Bar(name, at, value))
        at += value
    return [*found, Bar(last[0], Fraction(0), end, is_total=True)]


def _figure(ledger: Ledger) -> Figure:
    from matplotlib.figure import Figure

    all_bars, clock = bars(ledger), ledger.result.arch.core.clock
    figure = Figure(figsize=(8, 1.4 + 0.27 * len(all_bars)), layout="constrained")
    axes = figure.subplots()
    factor, unit = _unit(ledger.simulation)
    for line, bar in enumerate(all_bars):
        colour = TOTAL if bar.is_total else MORE if bar.value > 0 else LESS
        begin, width = float(bar.begin) / factor, float(bar.value) / factor
        axes.barh(line, width, left=begin, color=colour, height=0.7)
        axes.annotate(_number(bar, factor), (max(begin, begin + width), line), (4, 0), textcoords="offset points", va="center", color=colour)  # fmt: skip
    for line, bar in enumerate(all_bars[:-1]):
        end = float(bar.begin + bar.value) / factor
        axes.plot([end, end], [line - 0.35, line + 1.35], color="#999999", linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(all_bars)), [bar.name for bar in all_bars])
    axes.invert_yaxis()
    axes.set_xlim(
        0, 1.12 * max(float(max(bar.begin, bar.begin + bar.value)) for bar in all_bars) / factor or 1
    )
    axes.set_xlabel(f"{unit}ticks of {clock / 1e9:g} GHz")
    axes.spines[["top", "right"]].set_visible(False)
    result = ledger.result
    axes.set_title(
        f"{result.trace.name} on {result.arch.name}: from {ledger.prediction.model} to the simulation",
        loc="left",
    )
    return figure


def _unit(ticks: int) -> tuple[int, str]:
    for factor, name in ((10**9, "10⁹ "), (10**6, "10⁶ "), (10**3, "10³ ")):
        if ticks >= 10 * factor:
            return factor, name
    return 1, ""


def _number(bar: Bar, factor: int) -> str:
    value = float(bar.value) / factor
    digits = 0 if factor == 1 or abs(value) >= 100 else 1
    return f"{value:{'' if bar.is_total else '+'},.{digits}f}".replace("-", "−")
