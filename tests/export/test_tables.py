"""Do CSV and Parquet have every interval of a window, as the unfolded run has them?"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from exported import Case, cases
from hypothesis import HealthCheck, assume, given, settings
from small import attention, machine

from lsim import simulate
from lsim.errors import InputError
from lsim.export.rows import Row, Window
from lsim.export.tables import NUMBERS, write_csv, write_parquet

RUNS = settings(max_examples=15, suppress_health_check=list(HealthCheck))
COLUMNS = ["part", "begin", "end", "ticks", "state", "cause", "waits_for", "operator", "block"]


@RUNS
@given(cases())
def test_has_csv_every_interval(tmp_path: Path, case: Case | None) -> None:
    assume(case is not None)
    assert case is not None
    write_csv(case.window, tmp_path / "out.csv")
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == COLUMNS
    rows = [
        Row(**{k: None if v == "" else int(v) if k in NUMBERS else v for k, v in line.items()})
        for line in lines
    ]
    are_those_of_the_run(rows, case)


@RUNS
@given(cases())
def test_has_parquet_every_interval(tmp_path: Path, case: Case | None) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assume(case is not None)
    assert case is not None
    write_parquet(case.window, tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == COLUMNS
    are_those_of_the_run([Row(**line) for line in table.to_pylist()], case)
    told = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert case.window.result.trace.sha256 in told["trace"]
    assert case.window.result.arch.sha256 in told["arch"]
    assert told["window"].startswith(f"[{case.window.begin}, {case.window.end}) of")


def are_those_of_the_run(rows: list[Row], case: Case) -> None:
    for name in case.names:
        assert [row for row in rows if row.part == name] == case.rows(name)
    assert {row.part for row in rows} == set(case.names)
    assert [row.end for row in rows] == sorted(row.end for row in rows)


def test_is_a_window_of_too_many_intervals_refused_with_one_that_fits() -> None:
    result = simulate(attention(blocks=3), machine())
    window = Window.of(result, 7, result.ticks)
    count = window.count()
    window.check_count(count)
    for most in range(count // 3, count // 3 + 9):
        with pytest.raises(InputError, match=f"{count:,} intervals are more than the {most:,}") as refusal:
            window.check_count(most)
        begin, end = (int(n) for n in refusal.value.problem.rsplit(" ", 1)[1].split(":"))
        assert begin == 7
        assert Window.of(result, begin, end).count() <= most < Window.of(result, begin, end + 1).count()


def test_is_the_count_that_of_the_intervals_where_each_takes_time() -> None:
    """And more by those in which no time passes: each record of the run is counted once."""
    result = simulate(attention(blocks=3), machine())
    window = Window.of(result, 11, result.ticks // 2)
    assert 0 <= window.count() - len(list(window.rows())) < window.count() / 2


def test_are_the_same_bytes_written_for_the_same_window(tmp_path: Path) -> None:
    window = Window.of(simulate(attention(), machine()), 0, 200)
    for name in ("one", "two"):
        write_csv(window, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
