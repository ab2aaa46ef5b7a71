"""What must hold at the end of every run. A broken law is an error of ours and names part and tick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lsim.errors import LawBroken
from lsim.results.statistics import Statistics

if TYPE_CHECKING:
    from lsim.kernel.environment import Environment
    from lsim.plan.schedule import Plan

BUFFERS = ("m1_sram", "m2_sram", "act_sram", "dpu_in", "dpu_out")


def check(env: Environment, plan: Plan, statistics: Statistics) -> None:
    """Raises LawBroken for the first law that does not hold."""
    _time_is_complete(statistics)
    _tokens_are_home(env)
    check_amounts(statistics.amounts, plan.trace.macs, statistics.log.end)
    _blocks_take_their_time(statistics)


def check_amounts(amounts: Mapping[str, int], macs: int, end: int) -> None:
    """The laws of what is counted, of one run or of many: all work is done, and what entered a buffer left it."""
    _work_is_done(amounts, macs, end)
    _bytes_are_conserved(amounts, end)


def _time_is_complete(statistics: Statistics) -> None:
    """Busy + waiting + idle = elapsed, of the states of the machine and of each part's own records alike."""
    t = statistics.log
    for part, name in enumerate(t.parts):
        time = statistics.parts[name]
        own = statistics.ticks_by_code(part)
        if time.total != t.end or int(own.sum()) != t.end:
            raise LawBroken(name, t.end, f"busy + waiting + idle is {time.total}, elapsed {t.end}")
        differ = np.flatnonzero(own != statistics.ticks_of_states(part))
        if len(differ):
            code = int(differ[0])
            said = f"{t.labels[code]} took {int(statistics.ticks_of_states(part)[code])} ticks of the machine's states"
            raise LawBroken(name, t.end, f"{said} and {int(own[code])} of its own")


def _tokens_are_home(env: Environment) -> None:
    """Every slot is free again, every credit returned, no token left over."""
    for channel in env.channels:
        now = env.registers[channel.index]
        if now != channel.initial:
            giver = env.parts[channel.giver].name
            raise LawBroken(
                giver,
                env._now,
                f"a channel that it gives to holds {now} at the end, {channel.initial} at the start",
            )


def _work_is_done(amounts: Mapping[str, int], macs: int, end: int) -> None:
    done = amounts.get("macs", 0)
    if done != macs:
        raise LawBroken("core", end, f"{done} MACs were done and the trace has {macs}")


def _bytes_are_conserved(amounts: Mapping[str, int], end: int) -> None:
    for buffer in BUFFERS:
        entered, left = amounts.get(f"{buffer}.in", 0), amounts.get(f"{buffer}.out", 0)
        if entered != left:
            raise LawBroken(buffer, end, f"{entered} B went in and {left} B came out")
    for one, other in (("hbm.out", "landed"), ("hbm.in", "stored")):
        if amounts.get(one, 0) != amounts.get(other, 0):
            raise LawBroken(
                "hbm", end, f"{one} is {amounts.get(one, 0)} B and {other} {amounts.get(other, 0)} B"
            )


def _blocks_take_their_time(statistics: Statistics) -> None:
    """A block lasts as long as its pattern says, each time."""
    t = statistics.log
    cores = [part for part, name in enumerate(t.parts) if name.endswith("core")]
    ticks = np.sum([statistics.ticks_by_code(part) for part in cores], axis=0)
    for code, label in enumerate(t.labels):
        if label.pattern is None or label.pattern[0] is None:
            continue
        blocks, took = int(statistics.counts[code]), int(ticks[code])
        wanted = blocks * label.pattern[0].ticks
        if took != wanted:
            raise LawBroken("core", t.end, f"{blocks} blocks should take {wanted} ticks and took {took}")
