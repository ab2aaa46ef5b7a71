"""Which tiles work on which part of a GEMM: mappings by name, pure functions of the arch.

A *tile group* is a set of tiles in lockstep on one M2 stream. A mapping declares the groups and shares a GEMM's heads out.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from lsim.arch import Arch
from lsim.errors import ArchError, PlanError
from lsim.trace import Operator


@frozen
class Group:
    """A tile group: its name (prefix of its parts' names) and its tiles.

    `sharers`: groups that divide the M2 SRAM among them. `ring_share`: one in how many of the staging bytes it has.
    """

    name: str
    tiles: range
    sharers: int
    ring_share: int

    def part(self, kind: str) -> str:
        """The name of one of its parts."""
        return f"{self.name}.{kind}" if self.name else kind


@frozen
class Mapping:
    """The groups of a run, and who does what of a GEMM: (group, the operator with its share of the heads).

    `holds_m1`: whether a step's M1 stays in the cores while all columns pass, in place of the sums of a column while all steps do.
    """

    name: str
    groups: tuple[Group, ...]
    share: Callable[[Operator, bool], list[tuple[Group, Operator]]]
    holds_m1: bool = False


def lockstep(arch: Arch) -> Mapping:
    """The published mapping: all tiles take their row blocks from one M2 stream (Zhu et al., HPCA 2024)."""
    everyone = _everyone(arch)
    return Mapping("lockstep", (everyone,), lambda op, _: [(everyone, op)])


def m1_stationary(arch: Arch) -> Mapping:
    """All tiles in lockstep; each step's M1 is encoded or written once for all columns, whose partial sums come and go."""
    everyone = _everyone(arch)
    return Mapping("m1-stationary", (everyone,), lambda op, _: [(everyone, op)], holds_m1=True)


def head_parallel(arch: Arch) -> Mapping:
    """Attention heads on separate tile groups that contend for the broadcast; linear layers on all tiles in lockstep."""
    count = arch.broadcast.groups
    everyone = _everyone(arch, ring_share=1 if count == 1 else 2)
    size = arch.core.tiles // count
    _check_fan_out(arch, size)
    groups = tuple(Group(f"g{g}", range(g * size, (g + 1) * size), count, 2 * count) for g in range(count))

    def share(op: Operator, linear: bool) -> list[tuple[Group, Operator]]:
        if linear or op.heads == 1 or count == 1:
            return [(everyone, op)]
        shares = [len(range(g, op.heads, count)) for g in range(count)]
        return [
            (group, evolve(op, heads=heads)) for group, heads in zip(groups, shares, strict=True) if heads
        ]

    return Mapping("head-parallel", (everyone, *groups) if count > 1 else (everyone,), share)


MAPPINGS: dict[str, Callable[[Arch], Mapping]] = {
    "lockstep": lockstep,
    "head-parallel": head_parallel,
    "m1-stationary": m1_stationary,
}


def mapping(name: str | None, arch: Arch) -> Mapping:
    """The mapping of that name; by default the one that is the core's own, `lockstep` or, where cores hold an operand, `m1-stationary`.

    Raises PlanError for one that is not there, ArchError for a core it cannot map.
    """
    if name is None:
        name = "m1-stationary" if arch.holds_operand else "lockstep"
    if name not in MAPPINGS:
        raise PlanError(f"{name!r} is not a mapping", place="--mapping", known=MAPPINGS, given=name)
    chosen = MAPPINGS[name](arch)
    if arch.holds_operand and not chosen.holds_m1:
        problem = f"a {arch.core.kind} holds M1, which {name} changes with each step: m1-stationary keeps it"
        raise ArchError(problem, place="core.kind")
    return chosen


def _everyone(arch: Arch, ring_share: int = 1) -> Group:
    _check_fan_out(arch, arch.core.tiles)
    return Group("", range(arch.core.tiles), 1, ring_share)


def _check_fan_out(arch: Arch, tiles: int) -> None:
    if tiles > arch.broadcast_fan_out:
        raise ArchError(
            f"a stream reaches {arch.broadcast_fan_out} tiles and a group of this mapping has {tiles}",
            place="broadcast.fan_out",
        )
