"""Random machines of coarse steps, on which sizes that differ often come to the same ticks."""

from __future__ import annotations

from hypothesis import strategies as st
from small import SETTINGS as SMALL

from strategies.machines import Machine, machines, one_of_each, widest

COARSE = one_of_each(
    core__kind=["dptc"], core__cores=["1"], core__columns=["8", "12"], core__wavelengths=["8", "16"],
    operands__bits=["4 bit", "8 bit"],
    global_sram__capacity=["3 KiB", "6 KiB", "12 KiB", "64 KiB"], global_sram__line=["16 B", "64 B", "128 B"],
    global_sram__m1_staging=["512 B"], global_sram__m2_staging=["512 B", "1 KiB"], global_sram__out_staging=["512 B", "1 KiB"],
    global_sram__dpu_staging=["256 B", "512 B"], global_sram__psum_staging=["512 B"],
    m1_sram__slot=["128 B"], m2_sram__slot=["256 B", "1 KiB"], act_sram__slot=["256 B", "1 KiB"],
    dpu__lanes=["64"], dpu__slot=["128 B", "256 B"], hbm__bandwidth=["16 GB/s", "64 GB/s", "200 GB/s"], hbm__transaction=["64 B", "256 B"],
    controller__m1_ahead=["128 B", "1 KiB"], controller__m2_ahead=["128 B", "1 KiB"],
)  # fmt: skip
"""Machines on which sizes that differ often come to the same ticks."""


@st.composite
def coarse_machines(draw: st.DrawFn) -> Machine:
    """A machine whose memories move so much a tick that one token more often costs none."""
    machine = draw(machines(groups=("1", "2")))
    settings = {
        key: value for key, value in machine.settings.items() if key not in ("core.reload", "core.passes")
    }
    settings |= draw(COARSE)
    if int(settings["core.columns"]) * int(settings["core.wavelengths"]) * widest(settings) > 8 * 256:
        settings["m2_sram.slot"] = "1 KiB"
    return Machine(settings, machine.ideal)


TIGHT = one_of_each(
    core__columns=["8"], core__wavelengths=["8"], m1_sram__slot=["128 B"], m2_sram__slot=["512 B"], act_sram__slot=["256 B"],
    dpu__lanes=["64"], dpu__slot=["256 B"], hbm__bandwidth=["64 GB/s", "200 GB/s"], hbm__transaction=["64 B", "256 B"], hbm__outstanding=["4", "16"],
    global_sram__line=["16 B", "64 B"], global_sram__capacity=["6 KiB", "12 KiB", "64 KiB"], global_sram__psum_staging=["256 B"],
    controller__m1_ahead=["1 KiB", "64 KiB"], controller__m2_ahead=["1 KiB", "64 KiB"], controller__prefetch=["1", "3"],
    **{f"global_sram__{ring}_staging": ["256 B", "512 B", "1 KiB"] for ring in ("m1", "m2", "out", "dpu")},
)  # fmt: skip
"""What makes the small machine coarse, and its rings so small that their room makes somebody wait."""


def tight_machines() -> st.SearchStrategy[Machine]:
    """Machines whose staging rings are often full; of another size where another step uses more of the region."""
    return TIGHT.map(lambda settings: Machine({**SMALL, **settings}, frozenset()))


SLACK = one_of_each(
    core__columns=["8", "16"], core__wavelengths=["8"], m1_sram__slot=["128 B"], m2_sram__slot=["512 B", "2 KiB"], act_sram__slot=["256 B"],
    dpu__lanes=["64"], dpu__slot=["256 B"], hbm__bandwidth=["16 GB/s", "24 GB/s"], hbm__transaction=["32 B"], hbm__outstanding=["4", "16"],
    hbm__latency=["1 ns", "5 ns"], global_sram__clock=["25 MHz", "50 MHz", "125 MHz"], global_sram__line=["32 B", "64 B"],
    global_sram__capacity=["6 KiB", "12 KiB", "64 KiB"], controller__prefetch=["1", "3"],
    **{f"global_sram__{ring}_staging": ["1 KiB"] for ring in ("m1", "m2", "out", "dpu", "psum")},
)  # fmt: skip
"""What makes the small machine coarse, and fetch pieces faster than it writes them into the SRAM."""


def slack_machines() -> st.SearchStrategy[Machine]:
    """Machines in which a piece may come later from HBM and nobody notices."""
    return SLACK.map(lambda settings: Machine({**SMALL, **settings}, frozenset()))
