"""Runs from their folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lsim.errors import InputError
from lsim.report.blocks import Run
from lsim.results.store import MANIFEST, load_result


def load_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders, each with a name of its own. Raises InputError for what is not a run."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise InputError("is given twice", place=next(name for name in names if names.count(name) > 1))
    return [
        Run(name, load_result(folder), _digests(folder)) for name, folder in zip(names, folders, strict=True)
    ]


def _digests(folder: Path) -> dict[str, str]:
    return dict(json.loads((folder / MANIFEST).read_bytes())["files"])
