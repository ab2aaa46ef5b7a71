"""Are the bytes of operators those that the log counted?"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from small import attention, layers, linear, machine
from strategies import Machine, machines, traces

from lsim import load_arch, simulate
from lsim.errors import InputError
from lsim.kernel.cursor import Cursor
from lsim.plan.items import Drain, Fill, Piece
from lsim.plan.schedule import Plan
from lsim.results.traffic import traffic
from lsim.trace import Trace

RUNS = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def walked(plan: Plan) -> list[tuple[int, int]]:
    """HBM and global SRAM bytes of each unit, item by item."""
    sums = [(0, 0) for _ in plan.units]
    for process, program in plan.programs.items():
        cursor, unit = Cursor(program), 0
        while cursor.item is not None:
            while plan.ends[process][unit] <= cursor.n:
                unit += 1
            hbm, sram = sums[unit]
            item = cursor.item
            if isinstance(item, Piece):
                hbm, sram = hbm + item.bytes, sram + item.bytes
            elif isinstance(item, Fill):
                sram += item.bytes
            elif isinstance(item, Drain):
                sram += item.reads + item.writes
            sums[unit] = hbm, sram
            cursor.advance()
    return sums


@RUNS
@given(traces(), machines())
def test_do_the_bytes_of_units_sum_to_those_of_the_log(trace: Trace, machine: Machine) -> None:
    try:
        result = simulate(trace, machine.arch)
    except InputError:
        return
    moved, counted = traffic(result.plan), result.bytes()
    assert sum(unit.hbm for unit in moved) == sum(counted["hbm"].values())
    assert sum(unit.global_sram for unit in moved) == sum(counted["global_sram"].values())
    assert [(unit.hbm, unit.global_sram) for unit in moved] == walked(result.plan)


@pytest.mark.parametrize("deps", ["barrier", "chunked"])
def test_are_bytes_whole_with_every_policy(deps: str) -> None:
    result = simulate(attention(tokens=24, blocks=2), machine(), deps=deps)
    assert sum(unit.hbm for unit in traffic(result.plan)) == sum(result.bytes()["hbm"].values())


def test_count_partial_sums_that_go_and_come_back() -> None:
    """Two chunks of a GEMM whose act slots are small: its sums go to the global SRAM and are read again for the second."""
    small = machine(
        global_sram__m1_staging="32 B", global_sram__psum_staging="512 B", global_sram__out_staging="1 KiB",
        global_sram__capacity="1697 B",
    )  # fmt: skip
    result = simulate(linear(4, 16, 64), small)
    assert not result.plan.tilings["make o"].keep
    (moved,) = traffic(result.plan)
    assert moved.global_sram == sum(result.bytes()["global_sram"].values())
    assert [(moved.hbm, moved.global_sram)] == walked(result.plan)


def test_moves_a_linear_layer_its_weights_once() -> None:
    """Weights of 48 × 48 at 4 bit are 1,152 B; on LT-B one pass over 48 rows takes them all, and nothing is spilled."""
    result = simulate(layers(3, size=48, tokens=12), load_arch("lt-b-4bit"))
    first, second, last = traffic(result.plan)
    activations = 48 * 12 // 2
    assert second.hbm == 48 * 48 // 2
    assert first.hbm == 48 * 48 // 2 + activations  # and the input of the model
    assert last.hbm == 48 * 48 // 2 + activations  # and its output
