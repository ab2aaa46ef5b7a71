"""What must be computed: operators and tensors, their files, and the models that come with lsim."""

from lsim.trace.files import list_traces, load_trace, loads, save
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace
from lsim.trace.text import dumps

__all__ = [
    "Kind",
    "Operator",
    "Role",
    "Tensor",
    "Trace",
    "dumps",
    "list_traces",
    "load_trace",
    "loads",
    "save",
]
