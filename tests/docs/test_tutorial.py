"""Is what the tutorial says so, and are its pictures of today's numbers?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT, faults, links

TUTORIAL = ROOT / "docs" / "tutorial.md"
PICTURES = ROOT / "docs" / "pictures"
SIGN = re.compile(r"<!-- numbers ([0-9a-f]{64}), matplotlib (\S+) -->\n\Z")


def test_is_all_that_the_tutorial_says_so(tmp_path: Path) -> None:
    found = faults(TUTORIAL.read_text(encoding="utf-8"), tmp_path)
    assert not found, "\n".join([*found, "… if the outputs are meant: python tests/documents.py"])


def test_does_every_link_of_the_tutorial_lead_to_a_file() -> None:
    found = links(TUTORIAL.read_text(encoding="utf-8"))
    assert {f"pictures/{picture.name}" for picture in PICTURES.iterdir()} <= set(found)
    assert [name for name in found if not (TUTORIAL.parent / name).is_file()] == []


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures as they would be drawn now."""
    folder = tmp_path_factory.mktemp("pictures")
    command = [sys.executable, str(ROOT / "scripts" / "pictures"), "--into", str(folder)]
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return folder


def test_are_the_pictures_those_that_the_script_draws(drawn: Path) -> None:
    """Their numbers always; their bytes where the same version of matplotlib draws them."""
    assert {path.name for path in drawn.iterdir()} == {path.name for path in PICTURES.iterdir()}
    assert list(_outdated(drawn)) == [], "python scripts/pictures"


def _outdated(drawn: Path) -> Iterator[str]:
    for now in drawn.iterdir():
        known = PICTURES / now.name
        numbers, version = _sign(known)
        if numbers != _sign(now)[0]:
            yield f"{now.name} shows other numbers"
        elif version == _sign(now)[1] and known.read_bytes() != now.read_bytes():
            yield f"{now.name} looks different"


def _sign(picture: Path) -> tuple[str, str]:
    """The digest of the numbers in a picture, and the version that drew it."""
    found = SIGN.search(picture.read_text(encoding="utf-8"))
    assert found, f"{picture.name} does not say what it shows"
    return found[1], found[2]
