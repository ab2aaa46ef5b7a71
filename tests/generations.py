"""Small models that generate, for tests: sizes odd enough to have edges, small enough to replay every step."""

from __future__ import annotations

from lsim.trace import Generation
from lsim.trace.generation import check
from lsim.trace.zoo.encoder import Sizes
from lsim.trace.zoo.generate import Family, generate, gpt2_family, llama_family
from lsim.trace.zoo.llama import Llama

LLAMA = Llama("Small Llama", 3, 24, 4, 4, 20, 40, "arXiv: none")
GROUPED = Llama("Small grouped Llama", 2, 24, 4, 2, 20, 40, "arXiv: none")
WINDOWED = Llama("Small Mistral", 2, 24, 4, 4, 20, 40, "arXiv: none", window=4)
GPT2 = Sizes(layers=2, width=12, heads=2, tokens=1)

FAMILIES: dict[str, Family] = {
    "llama": llama_family(LLAMA),
    "grouped": llama_family(GROUPED),
    "gpt2": gpt2_family("Small GPT-2", GPT2),
}


def generation(family: str, prompt: int, new: int, batch: int = 1) -> Generation:
    return check(generate("small", FAMILIES[family], prompt, new, batch))


COARSE = {
    "core__columns": "8", "core__wavelengths": "8", "m1_sram__slot": "128 B", "m2_sram__slot": "512 B", "act_sram__slot": "256 B",
    "hbm__bandwidth": "64 GB/s", "global_sram__line": "64 B", "global_sram__capacity": "64 KiB", "dpu__lanes": "64", "dpu__slot": "256 B",
    **{f"global_sram__{ring}_staging": "1 KiB" for ring in ("m1", "m2", "out", "dpu", "psum")},
}  # fmt: skip
"""Settings of the small machine with which one token more often costs no tick more."""

FULL = {
    **COARSE, "global_sram__capacity": "6 KiB", "hbm__bandwidth": "200 GB/s", "hbm__transaction": "64 B", "hbm__outstanding": "16",
    "global_sram__m1_staging": "512 B", "global_sram__out_staging": "256 B", "global_sram__psum_staging": "256 B",
    "controller__m1_ahead": "64 KiB", "controller__prefetch": "3",
}  # fmt: skip
"""Settings of one whose staging rings are full for much of a step, and of another size in each."""

SLACK = {
    **COARSE, "hbm__bandwidth": "24 GB/s", "hbm__transaction": "32 B", "hbm__latency": "1 ns", "global_sram__clock": "50 MHz",
}  # fmt: skip
"""Settings of one whose pieces come faster from HBM than they are written into the SRAM: what a piece takes longer is not noticed."""
