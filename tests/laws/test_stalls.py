"""Is each stall cause seen on a machine built to provoke it, and gone when the part to blame is ideal or large enough?"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import field, frozen
from small import attention, gemm, layers, linear, machine, only, trace, vector

from lsim import Result, simulate
from lsim.arch import IDEALS
from lsim.kernel.labels import Cause
from lsim.trace import Kind, Trace


@frozen
class Case:
    """A machine and a trace that provoke a cause, and what cures it.

    `real`: the sources of contention that are not ideal. `cures`: names of ideals, and settings, each of which by itself leaves
    nothing of the cause. `share`: the least part that the cause has of the ticks of some tile until it is done.
    """

    cause: Cause
    why: str
    trace: Trace
    real: tuple[str, ...]
    settings: Mapping[str, str]
    cures: tuple[str | Mapping[str, str], ...]
    mapping: str | None = None
    share: float = field(default=0.3)


HEADS = trace(gemm("q", "k", "s", 8, 8, 8, heads=4))
SPILLING = {
    "global_sram__m1_staging": "32 B", "global_sram__out_staging": "512 B", "global_sram__capacity": "737 B",
    "global_sram__line": "1 B", "global_sram__ports": "4",
}  # fmt: skip
CHAIN = trace(
    *(vector(Kind.SOFTMAX, [f"x{i}"], f"x{i + 1}", 8, 8) for i in range(4)), gemm("w", "x4", "o", 4, 8, 2)
)
KEYS = trace(gemm("w", "x", "k", 8, 2, 8), gemm("q", "k", "s", 4, 8, 8), kv=["k"])

CASES = (
    Case(Cause.FEED, "an M1 port of 1 B gives the 4 B of a step in 8 ticks",
         linear(8, 8, 8), ("feed",), {"m1_sram__port": "1 B"}, ("feed", {"m1_sram__port": "8 B"})),
    Case(Cause.FEED, "an M2 port of 1 B gives the 4 B of a step in 8 ticks",
         linear(8, 8, 8), ("feed",), {"m2_sram__port": "1 B"}, ("feed", {"m2_sram__port": "8 B"})),
    Case(Cause.FEED, "encoders at a quarter of the clock take 4 ticks a step",
         linear(8, 8, 8), ("feed",), {"encoder__sample_rate": "250 MHz"}, ("feed", {"encoder__sample_rate": "1 GHz"})),
    Case(Cause.ADC, "integrating a single shot, each waits for a conversion of 3 ticks",
         linear(8, 8, 8), ("adc",), {"readout__integrate": "1", "readout__latency": "0 ticks"},
         ("adc", {"readout__integrate": "3", "readout__conversion": "1 tick"})),
    Case(Cause.RELOAD, "a microring bank writes its rings for 20 ticks for each step of 8 columns",
         linear(8, 8, 8), ("reload",), {"core__kind": "mrr-bank", "core__columns": "1", "core__reload": "20 ns"}, ("reload",)),
    Case(Cause.READOUT, "layer after layer waits for results that take 40 ticks through the ADC",
         layers(4), ("adc",), {"readout__latency": "40 ticks"}, ("adc", {"readout__latency": "0 ticks"})),
    Case(Cause.READOUT, "a single act slot comes back only when its results have come through",
         linear(8, 2, 8), ("adc", "act"), {"readout__latency": "40 ticks", "act_sram__slots": "1"},
         ("adc", "act", {"act_sram__slots": "64"})),
    Case(Cause.READOUT, "light takes 40 ticks to the furthest tile",
         layers(4), ("broadcast",), {"broadcast__propagation": "40 ticks"}, ("broadcast", {"broadcast__propagation": "0 ticks"})),
    Case(Cause.M1_FILL, "with one column block, 16 B of M1 are read for every shot of each tile",
         linear(64, 8, 2), ("gb", "m1"), {"global_sram__ports": "4"}, ("gb",)),
    Case(Cause.M2_FILL, "with one row pass, M2 is read for each block",
         linear(4, 8, 64), ("gb", "m2"), {"global_sram__ports": "4", "global_sram__line": "1 B"}, ("gb",)),
    Case(Cause.PARTIAL_SUMS, "two chunks, and an act slot that holds no more than a panel of two blocks: sums go out and come back",
         linear(4, 16, 32), ("gb", "act", "capacity"), SPILLING,
         ("gb", "act", {"act_sram__slot": "128 B"})),
    Case(Cause.DRAIN, "one step a block: results come faster than the global SRAM takes them",
         linear(4, 2, 64), ("gb", "act"), {"global_sram__ports": "8"}, ("gb", {"global_sram__banks": "64", "act_sram__slots": "64"})),
    Case(Cause.DPU, "one lane works on what the last GEMM waits for",
         CHAIN, ("dpu",), {"dpu__lanes": "1"}, ("dpu", {"dpu__softmax": "0"})),
    Case(Cause.DPU_READ, "what the last GEMM waits for is read byte by byte",
         CHAIN, ("gb",), {"global_sram__line": "1 B"}, ("gb",)),
    Case(Cause.DPU_WRITE, "what the last GEMM waits for is written byte by byte, and only read once it is",
         CHAIN, ("gb",), {"global_sram__line": "1 B"}, ("gb",)),
    Case(Cause.HBM_M1, "the weights of each shot come through HBM at 1 B a tick",
         linear(64, 8, 2), ("hbm",), {"hbm__bandwidth": "1 GB/s"}, ("hbm",)),
    Case(Cause.HBM_M2, "the input of each shot comes through HBM at 1 B a tick",
         linear(4, 8, 64), ("hbm",), {"hbm__bandwidth": "1 GB/s"}, ("hbm",)),
    Case(Cause.HBM_DPU, "what the last GEMM waits for starts as an input in HBM",
         CHAIN, ("hbm",), {"hbm__bandwidth": "1 GB/s"}, ("hbm",)),
    Case(Cause.HBM_OUT, "keys are in place only when HBM has them",
         KEYS, ("hbm",), {"hbm__bandwidth": "1 GB/s"}, ("hbm",), share=0.2),
    Case(Cause.HBM_LATENCY, "one piece in flight, and 100 ticks for each",
         linear(64, 8, 2), ("hbm",), {"hbm__latency": "100 ns", "hbm__outstanding": "1"}, ("hbm", {"hbm__latency": "0 ns"})),
    Case(Cause.STAGING, "what comes from HBM is first written to a slow global SRAM",
         linear(64, 8, 2), ("gb",), {}, ("gb",)),
    Case(Cause.BROADCAST, "two groups share one stream",
         HEADS, ("broadcast",), {"core__tiles": "4", "broadcast__groups": "2"}, ("broadcast", {"broadcast__streams": "2"}), "head-parallel"),
    Case(Cause.BROADCAST, "four groups share two streams",
         HEADS, ("broadcast",), {"core__tiles": "4", "broadcast__groups": "4", "broadcast__streams": "2"},
         ("broadcast", {"broadcast__streams": "4"}), "head-parallel"),
    Case(Cause.SWITCH, "the stream turns between the groups at each block, and takes 20 ticks to",
         HEADS, ("broadcast",), {"core__tiles": "4", "broadcast__groups": "2", "broadcast__switch": "20 ticks"},
         ("broadcast", {"broadcast__switch": "0 ticks"}, {"broadcast__streams": "2"}), "head-parallel"),
    Case(Cause.DISPATCH, "a layer of 4 shots waits 40 ticks for its issue",
         layers(4), ("dispatch",), {"controller__issue": "40 ticks"}, ("dispatch", {"controller__issue": "0 ticks"})),
    Case(Cause.EDGE, "the operator has rows for one of the two tiles",
         linear(2, 8, 8), (), {}, ({"core__tiles": "1"},)),
    Case(Cause.DONE, "the DPU works on after the last GEMM",
         trace(gemm("w", "x", "a", 4, 8, 8), vector(Kind.SOFTMAX, ["a"], "o", 4, 8)), ("dpu",), {}, ("dpu",)),
)  # fmt: skip


def of(case: Case, cure: str | Mapping[str, str] | None = None) -> Result:
    ideal = cure if isinstance(cure, str) else None
    changed = cure if isinstance(cure, Mapping) else {}
    arch = only(*(source for source in case.real if source != ideal), **{**case.settings, **changed})
    return simulate(case.trace, arch, mapping=case.mapping)


def worst(result: Result, cause: Cause) -> float:
    """The cause's part of the ticks of the tile that suffers most, until it is done."""
    done = {name: 0 if cause is Cause.DONE else tile.get("done", 0) for name, tile in result.tiles().items()}
    return max(
        tile.get(cause.value, 0) / (result.ticks - done[name]) for name, tile in result.tiles().items()
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.cause}: {case.why}")
def test_is_the_cause_seen_and_its_cure_a_cure(case: Case) -> None:
    ill = of(case)
    assert worst(ill, case.cause) >= case.share, ill.tiles()
    for cure in case.cures:
        assert worst(of(case, cure), case.cause) == 0, cure


