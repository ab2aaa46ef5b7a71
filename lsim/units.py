"""Quantities with units, read and written exactly, as whole numbers or fractions of a base unit; no float takes part."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from lsim.errors import UnitError


class Dimension(NamedTuple):
    """What a quantity measures: its name and its units in base units, the first of 1.

    Dimensions of whole numbers have units of whole numbers.
    """

    name: str
    units: Mapping[str, int | Fraction]

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
LOSS = Dimension("loss", {"dB": 1})
LEVEL = Dimension("optical power level", {"dBm": 1})
POWER = Dimension("power", {"mW": 1, "uW": Fraction(1, 10**3), "nW": Fraction(1, 10**6), "W": 10**3})
ENERGY = Dimension("energy", {"pJ": 1, "fJ": Fraction(1, 10**3), "aJ": Fraction(1, 10**6), "nJ": 10**3})
LENGTH = Dimension("length", {"um": 1, "nm": Fraction(1, 10**3), "mm": 10**3})
AREA = Dimension("area", {"um2": 1, "mm2": 10**6})

_MOST_DECIMALS = 60  # twice what `_NUMBER` reads: of a large unit, written in a small one
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,30})(?:\.([0-9]{1,30}))?\s*([^\s0-9.].*?)?\s*")


def parse(text: str | int, dimension: Dimension) -> int:
    """The quantity as a whole number of the dimension's base unit: '5 GHz' is 5 000 000 000.

    Raises UnitError when it is no number, has no unit or another dimension's, or is not whole.
    """
    value = parse_exact(text, dimension)
    if value.denominator != 1:
        raise UnitError(f"{str(text)!r} is not a whole number of {dimension.base or 'units'}")
    return value.numerator


def parse_exact(text: str | int, dimension: Dimension) -> Fraction:
    """The quantity as an exact number of the dimension's base unit: '14.8 mW' is 74/5.

    Raises UnitError when it is no number, or has no unit or another dimension's.
    """
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        raise _refusal(f"{text!r} is not a {_wanted(dimension)}", dimension)
    whole, decimals, unit = match[1], match[2] or "", match[3] or ""
    if unit not in dimension.units:
        raise _unit_refusal(text, unit, dimension)
    return Fraction(int(whole + decimals), 10 ** len(decimals)) * dimension.units[unit]


def format_quantity(value: int, dimension: Dimension) -> str:
    """The quantity in the largest unit that leaves a whole number; `parse` reads it back exactly."""
    if dimension is TICKS:
        return f"{value} tick" if value == 1 else f"{value} ticks"
    units = ((int(factor), unit) for unit, factor in dimension.units.items())
    fits = [(factor, unit) for factor, unit in units if value % factor == 0 and value]
    factor, unit = max(fits, key=lambda fit: fit[0], default=(1, dimension.base))
    return f"{value // factor} {unit}".rstrip()


def format_exact(value: Fraction, dimension: Dimension) -> str:
    """The quantity as a decimal of the largest unit that makes it at least 1; `parse_exact` reads it back exactly.

    Raises ValueError for a number that no decimal is equal to, which no text can have given.
    """
    fits = [(factor, unit) for unit, factor in dimension.units.items() if abs(value) >= factor]
    factor, unit = max(fits, key=lambda fit: fit[0], default=(1, dimension.base))
    return f"{_decimal(value / factor)} {unit}".rstrip()


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient rounded up, exactly."""
    return -(-dividend // divisor)


def ceil_log2(value: int) -> int:
    """Levels of a binary tree with so many leaves, at least 1."""
    return (value - 1).bit_length()


def plural(count: int, one: str, many: str = "") -> str:
    """A noun as it stands after a count: `one` after 1, after any other `many`, by itself `one` and an s."""
    return one if count == 1 else many or f"{one}s"


def ticks_as_time(ticks: int, clock: int, decimals: int = 3) -> str:
    """The time that ticks take at a clock in Hz, in the largest unit that makes it at least 1."""
    factor, unit = 1, TIME.base
    for name, size in TIME.units.items():
        if abs(ticks) * 10**12 >= size * clock:
            factor, unit = int(size), name
    scaled = _round_div(ticks * 10 ** (12 + decimals), clock * factor)
    sign, (whole, rest) = "-" * (scaled < 0), divmod(abs(scaled), 10**decimals)
    digits = f"{rest:0{decimals}}".rstrip("0") if decimals else ""
    return f"{sign}{whole}{'.' * bool(digits)}{digits} {unit}"


def _decimal(value: Fraction) -> str:
    """All digits of a number that has finitely many."""
    shifts = (shift for shift in range(_MOST_DECIMALS + 1) if 10**shift % value.denominator == 0)
    shift = next(shifts, None)
    if shift is None:
        raise ValueError(f"{value} has no finite decimal")
    sign, digits = "-" * (value < 0), f"{abs(int(value * 10**shift)):0{shift + 1}}"
    return f"{sign}{digits[: len(digits) - shift]}{'.' * bool(shift)}{digits[len(digits) - shift :]}"


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
