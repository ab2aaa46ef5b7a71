"""Where in the loops of its operator does an item stand? Told by counting the loops out one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from small import attention, gemm, machine, trace, vector
from strategies import Machine, machines, traces

from lsim.errors import InputError
from lsim.kernel.cursor import Cursor
from lsim.kernel.program import leaves
from lsim.plan.items import Block, Lanes
from lsim.plan.places import Item, item_at
from lsim.plan.schedule import Deps, Plan, plan
from lsim.plan.tiling import Tiling
from lsim.trace import Kind, Trace
from lsim.units import ceil_div

RUNS = settings(max_examples=15, suppress_health_check=list(HealthCheck))


def blocks(t: Tiling) -> Iterator[dict[str, int]]:
    """The counters at every block of a GEMM, in the order of the loops."""
    for head in range(t.heads):
        for panel, size in enumerate(t.outer):
            for row_pass in range(t.passes):
                for inner in range(ceil_div(size, t.inner)):
                    first = inner * t.inner
                    for chunk in range(len(t.chunks)):
                        for block in range(first, min(size, first + t.inner)):
                            column = sum(t.outer[:panel]) + block
                            yield {"head": head, "outer_panel": panel, "row_pass": row_pass, "inner_panel": inner, "chunk": chunk, "column_block": column}  # fmt: skip


def items(planned: Plan, part: str) -> Iterator[tuple[Item, object]]:
    """What is said of every item of a part's program, and the item."""
    cursor = Cursor(planned.programs[part])
    while cursor.leaf is not None:
        told = item_at(planned, part, cursor.n)
        assert told is not None
        yield told, cursor.item
        cursor.advance()


@RUNS
@given(traces(), machines())
def test_where_does_every_block_stand(work: Trace, drawn: Machine) -> None:
    try:
        planned = plan(work, drawn.arch)
    except InputError:
        return
    if sum(times for times, _ in leaves(planned.programs.get("core", planned.programs["retire"]))) > 3000:
        return
    if "core" in planned.programs:
        told = [item for item, _ in items(planned, "core")]
        expected = [(name, place) for name, t in planned.tilings.items() for place in blocks(t)]
        assert [(item.operator, item.place) for item in told] == expected
    for part in planned.programs.keys() - {"controller", "retire"}:
        _in_order(list(items(planned, part)))
    assert item_at(planned, "retire", len(planned.units)) is None
    assert item_at(planned, "gb0", 0) is None


def _in_order(told: list[tuple[Item, object]]) -> None:
    """Items count up from 0 to the last, and their places follow the loops."""
    for (one, _), (other, _) in pairwise(told):
        if other.operator == one.operator:
            assert other.index == one.index + 1
            assert list(other.place.values()) >= list(one.place.values())
        else:
            assert (one.index, other.index) == (one.items - 1, 0)


def test_how_much_of_a_softmax_is_in_each_row_pass() -> None:
    planned = plan(
        attention(tokens=10, heads=2), machine(dpu__slot="5 B")
    )  # rows are longer than a slot: two sweeps
    written: Counter[tuple[int, int]] = Counter()
    for item, lanes in items(planned, "dpu.lanes"):
        if item.operator == "make p0" and isinstance(lanes, Lanes) and lanes.writes:
            written[item.place["head"], item.place["row_pass"]] += lanes.elements
    assert written == {
        (head, row_pass): 10 * rows for head in (0, 1) for row_pass, rows in enumerate((4, 4, 2))
    }


@pytest.mark.parametrize("lag", ["0", "1", "5"])
def test_whose_is_a_block_where_two_operators_take_turns(lag: str) -> None:
    wide = [vector(Kind.NORM, [one], other, 60, 40) for one, other in (("i", "room"), ("room", "room2"))]
    made = [vector(Kind.NORM, [f"i{name}"], name, 10, 8) for name in "qkv"]
    scores, softmax = (
        gemm("q", "k", "s", 10, 4, 10, heads=2),
        vector(Kind.SOFTMAX, ["s"], "p", 10, 10, heads=2),
    )
    work = trace(*wide, *made, scores, softmax, gemm("p", "v", "a", 10, 10, 4, heads=2))
    planned = plan(work, machine(global_sram__capacity="64 KiB", controller__lag=lag), deps=Deps.CHUNKED)
    assert planned.turns
    places: dict[str, list[dict[str, int]]] = {"make s": [], "make a": []}
    for item, block in items(planned, "core"):
        assert isinstance(block, Block)
        assert item.operator == (
            "make s" if block.depth == 4 else "make a"
        )  # S·V: 10 tokens, in chunks of 8 and 2
        places[item.operator].append(dict(item.place))
    assert places == {name: list(blocks(planned.tilings[name])) for name in places}
