"""Operators of PyTorch without a rule: refused by name, or kept as data movement."""

from math import gcd

from lsim.errors import TraceError
from lsim.extract.graph import Data
from lsim.extract.recording import Call
from lsim.extract.state import State
from lsim.trace.ir import UNKNOWN, Kind


def unknown(s: State, call: Call) -> None:
    """An operator without a rule: refused, or kept as data movement."""
    if not s.allow_unknown:
        problem = (
            f"{call.name}: an operator that lsim does not know; --allow-unknown keeps it as data movement"
        )
        raise TraceError(problem, place=call.place.module)
    operands = [s.operand(data) for data in map(s.get, call.refs) if data]
    together = [part for operand in operands for part in operand]
    for out in call.outputs:
        columns = gcd(out.elements, *(part.elements for part in together))
        sizes = (1, out.elements // columns, columns)
        op = s.emit(Kind.OPAQUE, [tuple(together)], sizes, f"{UNKNOWN}{call.name}")
        s.set(out, Data(tuple(op.outputs)))
    s.opaque.append(call.name)
