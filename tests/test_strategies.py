"""Are the random traces and machines of the tests such as users could have?"""

from __future__ import annotations

from hypothesis import given, settings
from strategies import Machine, machines, traces

from lsim.trace import Kind, Trace, dumps, loads


@settings(max_examples=50)
@given(traces())
def test_is_a_random_trace_one_that_a_file_can_hold(trace: Trace) -> None:
    """Reading it checks every size and name."""
    again = loads(dumps(trace))
    assert (again.operators, dict(again.tensors)) == (trace.operators, dict(trace.tensors))


@settings(max_examples=50)
@given(machines(groups=("1", "2", "4")))
def test_is_a_random_machine_one_that_loads(machine: Machine) -> None:
    arch = machine.arch
    assert arch.core.tiles % arch.broadcast.groups == 0
    assert arch.ideal == machine.ideal


def test_do_the_traces_have_what_is_hard() -> None:
    """Concatenated operands, fused outputs, an embedding first, grouped queries: each within two hundred examples."""
    seen: set[str] = set()

    @settings(max_examples=200, database=None, derandomize=True)
    @given(traces())
    def look(trace: Trace) -> None:
        for operator in trace.operators:
            seen.update(
                {operator.kind.value} | ({"joined"} if any(len(o) > 1 for o in operator.operands) else set())
            )
            whole = [
                sum(trace.tensors[t].elements for t in o) == operator.elements for o in operator.operands
            ]
            repeats = operator.kind in (Kind.RESIDUAL, Kind.MULTIPLY) and not all(whole)
            seen.update({"repeated"} if repeats else ())
            seen.update({"fused"} if len(operator.outputs) > 1 else ())
        seen.update({"embedding first"} if trace.operators[0].kind is Kind.EMBEDDING else ())

    look()
    assert seen >= {kind.value for kind in Kind} | {"joined", "fused", "repeated", "embedding first"}
