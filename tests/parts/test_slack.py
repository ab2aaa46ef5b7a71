"""Is a longer service by HBM that is said to go unnoticed noticed by nobody?"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, reject, settings
from hypothesis import strategies as st
from small import attention, machine
from strategies import fetching

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.kernel import cursor, fold
from lsim.kernel.log import Fold
from lsim.parts.slack import Pieces, Slack, _Walk, can_tell
from lsim.results.result import Result
from lsim.simulate import checked, made, run
from lsim.trace import Trace


class Replay:
    """A trace on a machine, with some pieces served by HBM for longer."""

    def __init__(self, work: Trace, arch: Arch, **options: Any) -> None:
        self.how = checked(
            arch,
            **{"mapping": None, "deps": "barrier", "ideal": [], "fold": True, "step": "block", **options},
        )
        self.work = work
        self.machine = made(work, self.how)
        self.result = run(self.machine, self.how, 0.0)
        self.slack = Slack(self.machine)

    def longer(self, growths: Mapping[Pieces, int]) -> Result:
        other = made(self.work, self.how)
        for (name, size), more in growths.items():
            ticks = other.processes[name].hbm.ticks
            other.processes[name].hbm = SimpleNamespace(
                ticks=lambda n, ticks=ticks, size=size, more=more: ticks(n) + more * (n == size)
            )
        return run(other, self.how, 0.0)

    def hides(self, growths: Mapping[Pieces, int]) -> bool:
        return self.slack.hides({key: {more: self.slack.pieces[key]} for key, more in growths.items()})


def times(result: Result, served: int = 0) -> object:
    """All that has to do with time and causes, had the channel of HBM been busy so many ticks longer."""
    operators = [(o.name, o.start, o.end) for o in result.operators]
    parts = {name: (part.busy, part.idle, dict(part.waiting)) for name, part in result.parts().items()}
    busy, idle, waiting = parts["hbm0"]
    parts["hbm0"] = busy + served, idle - served, waiting
    return result.ticks, result.tiles(), parts, operators


@st.composite
def replays(draw: st.DrawFn) -> Replay:
    work, arch = draw(fetching())
    deps, step = draw(st.sampled_from(["barrier", "chunked"])), draw(st.sampled_from(["block", "shot"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "WORTH_FOLDING", 2)
        patch.setattr(fold, "WORTH_AN_ANCHOR", 1)
        try:
            replay = Replay(work, arch, deps=deps, step=step)
        except InputError:
            reject()
    assume(can_tell(replay.machine) and replay.slack.pieces)
    return replay


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(replays(), st.data())
def test_is_nothing_noticed_that_is_said_to_be_hidden(replay: Replay, data: st.DataObject) -> None:
    pieces = [key for key, _ in replay.slack.pieces.most_common()[-4:]]  # of few the more is hidden
    chosen = data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=2, unique=True))
    growths = {key: data.draw(st.integers(1, 6)) for key in chosen}
    other = replay.longer(growths)
    served = sum(more * replay.slack.pieces[key] for key, more in growths.items())
    same = times(replay.result, served) == times(other)
    hidden = replay.hides(growths)
    event(
        f"{'hidden' if hidden else 'noticed'}, {'same' if same else 'other'} times, {replay.result.folds > 0}"
    )
    assert same or not hidden


def test_is_nothing_said_of_pieces_of_which_some_alone_take_longer_or_all_less_long() -> None:
    arch = machine(hbm__transaction="4 B", global_sram__clock="50 MHz", global_sram__capacity="64 KiB")
    replay = Replay(attention(15, 3, 3, 2), arch)
    hidden = [key for key in replay.slack.pieces if replay.hides({key: 1})]
    assert hidden
    for key in hidden:
        count = replay.slack.pieces[key]
        for growth in ({1: count - 1}, {1: count - 1, 2: 1}, {1: count - 1, 0: 1}, {-1: count}):
            assert not replay.slack.hides({key: growth})


@pytest.mark.parametrize("settings", [{"hbm__channels": "2"}, {"broadcast__groups": "2"}])
def test_is_nothing_told_where_the_log_does_not_say_whose_pieces_are_served(settings: dict[str, str]) -> None:
    how = checked(
        machine(**settings),
        mapping="head-parallel" if "broadcast__groups" in settings else None,
        deps="barrier",
        ideal=[],
        fold=True,
        step="block",
    )
    assert not can_tell(made(attention(8, 2, 4, 1), how))


# -- the walk, by hand: a latency of 3 ticks, one landing process, of index 7 ------------------------------------------------
LAND = 7


def walk(*pieces: tuple[int, int, int]) -> _Walk:
    """Pieces served: (tick, ticks, longer)."""
    walk = _Walk(3, {LAND})
    for piece in pieces:
        assert not walk.served(*piece, LAND)
    return walk


def test_is_a_late_piece_noticed_from_the_tick_on_at_which_it_is_looked_for() -> None:
    """Served from 10 to 14 and two ticks longer, it arrives at 19 rather than 17."""
    for looked_for, noticed in ((17, True), (18, True), (19, True), (20, False)):
        assert walk((10, 4, 2)).landed(looked_for, LAND, 0) is noticed


def test_is_a_piece_looked_for_once() -> None:
    w = walk((10, 4, 0), (14, 4, 2))
    assert not w.landed(17, LAND, 0)
    assert not w.landed(18, LAND, 0)  # its item does something else: no other piece is taken
    assert w.landed(21, LAND, 1)


def test_is_a_channel_late_until_it_has_been_idle_for_as_long() -> None:
    """Three ticks late at 14; the next pieces begin at 14, 15, 16, 17, 18: all are looked for when they arrive."""
    for begin, noticed in ((14, True), (15, True), (16, True), (17, False), (18, False)):
        w = walk((10, 4, 3), (begin, 4, 0))
        assert not w.landed(21, LAND, 0)
        w = walk((10, 4, 3), (begin, 4, 0))
        w.flying[LAND].popleft()
        assert w.landed(begin + 4 + 3, LAND, 1) is noticed


def test_add_up_pieces_that_are_served_for_longer() -> None:
    """1 + 1 tick: 24 rather than 22."""
    w = walk((10, 4, 1), (14, 5, 1))
    assert not w.landed(19, LAND, 0)
    assert w.landed(24, LAND, 1)
    w = walk((10, 4, 1), (14, 5, 1))
    w.flying[LAND].popleft()
    assert not w.landed(25, LAND, 1)


def test_is_it_noticed_if_a_piece_is_stored_late() -> None:
    assert walk((10, 4, 1)).served(14, 4, 0, None)
    assert not walk((10, 4, 1)).served(15, 4, 0, None)


def stretch(w: _Walk, at: int) -> bool:
    """Whether a stretch that began at entry 0 may happen again, twice, 20 ticks each."""
    return not w.stretch_again(at, Fold(0, 9, 2, 20, 20, (0,) * LAND + (1,), (0,) * 8))


def test_is_a_stretch_again_as_it_was_only_if_it_ends_as_late_as_it_begins() -> None:
    begins = walk()
    begins.stretch_begins(100, 0)
    assert not begins.served(110, 4, 1, LAND)
    assert not begins.landed(119, LAND, 0)
    assert stretch(begins, 120)
    late = walk()
    late.stretch_begins(100, 0)
    late.served(116, 4, 1, LAND)
    late.flying[LAND].clear()
    assert not stretch(late, 120)  # the channel is one tick late
    flies = walk()
    flies.stretch_begins(100, 0)
    flies.served(110, 4, 4, LAND)
    assert not stretch(flies, 120)  # a piece arrives after one more tick


def test_is_a_channel_as_late_after_a_stretch_that_happens_again() -> None:
    """Free at 104 rather than 103 in a stretch that begins at 100, and so 20 ticks later where it ends, and 60 after it happened twice more."""
    for begin, late in ((163, True), (164, False)):
        w = walk((99, 4, 1))
        w.flying[LAND].clear()
        w.stretch_begins(100, 0)
        w.served(119, 4, 1, LAND)
        w.flying[LAND].clear()
        assert stretch(w, 120)
        assert w.served(begin, 4, 0, None) is late


def test_do_pieces_on_their_way_move_with_a_stretch_that_happens_again() -> None:
    """One piece a stretch, served for two ticks longer, is on its way when the stretch ends; the last of them arrives at 167."""
    for looked_for, noticed in ((167, True), (168, False)):
        w = walk((98, 4, 2))
        w.stretch_begins(100, 0)
        assert not w.landed(110, LAND, 0)
        w.served(118, 4, 2, LAND)
        assert stretch(w, 120)
        assert not w.landed(160, LAND, 2)  # item 0, two stretches later: it has been looked for
        assert w.landed(looked_for, LAND, 3) is noticed
