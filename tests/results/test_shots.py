"""How many shots of a block lie in a part of it, also where a fold ends in the middle of one?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lsim.kernel.labels import Cause, Kind, Label
from lsim.kernel.log import CUT, FOLD, Fold
from lsim.parts.readout import Pattern
from lsim.results.cumulative import cumulative
from lsim.results.folded import FoldedLog
from lsim.results.shots import Shots, shots_before

PATTERNS = st.builds(
    Pattern, st.integers(1, 20), st.integers(1, 4), st.integers(1, 8), st.integers(0, 9), st.integers(0, 9)
)


@given(PATTERNS)
def test_is_every_tick_of_a_block_what_its_intervals_say(pattern: Pattern) -> None:
    spent = [cause for cause, ticks in pattern.intervals() for _ in range(ticks)]
    assert [pattern.cause_at(tick) for tick in range(pattern.ticks)] == spent
    numbers = [pattern.steps, pattern.feed, pattern.integrate, pattern.conversion, pattern.carry]
    ticks = np.arange(pattern.ticks + 1)
    columns = np.array([numbers] * len(ticks), dtype=np.int64).T
    counted = [spent[:tick].count(Cause.COMPUTE) for tick in ticks]
    assert shots_before(columns, ticks).tolist() == counted


def test_how_far_is_a_block_in_whose_middle_a_fold_ends() -> None:
    """Four blocks of four ticks from tick 1 on, shots in their second and fourth; a fold stands for what is done from 7 to 15."""
    counted = (("macs", 6), ("shots", 2), ("core_shots", 4), ("engine_shots", 2))
    block = Label(Kind.BUSY, Cause.COMPUTE, amounts=counted, pattern=(Pattern(2, 2, 1, 0, 0), 1))
    labels = Label(Kind.IDLE, Cause.DONE), block
    entries = [
        (0, 0, 0, 0), (1, 0, 1, 0), (3, CUT, 0, 0), (5, 0, 1, 1), (7, CUT, 0, 0),
        (7, FOLD, 0, 0), (15, CUT, 0, 0), (17, 0, 0, 4),
    ]  # fmt: skip
    fold = Fold(first=2, last=4, count=2, period=4, shift=4, steps=(1,), offsets=(1,))
    log = FoldedLog(np.array(entries, dtype=np.int64), (fold,), ("core",), labels, (0,), 18)
    shots = Shots(log, 0, wavelengths=4)
    before = cumulative(log, np.arange(19), shots)
    cores, macs = np.diff(before[:, 0]), np.diff(before[:, 2])
    assert np.flatnonzero(cores).tolist() == [2, 4, 6, 8, 10, 12, 14, 16]
    assert set(cores.tolist()) == {0, 2}
    assert macs[np.flatnonzero(macs)].tolist() == [4, 2] * 4  # the last shot of a block does what is left
