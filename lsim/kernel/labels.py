"""What a part can be said to do: the closed list of causes, and the labels that the log is written in."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

from attrs import frozen


class Cause(StrEnum):
    """Why time passes. Root causes all end in one of these; there is no "other"."""

    COMPUTE = "compute"
    FEED = "feed"
    ADC = "adc"
    RELOAD = "reload"
    READOUT = "readout"
    M1_FILL = "m1_fill"
    M2_FILL = "m2_fill"
    PARTIAL_SUMS = "partial_sums"
    DRAIN = "drain"
    DPU = "dpu"
    DPU_READ = "dpu_read"
    DPU_WRITE = "dpu_write"
    HBM_M1 = "hbm_m1"
    HBM_M2 = "hbm_m2"
    HBM_DPU = "hbm_dpu"
    HBM_OUT = "hbm_out"
    HBM_LATENCY = "hbm_latency"
    STAGING = "staging"
    BROADCAST = "broadcast"
    SWITCH = "switch"
    DISPATCH = "dispatch"
    EDGE = "edge"
    DONE = "done"


class Kind(IntEnum):
    """Busy: serving its own work. Waiting: for another part, for work or for room. Idle: until the controller issues work."""

    BUSY = 0
    WAIT = 1
    IDLE = 2


@frozen
class Label:
    """One state of one part.

    `cause`: what a busy part's time is spent on (and so what whoever waits for it waits for).
    `target`: the part that a waiting or idle part waits for; None if `cause` says it all.
    `amounts`: what one occurrence of the state counts, as (counter, quantity) pairs: bytes, shots, MACs.
    `pattern`: of a core's state, (how its ticks divide, tiles that have work); see `lsim.parts.readout.Pattern`, where None
    means that all of them are `cause`.
    """

    kind: Kind
    cause: Cause | None = None
    target: int | None = None
    amounts: tuple[tuple[str, int], ...] = ()
    pattern: tuple[Any, int] | None = None


class Labels:
    """Labels as small integers, so that two states of the machine compare as two lists of integers."""

    def __init__(self) -> None:
        self.all: list[Label] = []
        self._codes: dict[Label, int] = {}

    def code(self, label: Label) -> int:
        known = self._codes.get(label)
        if known is None:
            known = self._codes[label] = len(self.all)
            self.all.append(label)
        return known
