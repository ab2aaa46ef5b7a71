"""The closed list of contention sources that can be idealised: made free and unbounded, by name."""

from collections.abc import Iterable
from typing import Final

from lsim.errors import ArchError

IDEALS: Final = {
    "hbm": "HBM: no latency, no service time, any number of pieces in flight",
    "gb": "global SRAM: serves in 0 ticks, without arbitration",
    "capacity": "global SRAM capacity: holds everything, nothing spills",
    "feed": "operand feed: one shot a tick whatever the ports and encoders",
    "reload": "held operands: written in no time",
    "adc": "readout: no conversion interval, no latency",
    "broadcast": "broadcast: a stream for every group that reaches every tile, no switch, no propagation",
    "act": "activation SRAM: any number of slots, so no spilled partial sums and no wait for a drain",
    "dpu": "digital processing unit: 0 ticks for any function",
    "dispatch": "controller: 0 ticks to issue an operator",
    "m1": "M1 SRAM: any number of slots",
    "m2": "M2 SRAM: any number of slots",
}

# Finite, so that counters and arithmetic stay integers; beyond what any run can fill.
UNBOUNDED: Final = 1 << 30
UNBOUNDED_BYTES: Final = 1 << 60


def checked_ideal(names: Iterable[str]) -> frozenset[str]:
    """The names as a set; raises ArchError for one that is not in the list."""
    chosen = frozenset(names)
    for name in sorted(chosen - IDEALS.keys()):
        raise ArchError(f"{name!r} cannot be idealised", file="--ideal", known=IDEALS, given=name)
    return chosen
