"""What each number on the page means."""

from __future__ import annotations

from collections.abc import Mapping

from lsim.kernel.labels import Cause
from lsim.results.meanings import CAUSES, UTILIZATION

_OTHERS: Mapping[str, str] = {
    "seconds": "length of the run: its ticks over the photonic clock",
    "ticks": "length of the run in cycles of the photonic clock: from tick 0 to the retirement of the last operator",
    "macs": "multiply-accumulates of the trace; padding, and the rows and columns that an operator does not have, do not count",
    "macs_a_second": "MACs of the trace over the length of the run",
    "busy": "the part serves: a core works on a block, a port on a request, a filler moves operands",
    "idle": "no work was issued to the part",
    "prolongs": "ticks from the retirement of the operators before it in the trace to its own: by how much it makes the run longer; "
    "operators retire in the order of the trace, so these ticks sum to the run",
    "own": "ticks in which the operator has its cores (or the DPU) for itself: from its issue, or the last block of the "
    "operator before it on the same cores if that is later, to its last result",
    "intensity": "MACs of an operator over the bytes it moves, reads and writes, all repetitions counted",
    "occupancy": "ticks in which at least one server of the port serves a request, over the ticks of the run",
    "bandwidth": "bytes in and out over what the memory could have moved in the run at its full rate",
}


def meaning(name: str) -> str:
    """The definition of a number or a cause, in one line without a full stop. Raises KeyError for an unknown name."""
    if name in UTILIZATION:
        return UTILIZATION[name]
    return _OTHERS[name] if name in _OTHERS else CAUSES[Cause(name)]
