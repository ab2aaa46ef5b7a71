"""The machine that runs a workload: its parameters, their sources, and what they come to in ticks.

Read `compute`, `memory` and `control` for the parameters, `timing` for what follows from them, `devices` for what the
machine is built of, `link` and `power` for what follows from those, `spec` for an architecture as a whole and `files` for how
it is written down.
"""

from lsim.arch.compute import ARBITRATIONS, CORE_KINDS
from lsim.arch.devices import Devices
from lsim.arch.files import dump_arch, list_archs, load_arch
from lsim.arch.ideal import IDEALS, UNBOUNDED, UNBOUNDED_BYTES
from lsim.arch.link import LinkBudget, Loss, link_budget
from lsim.arch.memory import MATCHED
from lsim.arch.power import DevicePower, device_power, event_energy
from lsim.arch.spec import PROVENANCE, Arch, Assumption, Provenance, Row

__all__ = [
    "ARBITRATIONS",
    "CORE_KINDS",
    "IDEALS",
    "MATCHED",
    "PROVENANCE",
    "UNBOUNDED",
    "UNBOUNDED_BYTES",
    "Arch",
    "Assumption",
    "DevicePower",
    "Devices",
    "LinkBudget",
    "Loss",
    "Provenance",
    "Row",
    "device_power",
    "dump_arch",
    "event_energy",
    "link_budget",
    "list_archs",
    "load_arch",
]
