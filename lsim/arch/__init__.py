"""The machine that runs a workload: its parameters, their sources, and what they come to in ticks.

Read `compute`, `memory` and `control` for the parameters, `timing` for what follows from them, `spec` for an
architecture as a whole and `files` for how it is written down.
"""

from lsim.arch.compute import ARBITRATIONS, CORE_KINDS, DPU_FUNCTIONS
from lsim.arch.files import dump_arch, list_archs, load_arch
from lsim.arch.ideal import IDEALS, UNBOUNDED, UNBOUNDED_BYTES
from lsim.arch.memory import MATCHED
from lsim.arch.spec import PROVENANCE, Arch, Assumption, Provenance, Row

__all__ = [
    "ARBITRATIONS",
    "CORE_KINDS",
    "DPU_FUNCTIONS",
    "IDEALS",
    "MATCHED",
    "PROVENANCE",
    "UNBOUNDED",
    "UNBOUNDED_BYTES",
    "Arch",
    "Assumption",
    "Provenance",
    "Row",
    "dump_arch",
    "list_archs",
    "load_arch",
]
