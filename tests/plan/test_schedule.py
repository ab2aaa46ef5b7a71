"""Is every token that is given taken, are units what is said, and do passes take turns as they should?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import attention, gemm, machine, trace, vector
from strategies import Machine, machines, traces

from lsim.errors import InputError
from lsim.kernel.cursor import Cursor
from lsim.kernel.program import Builder, Program, leaves
from lsim.plan.items import Edge
from lsim.plan.schedule import Deps, plan
from lsim.plan.turns import interleave
from lsim.plan.units import fuse
from lsim.trace import Kind, Trace


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    traces(),
    machines(groups=("1", "2", "4")),
    st.sampled_from(["lockstep", "head-parallel"]),
    st.sampled_from(list(Deps)),
)
def test_is_every_token_that_is_given_taken(work: Trace, machine: Machine, mapping: str, deps: Deps) -> None:
    try:
        p = plan(work, machine.arch, mapping, deps)
    except InputError:
        assume(False)
    given_: Counter[Edge] = Counter()
    taken: Counter[Edge] = Counter()
    for program in p.programs.values():
        for times, item in leaves(program):
            given_.update(dict.fromkeys(getattr(item, "gives", ()), times))
            taken.update(dict.fromkeys(getattr(item, "needs", ()), times))
    assert given_ == taken
    assert given_.keys() <= p.givers.keys()
    for process, program in p.programs.items():
        for _, item in leaves(program):
            wanted = {process, f"{process}.ack"}
            assert all(p.givers[edge] in wanted for edge in getattr(item, "gives", ())), (
                "each token by its giver"
            )


@pytest.mark.parametrize("deps", list(Deps))
def test_is_each_operator_s_end_where_its_program_is(deps: Deps) -> None:
    """Ends of units grow, to the ends of the programs."""
    p = plan(attention(tokens=12, blocks=3), machine(), deps=deps)
    for process, program in p.programs.items():
        assert max(p.ends[process]) == program.size
        assert all(0 <= end <= program.size for end in p.ends[process])
        assert list(p.ends[process]) == sorted(p.ends[process])


# -- units -------------------------------------------------------------------------------------------------------------
def chains(work: Trace) -> list[int]:
    return [len(unit.operators) for unit in fuse(work)]


ACT, RES = vector(Kind.ACTIVATION, ["x"], "a", 4, 4), vector(Kind.RESIDUAL, ["a", "y"], "b", 4, 4)


def test_are_element_wise_neighbours_one_unit() -> None:
    (unit,) = fuse(trace(ACT, RES))
    assert (unit.reads, unit.outputs, unit.inner) == (("x", "y"), ("b",), {"a"})


@pytest.mark.parametrize(
    ("why", "work"),
    [
        ("somebody else reads what is between", trace(ACT, RES, vector(Kind.SOFTMAX, ["a"], "c", 4, 4))),
        ("another operator stands between", trace(ACT, vector(Kind.SOFTMAX, ["z"], "c", 4, 4), RES)),
        ("what is between is kept as a key", trace(ACT, RES, kv=("a",))),
        ("rows and columns differ", trace(vector(Kind.ACTIVATION, ["x"], "a", 2, 8), RES)),
        ("a softmax is not element-wise", trace(ACT, vector(Kind.SOFTMAX, ["a"], "b", 4, 4))),
        ("the second does not read the first", trace(ACT, vector(Kind.RESIDUAL, ["y", "z"], "b", 4, 4))),
        ("a GEMM is no vector operator", trace(gemm("w", "x", "a", 4, 4, 4), RES)),
    ],
)
def test_are_all_others_units_by_themselves(why: str, work: Trace) -> None:
    assert set(chains(work)) == {1}, why


# -- passes that take turns --------------------------------------------------------------------------------------------
def walked(program: Program) -> list[str]:
    cursor, found = Cursor(program), []
    while cursor.leaf is not None:
        found.append(cursor.item)
        cursor.advance()
    return found


RUNS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "a", "ab"])), min_size=1, max_size=4)


@given(RUNS, st.integers(0, 12), st.data())
def test_do_passes_take_turns(first: Sequence[tuple[int, str]], lag: int, data: st.DataObject) -> None:
    """F0 … F_lag, then S0 F_lag+1 S1 F_lag+2 …, and the rest of S; a pass of either may be empty."""
    ones = [text for count, text in first for _ in range(count)]
    twos = data.draw(st.lists(st.sampled_from(["", "x", "xy"]), min_size=len(ones), max_size=len(ones)))
    builder = Builder()

    def program(text: str) -> Program:
        return builder.seq(*map(builder.leaf, text))

    merged = interleave(
        [(n, program(text)) for n, text in first], [(1, program(text)) for text in twos], lag, builder
    )
    expected, end = "", 0
    for step in range(len(ones) + lag + 1):
        if step - lag - 1 >= 0:
            expected += twos[step - lag - 1] if step - lag - 1 < len(twos) else ""
        if step < len(ones):
            expected += ones[step]
            end = len(expected)
    assert "".join(walked(merged.program)) == expected
    assert merged.first_ends == end
