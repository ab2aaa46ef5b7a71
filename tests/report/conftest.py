"""Runs and their pages, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import Page, report

from lsim import Result, load_arch, load_trace, simulate
from lsim.results.output import write_result


@pytest.fixture(scope="session")
def deit() -> Result:
    return simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))


@pytest.fixture(scope="session")
def wide() -> Result:
    """The same with more lanes and other operand widths."""
    arch = load_arch("lt-b-8bit").with_settings({"dpu.lanes": "4096"})
    return simulate(load_trace("deit-tiny"), arch)


@pytest.fixture(scope="session")
def folders(deit: Result, wide: Result, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    for name, result in (("first", deit), ("second", wide)):
        write_result(result, root / name)
    return [root / "first", root / "second"]


@pytest.fixture(scope="session")
def file(folders: list[Path]) -> Path:
    """The report on the first run."""
    path = folders[0].parent / "first.html"
    report(folders[:1], path)
    return path


@pytest.fixture(scope="session")
def page(file: Path) -> Page:
    return Page(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def both(folders: list[Path]) -> Page:
    """The report that compares the two."""
    return report(folders, folders[0].parent / "both.html")
