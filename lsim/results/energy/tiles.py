"""How the time of each tile divides for what draws power all the time: useful, or dark by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from lsim.arch import Arch
from lsim.errors import LawBroken
from lsim.kernel.labels import Cause
from lsim.plan.mappings import Group
from lsim.results.statistics import Statistics
from lsim.units import ceil_div

IDLE_ENGINES, IDLE_WAVELENGTHS, SIGNS = "idle_engines", "idle_wavelengths", "signs"
BY_ROWS = ("m1_encodings", "m1_fed_bits", "held", "engine_shots", "conversions")
BY_TILE = frozenset(("inputs", "phases", "diagonals"))
"""What a tile has of its own: as many as it has rows, or as any tile with rows."""


class TileTime(NamedTuple):
    """Ticks of a tile. `useful`: in which it fires a shot, as far as its engines and wavelengths have work; `dark`: the
    others by root cause, and of shots the share of engines without a row or column, of wavelengths without depth, and of
    those that only add another sign.

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
    blocks = [list(_blocks(statistics, group)) for group in groups]
    for number, (name, ticks) in enumerate(causes.items()):
        did = _did(blocks, arch, groups, number)
        fired, computing = did["shots"], ticks.get(Cause.COMPUTE, 0)
        if computing < fired or (len(groups) == 1 and computing > fired):
            said = f"{name} computes for {computing} ticks and has {fired} shots"
            raise LawBroken("core", statistics.log.end, said)
        others = {cause: Fraction(n) for cause, n in ticks.items()}
        others[Cause.COMPUTE.value] = Fraction(computing - fired)  # while it waits for another group's cores
        of_a_tile = arch.core.cores * arch.core.rows * arch.core.columns
        engines, first = (Fraction(did[name], of_a_tile) for name in ("engine_shots", "engine_steps"))
        useful = Fraction(did["macs"], of_a_tile * arch.core.wavelengths)
        idle = {IDLE_ENGINES: fired - engines, SIGNS: engines - first, IDLE_WAVELENGTHS: first - useful}
        dark = {cause: n for cause, n in {**others, **idle}.items() if n}
        times[name] = TileTime(useful, dark, {counter: did[counter] for counter in (*BY_ROWS, *BY_TILE)})
    return times


Block = tuple[Counter[str], int]
"""What a block, or writing the operand of one, counts, and how many of its group's count it."""


def _did(blocks: list[list[Block]], arch: Arch, groups: tuple[Group, ...], tile: int) -> Counter[str]:
    """What the tile's rows of each block come to: its rows are the `place`-th so many of the block's."""
    did: Counter[str] = Counter()
    for group, of_group in zip(groups, blocks, strict=True):
        if tile not in group.tiles:
            continue
        before = (tile - group.tiles.start) * arch.core.rows
        for block, times in of_group:
            rows = block["rows"]
            mine = max(0, min(arch.core.rows, rows - before))
            if not mine:
                continue
            for counter in (*BY_ROWS, "macs"):
                did[counter] += times * block[counter] // rows * mine
            for counter in block.keys() & BY_TILE:
                did[counter] += times * block[counter] // ceil_div(rows, arch.core.rows)
            if block["shots"]:
                did["shots"] += times * block["shots"]
                steps = block["engine_shots"] * block["steps"] // block["shots"]
                did["engine_steps"] += times * steps // rows * mine
    return did


def _blocks(statistics: Statistics, group: Group) -> Iterator[Block]:
    log = statistics.log
    counts = statistics.counts_by_part[log.parts.index(group.part("core"))]
    for code in counts.nonzero()[0].tolist():
        amounts = log.labels[code].amounts
        if amounts:
            yield Counter(dict(amounts)), int(counts[code])
