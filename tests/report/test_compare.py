"""Are runs side by side compared exactly?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pages import Page, at, report

from lsim import Result
from lsim.report.blocks import Figure, Number, Run, Table
from lsim.report.compare import differences, operators_aligned, tiles_aligned
from lsim.report.energy import energies
from lsim.report.ledger import rows_apart
from lsim.report.sections import sections


def table(blocks: object) -> Table:
    return next(block for block in blocks if isinstance(block, Table))


def values(row: object) -> list[int]:
    return [cell.value for cell in row if isinstance(cell, Number)]


def runs(deit: Result, wide: Result) -> list[Run]:
    return [Run("first", deit), Run("second", wide)]


def test_are_the_numbers_those_of_the_jsons(both: Page, deit: Result, wide: Result) -> None:
    told = [deit.to_dict(), wide.to_dict()]
    named = [(value, path) for value, path, _ in both.numbers if path]
    assert {path for _, path in named} >= {"0.ticks", "1.ticks", "0.utilization.core_busy", "1.macs"}
    for value, path in named:
        assert json.loads(value) == at(told, path)


def test_do_causes_sum_to_the_ticks_of_all_tiles(deit: Result, wide: Result) -> None:
    found = table(tiles_aligned(runs(deit, wide)).blocks)
    *causes, total = (values(row) for row in found.rows)
    assert total == [sum(column) for column in zip(*causes, strict=True)]
    first, second, more = total
    assert (first, second) == (4 * deit.ticks, 4 * wide.ticks)
    assert more == second - first


def test_do_operators_sum_to_the_run(deit: Result, wide: Result) -> None:
    found = table(operators_aligned(runs(deit, wide)).blocks)
    *operators, total = (values(row) for row in found.rows)
    assert total == [deit.ticks, wide.ticks, wide.ticks - deit.ticks]
    assert total == [sum(column) for column in zip(*operators, strict=True)]


def test_are_the_energies_those_of_the_runs(deit: Result, wide: Result) -> None:
    section = energies(runs(deit, wide))
    assert section is not None
    (*_, total) = table(section.blocks).rows
    each = [run.energy().total_pj for run in (deit, wide)]
    assert [cell.value for cell in total[1:]] == [float(pj) for pj in (*each, each[1] / each[0])]


def test_do_the_rows_lead_from_one_run_to_the_other(deit: Result, wide: Result) -> None:
    """In ticks, which are of one length in both, and in mJ; the table has each row, the last the difference."""
    blocks = rows_apart(runs(deit, wide)).blocks
    figures = [block.traces[0]["x"] for block in blocks if isinstance(block, Figure)]
    ends = [[deit.ticks, wide.ticks], [float(run.energy().total_pj) / 1e9 for run in (deit, wide)]]
    for (first, *steps, last), told in zip(figures, ends, strict=True):
        assert [first, last] == pytest.approx(told)
        assert first + sum(steps) == pytest.approx(last)
    times, energies_ = (block for block in blocks if isinstance(block, Table))
    for found, more in (
        (times, wide.ticks - deit.ticks),
        (energies_, float(wide.energy().total_pj - deit.energy().total_pj)),
    ):
        *each, (total,) = (values(row) for row in found.rows)
        assert sum(value for (value,) in each) == pytest.approx(total) == more


def test_are_the_differing_values_the_settings(deit: Result, wide: Result) -> None:
    found = table(differences(runs(deit, wide)).blocks)
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["dpu.lanes"] == ["1024 [A]", "4096 [A]"]
    assert rows["operands.bits"] == ["4 bit [P]", "8 bit [P]"]
    assert set(rows) == {"dpu.lanes", "operands.bits", "architecture, SHA-256"}


def test_differ_equal_runs_in_nothing(deit: Result) -> None:
    (said,) = differences(runs(deit, deit)).blocks
    assert "In nothing" in said.text


def test_is_one_run_a_page_and_two_a_comparison(deit: Result, wide: Result) -> None:
    assert len(sections(runs(deit, wide)[:1])) == 9
    assert [s.id for s in sections(runs(deit, wide))] == [
        "side-by-side",
        "differences",
        "tiles",
        "operators",
        "rows",
        "energies",
    ]


def test_are_three_runs_three_columns(folders: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "third"
    copy.mkdir()
    for path in folders[1].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    page = report([*folders, copy], tmp_path / "three.html")
    assert [trace["name"] for trace in page.script("figures")["operators"]["data"]] == [
        "first",
        "second",
        "third",
    ]
