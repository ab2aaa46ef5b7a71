"""The rows of a ledger of energy, each `component.kind`, and which component of a model stands for which of the simulation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from lsim.models.base import UNDIVIDED
from lsim.results.energy.prices import COMPONENTS, STATIC
from lsim.results.energy.tiles import IDLE_ENGINES, IDLE_WAVELENGTHS, SIGNS

ARITHMETIC, COUNTS, PRICES, SHOTS, OTHERWISE, ABSENT = (
    "arithmetic", "counts", "prices", "shots", "otherwise", "absent",
)  # fmt: skip
DARK, STEADY = "dark", "static"
DYNAMIC, USEFUL = "dynamic", "useful"
IN_SHOTS = (IDLE_ENGINES, IDLE_WAVELENGTHS, SIGNS)
"""Dark while a shot is fired: what a model that counts shots counts with them."""

LEAKAGE = "leakage"
_ALIKE: Mapping[str, str] = {
    "tuning": "encoder", "modulator": "encoder", "photodetector": "detector", "registers": "register",
    "m1_sram": "local_sram", "m2_sram": "local_sram", "act_sram": "local_sram",
}  # fmt: skip
"""By component of the simulation, that of the published models which stands for it; others have one name in both."""

_LEAKING = tuple(name for name in STATIC if name == "registers" or name.endswith("_sram"))


class Kind(NamedTuple):
    """What the rows of a kind are, whatever their component."""

    definition: str
    formula: str
    entries: str


_COUNTERS = "records that count events"
_STATIC = "states of the tiles' cores"
KINDS: Mapping[str, Kind] = {
    ARITHMETIC: Kind("faults of the model's own arithmetic", "model with its arithmetic right − model", "none: two closed forms"),
    COUNTS: Kind("encodings, conversions, shots, bytes, operations beyond those that the model counts, each at what the model charges for one", "Σ events · charge of the model − model with its arithmetic right", _COUNTERS),
    PRICES: Kind("the same events at what the simulation charges: sums at their own width, a TIA in every shot that it integrates", "Σ events · (price − charge of the model)", _COUNTERS),
    SHOTS: Kind("static power while shots are fired, beyond what the model charges with events: leakage, tuning between symbols", "(useful + idle_engines + idle_wavelengths + signs) − Σ events · steady charge of the model", f"{_STATIC}, {_COUNTERS}"),
    OTHERWISE: Kind("of a component of which the model does not say what it charges for an event: counts, prices and static power of shots in one", "dynamic + useful + idle_engines + idle_wavelengths + signs − model with its arithmetic right", f"{_STATIC}, {_COUNTERS}"),
    ABSENT: Kind("of a component that the model does not have: events, and static power while shots are fired", "dynamic + useful + idle_engines + idle_wavelengths + signs", f"{_STATIC}, {_COUNTERS}"),
}  # fmt: skip
"""By what a row's name ends in. Dark rows end in `dark.` and their root cause."""


def home(component: str, static: bool, model: Collection[str]) -> str:
    """Where a ledger tells a component of the simulation, its events or its static power: a component of the model, or its own name."""
    if set(model) == {UNDIVIDED}:
        return UNDIVIDED
    if static and component in _LEAKING and LEAKAGE in model:
        return LEAKAGE
    alike = _ALIKE.get(component, component)
    return alike if alike in model and component not in model else component


def row(component: str, kind: str, cause: str = "") -> str:
    """The name of a row."""
    return f"{component}.{kind}.{cause}" if cause else f"{component}.{kind}"


def component_of(name: str) -> str:
    """The component of a row; a component has no dot in its name."""
    return name.partition(".")[0]


def kind_of(name: str) -> str:
    """Its kind; all that is dark is one."""
    return name.split(".")[1]


def tidy(lines: Iterable[Mapping[str, Fraction]]) -> dict[str, Fraction]:
    """Sums by row, in the order in which they are read, those that are 0 left out."""
    sums: dict[str, Fraction] = {}
    for line in lines:
        for name, value in line.items():
            sums[name] = sums.get(name, Fraction(0)) + value
    names = sorted(sums, key=lambda name: (_place(component_of(name)), _KINDS.index(kind_of(name))))
    return {name: sums[name] for name in names if sums[name]}


def by_kind(rows: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Sums of rows over their kinds."""
    sums: dict[str, Fraction] = {}
    for name, value in rows.items():
        sums[kind_of(name)] = sums.get(kind_of(name), Fraction(0)) + value
    return sums


def dark_causes(rows: Mapping[str, Fraction]) -> list[tuple[str, Fraction]]:
    """What is dark over all components by cause, the largest first, in size."""
    sums: dict[str, Fraction] = {}
    for name, value in rows.items():
        if kind_of(name) == DARK:
            cause = name.split(".", 2)[2]
            sums[cause] = sums.get(cause, Fraction(0)) + value
    return sorted(sums.items(), key=lambda row: -abs(row[1]))


def ordered(components: Iterable[str]) -> list[str]:
    """Components as they are read, from light to the DPU; what is unknown last."""
    return sorted(dict.fromkeys(components), key=_place)


def _place(component: str) -> tuple[int, str]:
    return (_ORDER.index(component), "") if component in _ORDER else (len(_ORDER), component)


_KINDS = (*KINDS, STEADY, DYNAMIC, USEFUL, DARK)
_ORDER = list(dict.fromkeys(name for one in COMPONENTS for name in (_ALIKE.get(one, one), one)))
