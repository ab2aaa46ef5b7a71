"""Does a value change dump say what every part did, at the times that its timescale says?"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from exported import Case, cases
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from small import linear, machine

from lsim import load_arch, simulate
from lsim.export.rows import Window
from lsim.export.vcd import timescale, write_vcd

pytest.importorskip("vcd")
SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15}
Values = dict[str, str]


def parsed(text: str) -> tuple[str, dict[str, str], list[tuple[int, str, str]]]:
    """The timescale, the full name of each variable by its code, and (time, code, value) of every change."""
    header, _, body = text.partition("$enddefinitions $end")
    scopes: list[str] = []
    names: dict[str, str] = {}
    scale = header.split("$timescale")[1].split("$end")[0].strip()
    for line in header.splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            names[words[3]] = ".".join([*scopes, words[4]])
    assert not scopes
    return scale, names, list(values(body))


def values(body: str):  # type: ignore[no-untyped-def]
    now = -1
    for line in body.split("\n"):
        if line.startswith("#"):
            assert int(line[1:]) > now, "time goes on"
            now = int(line[1:])
        elif line and not line.startswith("$"):
            value, code = line.split(" ")
            yield now, code, value


def histories(text: str, part: str, factor: int) -> list[tuple[int, Values]]:
    """(tick, all values of the part) from each tick at which any changes."""
    _, names, changes = parsed(text)
    own = {
        code: name.removeprefix(f"{part}.") for code, name in names.items() if name.rpartition(".")[0] == part
    }
    assert set(own.values()) == {"state", "cause", "waits_for", "operator", "block"}
    found: list[tuple[int, Values]] = []
    for time, code, value in changes:
        if code in own:
            tick, rest = divmod(time, factor)
            assert rest == 0
            if not found or found[-1][0] != tick:
                found.append((tick, dict(found[-1][1]) if found else {}))
            found[-1][1][own[code]] = value
    return found


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(cases())
def test_has_a_dump_every_change(tmp_path: Path, case: Case | None) -> None:
    assume(case is not None)
    assert case is not None
    write_vcd(case.window, tmp_path / "out.vcd")
    text = (tmp_path / "out.vcd").read_text()
    assert parsed(text)[0] == "1 ns"  # of the machines of tests/strategies, 1 GHz
    for name in case.names:
        told = [
            (row.begin, shown(row.state, row.cause, row.waits_for, row.operator, row.block))
            for row in case.rows(name)
        ]
        changed = [told[0], *(two for one, two in pairwise(told) if one[1] != two[1])]
        assert histories(text, name, 1) == changed
    assert int(text.rsplit("#", 1)[1].split()[0]) == case.window.end


def shown(*row: object) -> Values:
    *words, block = row
    names = ("state", "cause", "waits_for", "operator")
    told = {name: f"s{word or ''}".replace(" ", "\\x20") for name, word in zip(names, words, strict=True)}
    return {**told, "block": "bx" if block is None else f"b{block:b}"}


@given(st.integers(1, 10**12))
@example(5 * 10**9)
@example(3 * 10**9)
def test_is_a_tick_a_whole_number_of_the_timescale(clock: int) -> None:
    size, unit, factor = timescale(clock)
    assert size in (1, 10, 100)
    if Fraction(10**15, clock).denominator == 1:
        assert Fraction(factor * size, SECONDS[unit]) == Fraction(1, clock)
    else:
        assert (size, unit, factor) == (1, "ns", 1)


def test_is_a_tick_of_5_ghz_two_steps_of_100_ps(tmp_path: Path) -> None:
    result = simulate(linear(8, 8, 8), load_arch("lt-b-4bit"))
    write_vcd(Window.of(result, 0, result.ticks), tmp_path / "out.vcd")
    text = (tmp_path / "out.vcd").read_text()
    assert parsed(text)[0] == "100 ps"
    assert f"#{2 * result.ticks}" in text
    assert "1 tick is shown as 2 x 100 ps" in text
    assert result.trace.sha256 in text
    assert histories(text, "core", 2)[0] == (0, shown("idle", None, "controller", None, None))


def test_are_the_same_bytes_written_for_the_same_window(tmp_path: Path) -> None:
    window = Window.of(simulate(linear(8, 8, 8), machine()), 3, 50)
    for name in ("one", "two"):
        write_vcd(window, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
