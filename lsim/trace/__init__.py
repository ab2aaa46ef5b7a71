"""What must be computed: operators and tensors, their files, and the models that come with lsim."""

from lsim.trace.files import list_traces, load_trace, load_workload, loads, save
from lsim.trace.generation import Generation
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace
from lsim.trace.text import dumps

__all__ = [
    "Generation",
    "Kind",
    "Operator",
    "Role",
    "Tensor",
    "Trace",
    "dumps",
    "list_traces",
    "load_trace",
    "load_workload",
    "loads",
    "save",
]
