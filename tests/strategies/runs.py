"""Random work on random machines, and its results."""

from __future__ import annotations

from hypothesis import assume, reject
from hypothesis import strategies as st
from pytest import MonkeyPatch
from small import attention, machine

from lsim import simulate
from lsim.arch import Arch
from lsim.errors import InputError
from lsim.kernel import cursor, fold
from lsim.results.result import Result
from lsim.trace import Trace
from strategies.machines import machines, one_of_each
from strategies.traces import traces

OPTIONS = st.fixed_dictionaries(
    {
        "mapping": st.sampled_from(["lockstep", "head-parallel"]),
        "deps": st.sampled_from(["barrier", "chunked"]),
        "step": st.sampled_from(["block", "block", "shot"]),
    }
)
MOST = 30_000  # ticks of a run that is looked at tick by tick


@st.composite
def runs(draw: st.DrawFn) -> Result:
    """The result of a run of 1 to `MOST` ticks, folded wherever it can be, some with folds in folds."""
    options = draw(OPTIONS)
    if draw(st.integers(0, 2)):
        work, arch = draw(repeating())
    else:
        work, arch = draw(traces(layers=6, size=20)), draw(machines(groups=("1", "2", "4"))).arch
    with MonkeyPatch.context() as patch:
        patch.setattr(cursor, "WORTH_FOLDING", 2)
        patch.setattr(fold, "WORTH_AN_ANCHOR", 1)
        try:
            result = simulate(work, arch, **options)
        except InputError:
            reject()
    assume(0 < result.ticks <= MOST)
    return result


@st.composite
def repeating(draw: st.DrawFn) -> tuple[Trace, Arch]:
    """Attention blocks on a machine with room for them: layers, heads and row passes that settle."""
    size = {name: draw(st.integers(*bounds)) for name, bounds in _REPEATING_SIZES.items()}
    settings = {name: draw(st.sampled_from(values)) for name, values in _REPEATING_SETTINGS.items()}
    return attention(**size), machine(global_sram__capacity="64 KiB", **settings)


_REPEATING_SIZES = {"tokens": (14, 20), "heads": (3, 4), "size": (2, 4), "blocks": (2, 3)}
_REPEATING_SETTINGS = {
    "broadcast__groups": ["1", "2"],
    "core__cores": ["1", "2"],
    "global_sram__groups": ["1", "2"],
    "global_sram__ports": ["1", "2"],
    "hbm__channels": ["1", "3"],
    "encoder__sample_rate": ["1 GHz", "500 MHz"],
    "readout__conversion": ["0 ticks", "3 ticks", "7 ticks"],
    "readout__integrate": ["1", "3"],
}

FETCHES = one_of_each(
    hbm__channels=["1"],
    hbm__transaction=["4 B", "8 B", "64 B"],
    hbm__latency=["1 ns", "5 ns"],
    hbm__bandwidth=["8 GB/s", "64 GB/s"],
    global_sram__clock=["50 MHz", "500 MHz"],
)
"""Settings of machines of which some fetch pieces faster than they write them into the SRAM."""


@st.composite
def fetching(draw: st.DrawFn) -> tuple[Trace, Arch]:
    """Work on a machine of one channel of HBM, in which pieces may wait to be written into the SRAM."""
    if draw(st.booleans()):
        work, arch = draw(repeating())
    else:
        work, arch = draw(traces(size=20)), draw(machines()).arch
    return work, arch.with_settings(draw(FETCHES))
