"""Intervals as a value change dump (IEEE 1364), for waveform viewers: a scope a part, and in it a variable a column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsim.errors import InputError
from lsim.export.files import new_file
from lsim.export.rows import Window
from lsim.results.intervals import changes
from lsim.results.telling import Teller

WORDS = ("state", "cause", "waits_for", "operator")
UNITS = ("s", "ms", "us", "ns", "ps", "fs")
FEMTOSECONDS = 10**15
SHOWN = 1, "ns", 1  # of a tick that is no whole number of femtoseconds


def timescale(clock: int) -> tuple[int, str, int]:
    """(magnitude, unit, how many of them a tick of a clock in Hz is): the coarsest timescale that VCD knows (1, 10 or 100 of a
    unit) of which a tick is a whole number. A tick that is no whole number of femtoseconds is shown as 1 ns."""
    period, rest = divmod(FEMTOSECONDS, clock)
    if rest:
        return SHOWN
    scales = ((size, unit, size * 1000 ** (5 - i)) for i, unit in enumerate(UNITS) for size in (100, 10, 1))
    return next((size, unit, period // each) for size, unit, each in scales if period % each == 0)


def write_vcd(window: Window, path: Path) -> None:
    """Writes `state`, `cause`, `waits_for` and `operator` of each part as strings (GTKWave's and Surfer's extension of VCD;
    empty where there is none), and `block` as an integer (x where there is none).

    A name with dots is a scope within a scope. Raises InputError for a window that is too long, for a file that cannot be
    written, and without pyvcd.
    """
    try:
        from vcd import VCDWriter
    except ImportError:
        raise InputError("needs pyvcd: pip install 'lsim[vcd]'", place="--vcd") from None
    window.check_count()
    size, unit, factor = timescale(window.result.arch.core.clock)
    with new_file(path, text=True) as file:
        writer = VCDWriter(
            file,
            timescale=(size, unit),
            date="",
            comment=_comment(window, f"{factor} x {size} {unit}"),
            init_timestamp=window.begin * factor,
        )
        _write_changes(window, writer, factor)
        writer.close(window.end * factor)


def _write_changes(window: Window, writer: Any, factor: int) -> None:
    teller, names = Teller(window.result.plan, window.result.log), window.result.log.parts
    shown: dict[int, list[Any]] = {}
    for tick, part, code, position in changes(window.result.log, window.parts, window.begin, window.end):
        told = teller.tell(part, code, position)
        values = [getattr(told, word) or "" for word in WORDS] + ["x" if told.block is None else told.block]
        if part not in shown:
            shown[part] = _variables(writer, names[part], values)
            continue
        for variable, value in zip(shown[part], values, strict=True):
            writer.change(variable, tick * factor, value)


def _variables(writer: Any, part: str, values: list[Any]) -> list[Any]:
    words = [
        writer.register_var(part, word, "string", init=value)
        for word, value in zip(WORDS, values, strict=False)
    ]
    return [*words, writer.register_var(part, "block", "integer", size=64, init=values[-1])]


def _comment(window: Window, tick: str) -> str:
    told = [f"{name}: {value}" for name, value in window.about().items()]
    return "\n".join([*told, f"1 tick is shown as {tick}"])
