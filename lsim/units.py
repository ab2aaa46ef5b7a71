"""Quantities with units, read and written as exact whole numbers of a base unit; no float takes part."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from lsim.errors import UnitError


class Dimension(NamedTuple):
    """What a quantity measures: its name and its units, each a whole number of base units, the first of 1."""

    name: str
    units: Mapping[str, int]

    @property
    def base(self) -> str:
        """The unit that a parsed number counts; empty for a plain count."""
        return next(iter(self.units))


_BINARY = {prefix: 1 << 10 * power for power, prefix in enumerate(("", "Ki", "Mi", "Gi", "Ti"))}
_DECIMAL = {prefix: 1000**power for power, prefix in enumerate(("", "k", "M", "G", "T"))}

FREQUENCY = Dimension("frequency", {f"{prefix}Hz": factor for prefix, factor in _DECIMAL.items()})
# Sizes have binary units only: a "2 MB" that meant 2 MiB is then an error, not a machine 5 % too small.
SIZE = Dimension("size", {f"{prefix}B": factor for prefix, factor in _BINARY.items()})
BANDWIDTH = Dimension("bandwidth", {f"{p}B/s": factor for p, factor in (_BINARY | _DECIMAL).items()})
TIME = Dimension("time", {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12})
TICKS = Dimension("ticks", {"ticks": 1, "tick": 1})
BITS = Dimension("bits", {"bit": 1, "bits": 1})
COUNT = Dimension("count", {"": 1})

_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,30})(?:\.([0-9]{1,30}))?\s*([^\s0-9.].*?)?\s*")


def parse(text: str | int, dimension: Dimension) -> int:
    """The quantity as a whole number of the dimension's base unit: '5 GHz' is 5 000 000 000.

    Raises UnitError when it is no number, has no unit or another dimension's, or is not whole.
    """
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        raise _refusal(f"{text!r} is not a {_wanted(dimension)}", dimension)
    whole, decimals, unit = match[1], match[2] or "", match[3] or ""
    if unit not in dimension.units:
        raise _unit_refusal(text, unit, dimension)
    shift: int = 10 ** len(decimals)
    scaled, rest = divmod(int(whole + decimals) * dimension.units[unit], shift)
    if rest:
        raise UnitError(f"{str(text)!r} is not a whole number of {dimension.base or 'units'}")
    return scaled


def format_quantity(value: int, dimension: Dimension) -> str:
    """The quantity in the largest unit that leaves a whole number; `parse` reads it back exactly."""
    if dimension is TICKS:
        return f"{value} tick" if value == 1 else f"{value} ticks"
    fits = [(factor, unit) for unit, factor in dimension.units.items() if value % factor == 0 and value]
    factor, unit = max(fits, key=lambda fit: fit[0], default=(1, dimension.base))
    return f"{value // factor} {unit}".rstrip()


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient rounded up, exactly."""
    return -(-dividend // divisor)


def ticks_as_time(ticks: int, clock: int, decimals: int = 3) -> str:
    """The time that ticks take at a clock in Hz, in the largest unit that makes it at least 1."""
    factor, unit = 1, TIME.base
    for name, size in TIME.units.items():
        if abs(ticks) * 10**12 >= size * clock:
            factor, unit = size, name
    scaled = _round_div(ticks * 10 ** (12 + decimals), clock * factor)
    sign, (whole, rest) = "-" * (scaled < 0), divmod(abs(scaled), 10**decimals)
    digits = f"{rest:0{decimals}}".rstrip("0") if decimals else ""
    return f"{sign}{whole}{'.' * bool(digits)}{digits} {unit}"


def _round_div(dividend: int, divisor: int) -> int:
    """The quotient rounded to the nearest whole number, halves up."""
    return (2 * dividend + divisor) // (2 * divisor)


def _wanted(dimension: Dimension) -> str:
    return "whole number" if dimension is COUNT else f"number with a unit of {dimension.name}"


def _refusal(problem: str, dimension: Dimension, given: str | None = None) -> UnitError:
    return UnitError(problem, known=[unit for unit in dimension.units if unit], given=given)


def _unit_refusal(text: str | int, unit: str, dimension: Dimension) -> UnitError:
    if dimension is COUNT:
        return UnitError(f"{str(text)!r} has a unit, but this is a plain count")
    if not unit:
        return _refusal(f"{str(text)!r} has no unit", dimension)
    return _refusal(f"{unit!r} is not a unit of {dimension.name}", dimension, given=unit)
