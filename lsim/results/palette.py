"""The colour of each state and cause, the same wherever one is drawn.

Families share a hue, so that a picture reads by family before it reads by cause: busy green, cores blue, operand SRAMs
yellow, DPU purple, HBM and staging orange, broadcast violet, nothing to do grey. The hues are those of Okabe and Ito's
palette for colour-blind readers (Color Universal Design, 2008). Members of a family differ in lightness, and in the
hatching where an area is large enough to show one, so that no meaning hangs on a hue alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from lsim.kernel.labels import Cause


@frozen
class Ink:
    """How a state is drawn: `colour` as #rrggbb, `hatch` as "/" or "\\" ("" for none). `faint`: where nothing is drawn over
    it, it lets most of the background through, so that it recedes on light and dark ground alike."""

    colour: str
    hatch: str = ""
    faint: bool = False

    @property
    def css(self) -> str:
        """The colour with its opacity, as #rrggbb or #rrggbbaa."""
        return f"{self.colour}66" if self.faint else self.colour


INKS: Mapping[str, Ink] = {
    "busy": Ink("#009e73"),
    Cause.COMPUTE: Ink("#0072b2"),
    Cause.FEED: Ink("#3f97d1", "/"),
    Cause.ADC: Ink("#7fbfe9"),
    Cause.RELOAD: Ink("#004a7a", "/"),
    Cause.READOUT: Ink("#a8d3ee", "\\"),
    Cause.M1_FILL: Ink("#d9b500"),
    Cause.M2_FILL: Ink("#f0dc5a"),
    Cause.PARTIAL_SUMS: Ink("#9a7f00", "/"),
    Cause.DRAIN: Ink("#f7edae"),
    Cause.DPU: Ink("#a3447f"),
    Cause.DPU_READ: Ink("#cc79a7", "/"),
    Cause.DPU_WRITE: Ink("#e5b3d0"),
    Cause.HBM_M1: Ink("#d55e00"),
    Cause.HBM_M2: Ink("#a84a00", "/"),
    Cause.HBM_DPU: Ink("#ee8a45"),
    Cause.HBM_OUT: Ink("#8a3c00"),
    Cause.HBM_LATENCY: Ink("#f3b083", "\\"),
    Cause.STAGING: Ink("#f7cdb0"),
    Cause.BROADCAST: Ink("#5a2fb5"),
    Cause.SWITCH: Ink("#a897d8", "/"),
    Cause.DISPATCH: Ink("#6e6e6e"),
    Cause.EDGE: Ink("#8f8f8f", "/"),
    Cause.DONE: Ink("#8f8f8f", "\\", faint=True),
    "idle": Ink("#8f8f8f", faint=True),
}
"""By state and cause, in the order in which they are stacked."""

ENERGY_INKS: Mapping[str, Ink] = {
    "dynamic": Ink("#009e73"),
    "useful": Ink("#0072b2"),
    "dark": Ink("#8f8f8f", faint=True),
    "idle_engines": Ink("#3d3d3d", "/"),
    "signs": Ink("#8c8c8c"),
    "idle_wavelengths": Ink("#5c5c5c", "\\"),
}
"""Of energy: what it is, and what is dark while shots are fired; other causes are drawn as those of time."""

STEPS: Mapping[str, str] = {"total": "#8f8f8f", "more": "#d55e00", "less": "#0072b2"}
"""Of a waterfall: its ends, and what a row adds or takes."""

SHADES = ("#4477aa", "#ccbb44", "#66ccee", "#aa3377", "#228833", "#ee6677")
"""Of runs and of components, not of causes: Tol's bright palette for colour-blind readers."""
