"""The sections of a page, in order. A section is a function of a run, or of the runs that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lsim.report.background import assumptions, provenance
from lsim.report.blocks import Run, Section, SectionOf
from lsim.report.causes import where
from lsim.report.compare import differences, operators_aligned, side_by_side, tiles_aligned
from lsim.report.energy import energies, energy
from lsim.report.explorer import explorer
from lsim.report.headline import headline
from lsim.report.ledger import ledger, rows_apart
from lsim.report.occupancy import occupancy
from lsim.report.roofline import roofline

OF_ONE: tuple[SectionOf, ...] = (
    headline,
    where,
    energy,
    ledger,
    explorer,
    occupancy,
    roofline,
    assumptions,
    provenance,
)

OF_SEVERAL: tuple[Callable[[Sequence[Run]], Section | None], ...] = (
    side_by_side,
    differences,
    tiles_aligned,
    operators_aligned,
    rows_apart,
    energies,
)


def sections(runs: Sequence[Run]) -> list[Section]:
    """Those that have something to say."""
    made = [make(runs[0]) for make in OF_ONE] if len(runs) == 1 else [make(runs) for make in OF_SEVERAL]
    return [section for section in made if section is not None]
