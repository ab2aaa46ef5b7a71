"""The link budget: the light that a core needs at its laser, from the losses on the way, the splits and the precision.

Source: Zhu et al., Lightening-Transformer, HPCA 2024, and the released LT hardware estimator, which gives the
microring bank and the MZI mesh the same budget on other paths.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import log10
from typing import NamedTuple

from attrs import frozen

from lsim.arch.spec import Arch
from lsim.errors import ArchError
from lsim.units import ceil_log2

MOST_DECIBELS = 3000  # what a float can still hold as a power


class Loss(NamedTuple):
    """Devices of one kind in a row on the path of the light: how many, and the insertion loss of each in dB."""

    device: str
    number: int
    each: Fraction

    @property
    def total(self) -> Fraction:
        """In dB."""
        return self.number * self.each


@frozen
class LinkBudget:
    """From the laser of a core to a photodetector.

    `path`: what the light passes. `split`: outputs that share it, evenly. `levels`: values that an operand can have, each
    worth another `sensitivity`, which is in dBm; so one bit more takes twice the light. `efficiency`: of the laser.
    """

    path: tuple[Loss, ...]
    split: int
    levels: int
    sensitivity: Fraction
    efficiency: Fraction

    @property
    def loss(self) -> Fraction:
        """Insertion loss of the path, in dB, the split aside."""
        return sum((loss.total for loss in self.path), Fraction(0))

    @property
    def decibels(self) -> float:
        """Level that the laser emits for one value of an operand, in dBm."""
        return float(self.sensitivity + self.loss) + 10 * log10(self.split)

    @property
    def optical_mw(self) -> float:
        """Light of the laser, in mW."""
        return float(10 ** (self.decibels / 10)) * self.levels

    @property
    def laser_mw(self) -> float:
        """Electrical power of the laser of one core, in mW."""
        return self.optical_mw / float(self.efficiency)


def link_budget(arch: Arch) -> LinkBudget:
    """The link budget of a core; raises ArchError for one that no float can hold."""
    path, split = _PATHS[arch.core.kind](arch)
    devices = arch.devices
    budget = LinkBudget(
        path, split, 2**arch.operands.bits, devices.photodetector.sensitivity, devices.laser.efficiency
    )
    if budget.decibels > MOST_DECIBELS:
        raise ArchError(f"a loss of {float(budget.loss):.6g} dB is beyond any laser", place="core")
    return budget


Path = tuple[tuple[Loss, ...], int]


def _dptc(arch: Arch) -> Path:
    """Modulator between two microdisks, the tree that spreads a row or column, and a dot-product engine."""
    core, devices = arch.core, arch.devices
    path = (
        Loss("modulator", 1, devices.modulator.loss),
        Loss("microdisk", 2, devices.microdisk.loss),
        Loss("y_branch", ceil_log2(max(core.rows, core.columns)) + 1, devices.y_branch.loss),
        Loss("phase_shifter", 1, devices.phase_shifter.loss),
        Loss("coupler", 1, devices.coupler.loss),
    )
    return path, core.rows * core.columns


def _mrr_bank(arch: Arch) -> Path:
    """Twice a bus of one ring a wavelength, to modulate and to weight, and the tree that spreads inputs to the rows."""
    core, ring = arch.core, arch.devices.microring
    path = (
        Loss("microring, passed", 2 * (core.wavelengths - 1), ring.through_loss),
        Loss("microring, dropped", 2, ring.drop_loss),
        Loss("y_branch", ceil_log2(core.rows), arch.devices.y_branch.loss),
    )
    return path, core.rows


def _mzi_mesh(arch: Arch) -> Path:
    """A modulator, the meshes of the two unitary factors of a matrix and the diagonal between them.

    A rectangular mesh of N inputs is N interferometers deep (Clements et al., Optica 2016).
    """
    core, devices = arch.core, arch.devices
    path = (
        Loss("modulator", 1, devices.modulator.loss),
        Loss("mzi", core.rows + core.wavelengths + 1, devices.mzi.loss),
    )
    return path, core.wavelengths


_PATHS: dict[str, Callable[[Arch], Path]] = {"dptc": _dptc, "mrr-bank": _mrr_bank, "mzi-mesh": _mzi_mesh}
