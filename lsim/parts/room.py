"""Room that is counted in bytes: who takes it and who gives it back, in which order, and for how many returns each claim waits.

One process takes the room of a channel and one gives it back, each in the order of its program. A claim is granted as soon as
so many bytes have come back that all claims so far fit, so it waits for so many returns: a number that no clock is needed for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from attrs import frozen

from lsim.kernel.process import Amounts, Process
from lsim.kernel.program import Leaf, Program, Repeat
from lsim.kernel.tokens import Channel

if TYPE_CHECKING:
    from lsim.parts.machine import Machine

Bytes = npt.NDArray[np.int64]


@frozen(eq=False)
class Room:
    """A channel of bytes: what is claimed of it and what comes back, one after another. `claims[k]`: of the k-th item that takes any."""

    channel: Channel
    claims: Bytes
    returns: Bytes

    @cached_property
    def needed(self) -> Bytes:
        """For each claim, how many returns must have come before it is granted."""
        short = np.cumsum(self.claims) - self.channel.initial
        come = np.concatenate((np.zeros(1, np.int64), np.cumsum(self.returns)))
        return np.searchsorted(come, np.maximum(short, 0))


def rooms(machine: Machine) -> dict[int, Room]:
    """All channels of a machine that are counted in bytes, by index; those that nobody takes from left out."""
    claims = dict(_sequences(machine, lambda process: process.claims))
    returns = dict(_sequences(machine, lambda process: process.returns))
    return {channel.index: Room(channel, amounts, returns[channel]) for channel, amounts in claims.items()}


def same_needs(one: Room, other: Room) -> bool:
    """Whether each claim needs as many returns in both; of as many claims and as many returns."""
    return np.array_equal(one.needed, other.needed)


def _sequences(
    machine: Machine, asked: Callable[[Process], Callable[[Any], Amounts]]
) -> Iterator[tuple[Channel, Bytes]]:
    """(channel, what one process does with it)"""
    for process in machine.processes.values():
        amounts = asked(process)
        for name, sequence in _sequence(process.cursor.program, amounts, {}).items():
            yield getattr(process, name), sequence


def _sequence(
    program: Program, amounts: Callable[[Any], Amounts], known: dict[int, dict[str, Bytes]]
) -> dict[str, Bytes]:
    """The amounts of all items of a program in order, by channel; those of nothing left out."""
    if id(program) not in known:
        known[id(program)] = _in_order(program, amounts, known)
    return known[id(program)]


def _in_order(
    program: Program, amounts: Callable[[Any], Amounts], known: dict[int, dict[str, Bytes]]
) -> dict[str, Bytes]:
    if isinstance(program, Leaf):
        return {name: np.array([size], np.int64) for name, size in amounts(program.item) if size}
    if isinstance(program, Repeat):
        body = _sequence(program.body, amounts, known)
        return {name: np.tile(sizes, program.count) for name, sizes in body.items()}
    parts: dict[str, list[Bytes]] = {}
    for part in program.parts:
        for name, sizes in _sequence(part, amounts, known).items():
            parts.setdefault(name, []).append(sizes)
    return {name: np.concatenate(sizes) for name, sizes in parts.items()}
