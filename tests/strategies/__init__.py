"""Random traces and machines, in one place: small enough for the per-tick reference, odd enough to find edges."""

from strategies.causal import ODD, Causal, causals
from strategies.coarse import coarse_machines, slack_machines, tight_machines
from strategies.machines import Machine, machines
from strategies.programs import Program, Step, programs
from strategies.runs import OPTIONS, fetching, runs
from strategies.traces import traces

__all__ = [
    "ODD",
    "OPTIONS",
    "Causal",
    "Machine",
    "Program",
    "Step",
    "causals",
    "coarse_machines",
    "fetching",
    "machines",
    "programs",
    "runs",
    "slack_machines",
    "tight_machines",
    "traces",
]
