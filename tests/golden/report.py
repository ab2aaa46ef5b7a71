"""Everything that a run tells, as lines of text: what the golden files hold.

Run as a script, it writes them anew: `python tests/golden/report.py`. Read the difference before you commit it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsim import Result, load_arch, load_trace, simulate

FOLDER = Path(__file__).parent
CASES = (
    ("deit-tiny", "lt-b-4bit"),
    ("bert-base", "lt-l-8bit"),
    ("deit-tiny", "lt-b-4bit-narrow"),
    ("deit-tiny", "mrr-bank-4bit"),
    ("deit-tiny", "mzi-mesh-8bit"),
)
CHANGING = ("lsim", "cpu_s", "events", "folds")
"""The version, and how the numbers were come by."""


def run(trace: str, arch: str) -> Result:
    return simulate(load_trace(trace), load_arch(arch))


def path(trace: str, arch: str) -> Path:
    return FOLDER / f"{trace}.{arch}.txt"


def report(result: Result) -> str:
    """A line for each number, and one for each operator."""
    told = {key: value for key, value in result.to_dict().items() if key not in CHANGING}
    return "".join(f"{line}\n" for line in _lines("", told))


def _lines(place: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _lines(f"{place}.{key}" if place else key, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield f"{place} " + " ".join(f"{key}={_text(of)}" for key, of in inner.items())
    else:
        yield f"{place} {_text(value)}"


def _text(value: Any) -> str:
    """Of a float nine digits: the last of a laser's power are the C library's."""
    if isinstance(value, float):
        return f"{value:.9g}"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    for case in CASES:
        path(*case).write_text(report(run(*case)), encoding="utf-8", newline="\n")
        print(path(*case).relative_to(Path.cwd()) if path(*case).is_relative_to(Path.cwd()) else path(*case))
