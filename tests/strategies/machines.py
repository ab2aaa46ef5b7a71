"""Random machines: small enough for the per-tick reference."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import NamedTuple

from hypothesis import strategies as st

from lsim.arch import IDEALS, Arch, load_arch


def one_of_each(**choices: object) -> st.SearchStrategy[dict[str, str]]:
    """Settings, each with one of some values: `core__tiles=["1", "2"]`."""
    options = {key.replace("__", "."): st.sampled_from(values) for key, values in choices.items()}  # type: ignore[arg-type]
    return st.fixed_dictionaries(options)


WIDTHS = st.fixed_dictionaries(
    {},
    optional={
        f"operands.{role}_bits": st.sampled_from(["4 bit", "8 bit", "16 bit"])
        for role in ("weight", "activation", "kv")
    },
)
"""What is stored at another width than that of operands; anything or nothing."""

SETTINGS = one_of_each(
    core__tiles=["1", "2", "4"],
    core__cores=["1", "2"],
    core__rows=["1", "2", "3"],
    core__columns=["1", "2", "3"],
    core__wavelengths=["1", "2", "3"],
    core__clock=["1 GHz"],
    operands__bits=["3 bit", "4 bit", "8 bit"],
    operands__partial_sum_bits=["16 bit"],
    global_sram__capacity=["700 B", "1 KiB", "4 KiB"],
    global_sram__banks=["2", "4"],
    global_sram__line=["4 B", "16 B"],
    global_sram__clock=["500 MHz", "250 MHz"],
    global_sram__groups=["1", "2"],
    global_sram__ports=["1", "2"],
    global_sram__arbitration=["fifo", "round-robin", "priority"],
    global_sram__m1_staging=["64 B", "160 B"],
    global_sram__m2_staging=["64 B", "160 B"],
    global_sram__out_staging=["160 B"],
    global_sram__dpu_staging=["64 B", "96 B"],
    global_sram__psum_staging=["1 B", "96 B"],
    m1_sram__slot=["16 B", "40 B"],
    m1_sram__slots=["1", "2", "3"],
    m1_sram__port=["matched", "3 B"],
    m2_sram__slot=["16 B", "40 B"],
    m2_sram__slots=["1", "2"],
    m2_sram__port=["matched", "5 B"],
    act_sram__slot=["18 B", "40 B"],
    act_sram__slots=["1", "2"],
    encoder__sample_rate=["1 GHz", "500 MHz"],
    broadcast__streams=["1", "2"],
    broadcast__groups=["1"],
    broadcast__propagation=["0 ticks", "2 ticks"],
    broadcast__switch=["0 ticks", "3 ticks"],
    broadcast__arbitration=["fifo", "round-robin", "priority"],
    readout__integrate=["1", "2", "3"],
    readout__conversion=["0 ticks", "1 tick", "3 ticks", "7 ticks"],
    readout__latency=["0 ticks", "4 ticks"],
    dpu__lanes=["1", "4"],
    dpu__clock=["500 MHz", "1 GHz"],
    dpu__slot=["16 B", "24 B"],
    dpu__slots=["1", "2"],
    dpu__softmax=["0", "2"],
    dpu__norm=["1"],
    hbm__bandwidth=["8 GB/s", "3 GB/s"],
    hbm__channels=["1", "2", "3"],
    hbm__latency=["0 ns", "5 ns", "40 ns"],
    hbm__transaction=["8 B", "32 B"],
    hbm__outstanding=["1", "4"],
    controller__window=["1", "2", "8"],
    controller__issue=["0 ticks", "4 ticks"],
    controller__prefetch=["0", "1", "3"],
    controller__m1_ahead=["32 B", "1 KiB"],
    controller__m2_ahead=["32 B", "1 KiB"],
    controller__lag=["0", "1", "3"],
)  # fmt: skip


class Machine(NamedTuple):
    """A small machine, told by what differs from LT-B: short to print when a test fails."""

    settings: dict[str, str]
    ideal: frozenset[str]

    @property
    def arch(self) -> Arch:
        return _base().with_settings(self.settings).with_ideal(self.ideal)


@cache
def _base() -> Arch:
    return load_arch("lt-b-4bit")


HELD = one_of_each(
    core__kind=["mrr-bank", "mzi-mesh"], core__columns=["1"], core__reload=["0 ns", "2 ns", "9 ns"], core__passes=["1", "2", "3"]
)  # fmt: skip
"""What differs where cores hold an operand."""


@st.composite
def machines(draw: st.DrawFn, groups: tuple[str, ...] = ("1",)) -> Machine:
    """A small machine; any contention source may be ideal."""
    settings = draw(SETTINGS)
    if draw(st.booleans()):
        settings |= draw(WIDTHS)
    if draw(st.integers(0, 3)) == 0:
        settings |= draw(HELD)
    settings["broadcast.groups"] = draw(
        st.sampled_from([g for g in groups if int(settings["core.tiles"]) % int(g) == 0])
    )
    for side, vectors in (("m1", "rows"), ("m2", "columns")):
        step = prod(int(settings[f"core.{size}"]) for size in ("cores", vectors, "wavelengths"))
        if step * widest(settings) > 8 * 16:
            settings[f"{side}_sram.slot"] = "40 B"
    ideal = draw(st.sets(st.sampled_from(sorted(IDEALS)), max_size=2)) if draw(st.booleans()) else set()
    return Machine(settings, frozenset(ideal))


def widest(settings: dict[str, str]) -> int:
    """Bits of the widest that a machine stores."""
    widths = ("bits", "weight_bits", "activation_bits", "kv_bits")
    given = [settings[f"operands.{name}"] for name in widths if f"operands.{name}" in settings]
    return max(int(width.split()[0]) for width in given)
