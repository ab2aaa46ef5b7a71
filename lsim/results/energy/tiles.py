"""How the time of each tile divides for what draws power all the time: useful, or dark by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


Amounts = tuple[tuple[str, int], ...]
Blocks = Mapping[str, Counter[Amounts]]
"""Of each tile group, by name: how often its cores did a block, or wrote the operand of one, that counts these amounts."""


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
    blocks: Blocks, arch: Arch, groups: Sequence[Group], causes: Mapping[str, Mapping[str, int]]
) -> dict[str, TileTime]:
    """Of each tile; `causes` are its ticks by root cause. Raises LawBroken if shots and ticks disagree."""
    times = {}
    for number, (name, ticks) in enumerate(causes.items()):
        did = _did(blocks, arch, groups, number)
        fired, computing = did["shots"], ticks.get(Cause.COMPUTE, 0)
        if computing < fired or (len(groups) == 1 and computing > fired):
            said = f"{name} computes for {computing} ticks and has {fired} shots"
            raise LawBroken("core", sum(ticks.values()), said)
        others = {cause: Fraction(n) for cause, n in ticks.items()}
        others[Cause.COMPUTE.value] = Fraction(computing - fired)  # while it waits for another group's cores
        of_a_tile = arch.core.cores * arch.core.rows * arch.core.columns
        engines, first = (Fraction(did[name], of_a_tile) for name in ("engine_shots", "engine_steps"))
        useful = Fraction(did["macs"], of_a_tile * arch.core.wavelengths)
        idle = {IDLE_ENGINES: fired - engines, SIGNS: engines - first, IDLE_WAVELENGTHS: first - useful}
        dark = {cause: n for cause, n in {**others, **idle}.items() if n}
        times[name] = TileTime(useful, dark, {counter: did[counter] for counter in (*BY_ROWS, *BY_TILE)})
    return times


def _did(blocks: Blocks, arch: Arch, groups: Sequence[Group], tile: int) -> Counter[str]:
    """What the tile's rows of each block come to: its rows are the `place`-th so many of the block's."""
    did: Counter[str] = Counter()
    for group in groups:
        if tile not in group.tiles:
            continue
        before = (tile - group.tiles.start) * arch.core.rows
        for amounts, times in blocks[group.name].items():
            block = Counter(dict(amounts))
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


def blocks_of(statistics: Statistics, groups: Sequence[Group]) -> Blocks:
    """Those of a run."""
    log, found = statistics.log, dict[str, Counter[Amounts]]()
    for group in groups:
        counts = statistics.counts_by_part[log.parts.index(group.part("core"))]
        found[group.name] = Counter()
        for code in counts.nonzero()[0].tolist():
            if log.labels[code].amounts:
                found[group.name][log.labels[code].amounts] += int(counts[code])
    return found
