"""Does a run count what its items say that they count?"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Machine, machines, traces

from lsim.errors import InputError
from lsim.kernel.program import leaves
from lsim.plan.places import program_of
from lsim.simulate import checked, made, run
from lsim.trace import Trace


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    traces(),
    machines(groups=("1", "2")),
    st.sampled_from([None, "head-parallel", "m1-stationary"]),
    st.sampled_from(["block", "block", "shot"]),
)
def test_is_what_a_run_counts_that_of_its_items(
    work: Trace, machine: Machine, mapping: str | None, step: str
) -> None:
    try:
        how = checked(machine.arch, mapping=mapping, deps="barrier", ideal=[], fold=True, step=step)
        one = made(work, how)
    except InputError:
        assume(False)
    counted: Counter[str] = Counter()
    for name, process in one.processes.items():
        program = one.plan.programs.get(program_of(name))
        for times, item in leaves(program) if program else ():
            for code in process.counts(item):
                for what, quantity in one.env.labels.all[code].amounts:
                    counted[what] += times * quantity
    amounts = run(one, how, 0.0).statistics.amounts
    assert {what: n for what, n in amounts.items() if n} == {what: n for what, n in counted.items() if n}
