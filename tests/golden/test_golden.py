"""Are the numbers of real models those of the committed reports? If they are meant to change: `python tests/golden/report.py`."""

from __future__ import annotations

from difflib import unified_diff

import pytest
from golden.report import CASES, path, report, run


@pytest.mark.parametrize("case", CASES, ids=lambda case: " on ".join(case))
def test_does_a_run_tell_what_it_told(case: tuple[str, str]) -> None:
    known, told = path(*case).read_text(encoding="utf-8").splitlines(), report(run(*case)).splitlines()
    difference = list(unified_diff(known, told, "committed", "now", n=0, lineterm=""))
    assert not difference, "\n".join([*difference[:60], "… if this is meant: python tests/golden/report.py"])


def test_is_no_report_left_over() -> None:
    assert {file.name for file in path("x", "y").parent.glob("*.txt")} == {path(*case).name for case in CASES}
