"""The rows of a ledger between a model and a simulation: a closed list, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from attrs import frozen

from lsim.kernel.labels import Cause

MODEL, ARITHMETIC, MAPPING, COMPUTE = "model", "arithmetic", "mapping", "compute"
WORK, OVERLAP = "dpu_work", "overlap"
SERIAL = "serial."

_OF_CORES = (Cause.FEED, Cause.ADC, Cause.RELOAD, Cause.SWITCH)
_NEVER = (Cause.COMPUTE, Cause.EDGE, Cause.DONE, Cause.DISPATCH, *_OF_CORES)
STALLS = tuple(cause for cause in Cause if cause not in _NEVER)
"""Root causes for which cores wait."""


@frozen
class Row:
    """What a row is: `{}` in a definition stands for what happens meanwhile. `group`: what it is read together with."""

    group: str
    definition: str
    formula: str = ""
    entries: str = ""


_SPOKEN = "states of the core that speaks for the run"
_CHAIN = f"{_SPOKEN}, whom it waits for followed to the last"
STALL = Row("WAITS of the cores for the operator in hand, or next", "ticks in which the cores wait, with the operator in hand or next: {}", "", _CHAIN)  # fmt: skip
DEPENDENCY = Row("DEPENDENCIES: the cores are free, and what is next needs this operator", "ticks in which the cores are free and others need this operator: {}", "", _CHAIN)  # fmt: skip

ROWS: dict[str, Row] = {
    ARITHMETIC: Row("MODEL", "faults of the model's own arithmetic: units, a sum over one layer of many, layers that count twice", "model with its arithmetic right − model", "none: two closed forms"),
    MODEL: Row("MODEL", "what the model counts beside shots, taken back: bounds by memory, vector operators, terms of the trace", "compute part of the model − model with its arithmetic right; the compute part is what the model says of shots, else macs / peak", "none: the model alone"),
    MAPPING: Row("CORES", "shots beyond those that the model counts: blocks are whole at the edges of operands, tiles go without rows, both signs pass", "ticks of shots − compute part of the model", _SPOKEN),
    **{cause.value: Row("CORES", "ticks of the cores at work in which {}", "", _SPOKEN) for cause in _OF_CORES},
    **{cause.value: STALL for cause in STALLS},
    WORK: Row("DPU", "the work of the DPU's lanes, whether the cores wait for it or not", "busy ticks of the lanes − compute part of the model, if it tells one", "records of dpu.lanes"),
    OVERLAP: Row("DPU", "a credit: work of the DPU's lanes for which the cores do not wait", "ticks in which the cores wait for the lanes − busy ticks of the lanes", _CHAIN),
    **{f"{SERIAL}{cause.value}": DEPENDENCY for cause in STALLS if cause is not Cause.DPU},
    Cause.DISPATCH.value: Row("CONTROLLER", "ticks in which the cores wait and {}", "", _CHAIN),
}  # fmt: skip
"""Each row of a ledger; model + Σ rows = simulation."""

ATTRIBUTED: dict[str, Row] = {
    COMPUTE: Row("CORES", "ticks of the cores at work in which {}", "", _SPOKEN),
    f"{SERIAL}{Cause.DPU.value}": DEPENDENCY,
}
"""Rows of an attribution that a ledger tells as `mapping`, and as `dpu_work` and `overlap`."""


ALL: dict[str, Row] = {
    COMPUTE: ATTRIBUTED[COMPUTE],
    **{name: row for name, row in ROWS.items() if name != Cause.DISPATCH},
    **{name: row for name, row in ATTRIBUTED.items() if name != COMPUTE},
    Cause.DISPATCH.value: ROWS[Cause.DISPATCH.value],
}
"""Both, in the order in which they are read."""


def summed(lines: Iterable[Mapping[str, Fraction]]) -> dict[str, Fraction]:
    """Sums by row over lines, in the order in which rows are read, without those that are 0; raises KeyError for what is no row."""
    sums = dict.fromkeys(ALL, Fraction(0))
    for line in lines:
        for name, value in line.items():
            sums[name] += value
    return {name: value for name, value in sums.items() if value}


def cause_of(row: str) -> str | None:
    """The root cause that a row is named by; None for one that is not."""
    name = row.removeprefix(SERIAL)
    return name if name in set(Cause) else None
