"""Is a program that is never unrolled the list of items that it stands for? Checked against lists written out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsim.kernel import cursor as cursors
from lsim.kernel.cursor import Cursor
from lsim.kernel.program import Builder, Program, leaves

Sketch = str | tuple[int, "Sketch"] | list["Sketch"]
"""An item; how often and what; or what comes one after another."""

SKETCHES: st.SearchStrategy[Sketch] = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.tuples(st.integers(1, 4), inner) | st.lists(inner, min_size=1, max_size=4),
    max_leaves=8,
)


def built(sketch: Sketch, builder: Builder) -> Program:
    if isinstance(sketch, str):
        return builder.leaf(sketch)
    if isinstance(sketch, tuple):
        return builder.repeat(sketch[0], built(sketch[1], builder))
    return builder.seq(*(built(part, builder) for part in sketch))


def written(sketch: Sketch) -> str:
    """The items one after another."""
    if isinstance(sketch, str):
        return sketch
    if isinstance(sketch, tuple):
        return sketch[0] * written(sketch[1])
    return "".join(written(part) for part in sketch)


def walked(cursor: Cursor) -> str:
    found = []
    while cursor.leaf is not None:
        found.append(cursor.item)
        cursor.advance()
    return "".join(found)


@given(SKETCHES)
def test_does_a_cursor_walk_what_is_written(sketch: Sketch) -> None:
    program = built(sketch, Builder())
    assert walked(Cursor(program)) == written(sketch)
    assert program.size == len(written(sketch))


@given(SKETCHES)
def test_do_leaves_count_what_is_written(sketch: Sketch) -> None:
    counted = dict.fromkeys("abc", 0)
    for times, item in leaves(built(sketch, Builder())):
        counted[item] += times
    assert counted == {item: written(sketch).count(item) for item in "abc"}


@given(SKETCHES)
def test_are_equal_programs_one_object(sketch: Sketch) -> None:
    builder = Builder()
    assert built(sketch, builder) is built(sketch, builder)
    assert built([sketch, sketch], builder) is built((2, sketch), builder)


@given(SKETCHES, st.data())
def test_does_a_skip_land_where_walking_does(sketch: Sketch, data: st.DataObject) -> None:
    items = written(sketch)
    cursor = Cursor(built(sketch, Builder()))
    at = data.draw(st.integers(0, len(items) - 1))
    for _ in range(at):
        cursor.advance()
    ahead = data.draw(st.integers(0, len(items) - 1 - at))
    cursor.skip(ahead)
    assert cursor.n == at + ahead
    assert walked(cursor) == items[at + ahead :]


@pytest.mark.parametrize("long", [3, 1000])
@given(sketch=SKETCHES)
def test_does_a_loop_that_comes_round_say_so(long: int, sketch: Sketch) -> None:
    """What follows is what came an iteration ago, to the end of the iteration; a phase is a place within it."""
    items = written((3, [sketch, "d"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursors, "LONG", long)
        patch.setattr(cursors, "WORTH_FOLDING", 1)
        cursor = Cursor(built((3, [sketch, "d"]), Builder()))
        rounds = 0
        while cursor.leaf is not None:
            cursor.advance()
            loop = cursor.loop
            if loop is None or cursor.leaf is None:
                continue
            into = (cursor.n - loop.start) % loop.items
            assert (into == 0) == (loop.phase == 0)
            assert items[cursor.n - into : cursor.n] == items[loop.start : loop.start + into]
            if not loop.phase:
                assert items[cursor.n : cursor.n + loop.items] == items[cursor.n - loop.items : cursor.n]
            rounds += (loop.start, loop.items, loop.phase) == (0, len(items) // 3, 0)
    assert rounds == 2


def periods(items: str, start: int, step: int) -> int:
    """The largest N for which items [start + k·step, start + (k+1)·step] are equal for k = 0..N; both ends included."""
    first = items[start : start + step + 1]
    n = 0
    while items[start + (n + 1) * step : start + (n + 2) * step + 1] == first:
        n += 1
    return n


@given(SKETCHES, st.integers(1, 4), st.data())
@settings(max_examples=300)
def test_how_often_do_programs_repeat(sketch: Sketch, times: int, data: st.DataObject) -> None:
    """`repeats` may say less than there is, of one loop alone; `repeats_beyond` says all, up to what is enough."""
    whole = [(times, sketch), sketch, "a"]
    items = written(whole)
    cursor = Cursor(built(whole, Builder()))
    start = data.draw(st.integers(0, len(items) - 2))
    step = data.draw(st.integers(1, len(items) - 1 - start))
    enough = data.draw(st.integers(0, 6))
    there = periods(items, start, step)
    assert cursor.repeats(start, step) <= there
    assert min(cursor.repeats_beyond(start, step, enough), enough) == min(there, enough)


@given(SKETCHES, st.integers(2, 9))
def test_does_a_loop_alone_know_all_its_repeats(sketch: Sketch, times: int) -> None:
    """From a loop's beginning: all iterations but the first two, as the item after the last is not the loop's."""
    cursor = Cursor(built([(times, [sketch, "d"]), "e"], Builder()))
    assert cursor.repeats(0, len(written(sketch)) + 1) == times - 2


@given(SKETCHES, st.data())
@settings(max_examples=200)
def test_are_two_stretches_equal(sketch: Sketch, data: st.DataObject) -> None:
    items = written([sketch, sketch])
    cursor = Cursor(built([sketch, sketch], Builder()))
    one, other = (data.draw(st.integers(0, len(items) - 1)) for _ in range(2))
    length = data.draw(st.integers(0, len(items) - max(one, other)))
    assert cursor.equal(one, other, length) == (items[one : one + length] == items[other : other + length])


@given(st.integers(1, 30), st.integers(1, 12))
def test_is_a_cut_a_cut(total: int, size: int) -> None:
    builder = Builder()
    program = builder.cut(total, size, lambda n, first, last: builder.leaf((n, first, last)))
    cursor, found = Cursor(program), []
    while cursor.leaf is not None:
        found.append(cursor.item)
        cursor.advance()
    lengths = [min(size, total - at) for at in range(0, total, size)]
    assert found == [(n, i == 0, i == len(lengths) - 1) for i, n in enumerate(lengths)]


@given(st.integers(0, 9))
def test_does_a_loop_know_its_first_and_last(count: int) -> None:
    builder = Builder()
    program = builder.loop(count, lambda first, last: builder.leaf("f" * first + "l" * last + "x"))
    assert walked(Cursor(program)) == "".join(
        "f" * (i == 0) + "l" * (i == count - 1) + "x" for i in range(count)
    )
    assert len(list(leaves(program))) <= 3


def test_is_a_program_of_nothing_nothing() -> None:
    builder = Builder()
    empty = [
        builder.empty,
        builder.seq(),
        builder.repeat(0, builder.leaf("a")),
        builder.repeat(3, builder.empty),
        builder.loop(0, lambda *_: builder.leaf("a")),
    ]
    assert {id(program) for program in empty} == {id(builder.empty)}
    assert walked(Cursor(builder.empty)) == ""
