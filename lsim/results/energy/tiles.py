"""How the time of each tile divides for what draws power all the time: useful, or dark by cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.kernel.labels import Cause
from lsim.plan.mappings import Group
from lsim.results.statistics import Statistics

IDLE_ENGINES, IDLE_WAVELENGTHS = "idle_engines", "idle_wavelengths"
OF_A_TILE = ("m1_encodings", "engine_shots", "conversions")


class TileTime(NamedTuple):
    """Ticks of a tile. `useful`: in which it fires a shot, as far as its engines and wavelengths have work; `dark`: the
    others by root cause, and of shots the share of engines without a row or column and of wavelengths without depth.

    `counts`: of the blocks' events, those of this tile.
    """

    useful: Fraction
    dark: Mapping[str, Fraction]
    counts: Mapping[str, int]


def tile_times(
    statistics: Statistics, arch: Arch, groups: tuple[Group, ...], causes: Mapping[str, Mapping[str, int]]
) -> dict[str, TileTime]:
    """Of each tile; `causes` are its ticks by root cause. Raises LawBroken if shots and ticks disagree."""
    times = {}
    for number, (name, ticks) in enumerate(causes.items()):
        did = _did(statistics, arch, groups, number)
        fired, computing = did["shots"], ticks.get(Cause.COMPUTE, 0)
        if computing < fired or (len(groups) == 1 and computing > fired):
            said = f"{name} computes for {computing} ticks and has {fired} shots"
            raise LawBroken("core", statistics.log.end, said)
        others = {cause: Fraction(n) for cause, n in ticks.items()}
        others[Cause.COMPUTE.value] = Fraction(computing - fired)  # while it waits for another group's cores
        core = arch.core
        engines = Fraction(did["engine_shots"], core.cores * core.rows * core.columns)
        useful = Fraction(did["macs"], arch.peak_macs_per_tick // core.tiles)
        idle = {IDLE_ENGINES: fired - engines, IDLE_WAVELENGTHS: engines - useful}
        dark = {cause: n for cause, n in {**others, **idle}.items() if n}
        times[name] = TileTime(useful, dark, {counter: did[counter] for counter in OF_A_TILE})
    return times


def _did(statistics: Statistics, arch: Arch, groups: tuple[Group, ...], tile: int) -> dict[str, int]:
    """What the tile's rows of each block come to: its rows are the `place`-th so many of the block's."""
    did = dict.fromkeys((*OF_A_TILE, "shots", "macs"), 0)
    for group in groups:
        if tile not in group.tiles:
            continue
        before = (tile - group.tiles.start) * arch.core.rows
        for block, times in _blocks(statistics, group):
            rows = block["macs"] // block["m2_encodings"]  # rows · columns · depth over columns · depth
            mine = max(0, min(arch.core.rows, rows - before))
            did["shots"] += times * block["shots"] * (mine > 0)
            for counter in (*OF_A_TILE, "macs"):
                did[counter] += times * block[counter] // rows * mine
    return did


def _blocks(statistics: Statistics, group: Group) -> Iterator[tuple[dict[str, int], int]]:
    """What a block counts, and how many blocks of the group count it."""
    log = statistics.log
    counts = statistics.counts_by_part[log.parts.index(group.part("core"))]
    for code in counts.nonzero()[0].tolist():
        block = dict(log.labels[code].amounts)
        if block:
            yield block, int(counts[code])
