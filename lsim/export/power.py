"""The power of a run over a window, as counters."""

from __future__ import annotations

import numpy as np

from lsim.export.perfetto import BINS, Counter
from lsim.export.rows import Window


def power_counters(window: Window) -> list[Counter]:
    """Mean power in mW of each of `BINS` bins: of the chip with its HBM, and of each component."""
    series = window.result.power(BINS, window.begin, window.end)
    begins, powers = series.cuts[:-1].tolist(), series.milliwatts
    totals = np.sum(list(powers.values()), axis=0)
    counters = {"power": totals, **{f"power of {name}": values for name, values in powers.items()}}
    return [
        Counter(name, "mW", list(zip(begins, values.tolist(), strict=True)))
        for name, values in counters.items()
    ]
