"""Are quantities read and written exactly?"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsim.errors import UnitError
from lsim.units import (
    AREA,
    BANDWIDTH,
    BITS,
    COUNT,
    ENERGY,
    FREQUENCY,
    LENGTH,
    LEVEL,
    LOSS,
    POWER,
    SIZE,
    TICKS,
    TIME,
    Dimension,
    ceil_div,
    ceil_log2,
    format_exact,
    format_quantity,
    parse,
    parse_exact,
    plural,
    ticks_as_time,
)

DIMENSIONS = [FREQUENCY, SIZE, BANDWIDTH, TIME, TICKS, BITS, COUNT]
OF_DEVICES = [LOSS, LEVEL, POWER, ENERGY, LENGTH, AREA, FREQUENCY, TIME, COUNT]


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("5 GHz", FREQUENCY, 5_000_000_000),
        ("500 MHz", FREQUENCY, 500_000_000),
        ("1.25GHz", FREQUENCY, 1_250_000_000),
        ("2 MiB", SIZE, 2 * 2**20),
        ("4 KiB", SIZE, 4096),
        ("0.5 KiB", SIZE, 512),
        (" 64 B ", SIZE, 64),
        ("1 TiB/s", BANDWIDTH, 2**40),
        ("900 GB/s", BANDWIDTH, 900 * 10**9),
        ("100 ns", TIME, 100_000),
        ("3 ticks", TICKS, 3),
        ("1 tick", TICKS, 1),
        ("16 bit", BITS, 16),
        ("0 ticks", TICKS, 0),
        ("-3 ticks", TICKS, -3),
        ("12", COUNT, 12),
        (12, COUNT, 12),
        ("0.1 s", TIME, 10**11),
    ],
)
def test_what_does_a_quantity_come_to(text: str | int, dimension: Dimension, value: int) -> None:
    assert parse(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("5", TICKS, "'5' has no unit; allowed: ticks, tick"),
        (
            "5 Ghz", FREQUENCY,
            "'Ghz' is not a unit of frequency; did you mean 'GHz'?; allowed: Hz, kHz, MHz, GHz, THz",
        ),
        ("2 MB", SIZE, "'MB' is not a unit of size; did you mean 'MiB'?; allowed: B, KiB, MiB, GiB, TiB"),
        ("3 ticks", COUNT, "'3 ticks' has a unit, but this is a plain count"),
        ("0.3 B", SIZE, "'0.3 B' is not a whole number of B"),
        ("1.5", COUNT, "'1.5' is not a whole number of units"),
        ("many", BITS, "'many' is not a number with a unit of bits; allowed: bit, bits"),
        ("many", COUNT, "'many' is not a whole number"),
        ("1e3", COUNT, "'1e3' has a unit, but this is a plain count"),
        ("9" * 5000, COUNT, f"'{'9' * 5000}' is not a whole number"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_quantity_that_cannot_be_read(
    text: str, dimension: Dimension, message: str
) -> None:
    with pytest.raises(UnitError) as error:
        parse(text, dimension)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (5 * 10**9, FREQUENCY, "5 GHz"),
        (4096, SIZE, "4 KiB"),
        (786_432, SIZE, "768 KiB"),
        (2**40, BANDWIDTH, "1 TiB/s"),
        (1_000_000, TIME, "1 us"),
        (1, TICKS, "1 tick"),
        (3, TICKS, "3 ticks"),
        (0, SIZE, "0 B"),
        (16, BITS, "16 bit"),
        (12, COUNT, "12"),
    ],
)
def test_how_is_a_quantity_written(value: int, dimension: Dimension, text: str) -> None:
    assert format_quantity(value, dimension) == text


@given(st.integers(-(10**25), 10**25), st.sampled_from(DIMENSIONS))
def test_is_what_is_written_read_back_exactly(value: int, dimension: Dimension) -> None:
    assert parse(format_quantity(value, dimension), dimension) == value


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_is_ceil_div_the_least_that_covers(dividend: int, divisor: int) -> None:
    quotient = ceil_div(dividend, divisor)
    assert (quotient - 1) * divisor < dividend <= quotient * divisor


@pytest.mark.parametrize(
    ("ticks", "clock", "text"),
    [
        (0, 5 * 10**9, "0 ps"),
        (1, 5 * 10**9, "200 ps"),
        (5, 5 * 10**9, "1 ns"),
        (7, 5 * 10**9, "1.4 ns"),
        (1, 3 * 10**9, "333.333 ps"),
        (2, 3 * 10**9, "666.667 ps"),
        (123_456_789, 5 * 10**9, "24.691 ms"),
        (10**10, 5 * 10**9, "2 s"),
        (-7, 5 * 10**9, "-1.4 ns"),
    ],
)
def test_how_long_are_ticks_at_a_clock(ticks: int, clock: int, text: str) -> None:
    assert ticks_as_time(ticks, clock) == text


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("14.8 mW", POWER, "14.8"),
        ("1.2 W", POWER, "1200"),
        ("42 fJ", ENERGY, "0.042"),
        ("-25 dBm", LEVEL, "-25"),
        ("-0.5 dBm", LEVEL, "-0.5"),
        ("0.33 dB", LOSS, "0.33"),
        ("1.184 mm", LENGTH, "1184"),
        ("3.587088 mm2", AREA, "3587088"),
        ("604.347 ps", TIME, "604.347"),
        ("0.604347 ns", TIME, "604.347"),
        ("4.39", COUNT, "4.39"),
    ],
)
def test_what_does_a_quantity_with_decimals_come_to(text: str, dimension: Dimension, value: str) -> None:
    assert parse_exact(text, dimension) == Fraction(value)


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        ("0.042", ENERGY, "42 fJ"),
        ("62.4", ENERGY, "62.4 pJ"),
        ("1184", LENGTH, "1.184 mm"),
        ("-25", LEVEL, "-25 dBm"),
        ("-0.05", LOSS, "-0.05 dB"),
        ("0", POWER, "0 mW"),
        ("0.3", COUNT, "0.3"),
    ],
)
def test_how_is_a_quantity_with_decimals_written(value: str, dimension: Dimension, text: str) -> None:
    assert format_exact(Fraction(value), dimension) == text


@given(st.integers(-(10**20), 10**20), st.integers(0, 25), st.sampled_from(OF_DEVICES))
def test_is_what_is_written_with_decimals_read_back_exactly(
    value: int, shift: int, dimension: Dimension
) -> None:
    exact = Fraction(value, 10**shift)
    assert parse_exact(format_exact(exact, dimension), dimension) == exact


def test_is_no_decimal_made_of_a_third() -> None:
    with pytest.raises(ValueError, match="1/3 has no finite decimal"):
        format_exact(Fraction(1, 3), COUNT)


@pytest.mark.parametrize(
    ("count", "steps", "queries"),
    [(0, "steps", "queries"), (1, "step", "query"), (2, "steps", "queries"), (11, "steps", "queries")],
)
def test_is_a_noun_after_one_singular(count: int, steps: str, queries: str) -> None:
    assert (plural(count, "step"), plural(count, "query", "queries")) == (steps, queries)


@pytest.mark.parametrize("leaves", [*range(1, 70), 2**40, 2**40 + 1])
def test_how_deep_is_a_binary_tree(leaves: int) -> None:
    levels = ceil_log2(leaves)
    assert 2**levels >= leaves
    assert levels == 0 or 2 ** (levels - 1) < leaves
