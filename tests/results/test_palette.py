"""Can the colours of causes be told apart, also by readers who see two hues?"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from lsim.kernel.labels import Cause
from lsim.results.palette import ENERGY_INKS, INKS, Ink

# Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009: full deficiency, linear RGB.
SEEN = {
    "all hues": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
NEAR = 8.0  # CIE 1976 difference below which large areas look alike
CHIEF = ("busy", "compute", "m1_fill", "dpu", "hbm_m1", "broadcast", "idle")


GROUNDS = {"light": 1.0, "dark": 0x14 / 255}


def lab(css: str, seen: np.ndarray, ground: float) -> np.ndarray:
    """CIELAB (D65) of an sRGB colour as it is seen on a grey ground."""
    red, green, blue, opacity = (int(f"{css}ff"[i : i + 2], 16) / 255 for i in (1, 3, 5, 7))
    rgb = ground + opacity * (np.array([red, green, blue]) - ground)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen @ linear, 0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    x, y, z = np.cbrt(to_xyz @ linear / np.array([0.95047, 1.0, 1.08883]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_has_every_cause_a_colour_of_its_own() -> None:
    assert set(INKS) == {"busy", "idle", *Cause}
    drawn = {(ink.css, ink.hatch) for ink in INKS.values()}
    assert len(drawn) == len(INKS)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", SEEN)
def test_can_the_families_be_told_apart(name: str, ground: str) -> None:
    seen = {ink: lab(INKS[ink].css, SEEN[name], GROUNDS[ground]) for ink in CHIEF}
    for one, other in combinations(CHIEF, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 2 * NEAR, (one, other)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("inks", [INKS, ENERGY_INKS])
def test_can_neighbours_in_a_stack_be_told_apart(inks: dict[str, Ink], name: str, ground: str) -> None:
    for (one, ink), (other, next_ink) in pairwise(inks.items()):
        mine, others = (lab(i.css, SEEN[name], GROUNDS[ground]) for i in (ink, next_ink))
        assert np.linalg.norm(mine - others) > NEAR or ink.hatch != next_ink.hatch, (one, other)