def test_is_there_a_case_for_every_cause() -> None:
    """All but shots themselves: what no machine is without."""
    assert {case.cause for case in CASES} == set(Cause) - {Cause.COMPUTE}


def test_is_nothing_but_shots_left_when_all_is_ideal() -> None:
    result = simulate(linear(8, 8, 8), machine(IDEALS))
    assert result.tiles() == {name: {"compute": result.ticks} for name in ("tile0", "tile1")}


CAUSED = {
    "hbm": {Cause.HBM_M1, Cause.HBM_M2, Cause.HBM_DPU, Cause.HBM_OUT, Cause.HBM_LATENCY},
    "gb": {
        Cause.M1_FILL,
        Cause.M2_FILL,
        Cause.PARTIAL_SUMS,
        Cause.DRAIN,
        Cause.DPU_READ,
        Cause.DPU_WRITE,
        Cause.STAGING,
    },
    "feed": {Cause.FEED},
    "adc": {Cause.ADC},
    "broadcast": {Cause.BROADCAST, Cause.SWITCH},
    "dpu": {Cause.DPU},
    "dispatch": {Cause.DISPATCH},
}
BUSY_MACHINE = {
    "core__tiles": "4", "broadcast__groups": "2", "m1_sram__port": "1 B", "readout__integrate": "1", "readout__conversion": "20 ticks",
    "global_sram__m1_staging": "128 B", "global_sram__psum_staging": "256 B", "global_sram__capacity": "900 B", "act_sram__slots": "1", "act_sram__slot": "8 B",
}  # fmt: skip


def causes(result: Result) -> set[Cause]:
    """Everything that any tile's or part's time goes to."""
    found = {cause for tile in result.tiles().values() for cause in tile}
    return {Cause(c) for c in found.union(*(part.waiting for part in result.parts().values()))}


@pytest.mark.parametrize("ideal", CAUSED)
def test_does_an_ideal_part_cost_nobody_anything_on_a_busy_machine(ideal: str) -> None:
    """Everything else stays real, and is in everybody's way."""
    work = attention(tokens=12, size=12, blocks=2)
    assert causes(simulate(work, machine(**BUSY_MACHINE), mapping="head-parallel")) >= CAUSED[ideal]
    assert (
        not causes(simulate(work, machine([ideal], **BUSY_MACHINE), mapping="head-parallel")) & CAUSED[ideal]
    )
