"""Are the sums up to a tick those over the unfolded run?"""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Machine, machines, traces
from unfold import records

from lsim import simulate
from lsim.errors import InputError
from lsim.kernel.labels import Kind
from lsim.results.running import running_records, running_ticks
from lsim.trace import Trace


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(traces(layers=6), machines(groups=("1", "2")), st.sampled_from(Kind), st.data())
def test_are_ticks_and_records_up_to_a_tick_those_of_the_unfolded_run(
    trace: Trace, machine: Machine, kind: Kind, data: st.DataObject
) -> None:
    try:
        result = simulate(trace, machine.arch)
    except InputError:
        assume(False)
        return
    log = result.log
    part = data.draw(st.sampled_from(range(len(log.parts))))
    tick = data.draw(st.integers(0, log.end))
    found = records(result, part)
    states = [(0, log.initial[part]), *((when, code) for when, code, _ in found)]
    ends = [when for when, _ in states[1:]] + [log.end]
    spent = sum(
        max(0, min(tick, b) - a)
        for (a, code), b in zip(states, ends, strict=True)
        if log.labels[code].kind is kind
    )
    assert running_ticks(log, part, kind).until(tick) == spent
    assert running_records(log, [part]).until(tick) == sum(when <= tick for when, _, _ in found)
