"""Writes recorded.json: the outlines of what PyTorch did, so that the builders are held to them where PyTorch is not.

Run it by hand, with `tests` on the path, when a case is added: python tests/extract/record_golden.py
"""

import json
from pathlib import Path

from extract.models import CASES, Case
from outline import outline

from lsim.extract.api import from_class
from lsim.trace import Trace

FILE = Path(__file__).with_name("recorded.json")


def recorded(case: Case) -> Trace:
    """What the model's own code does, recorded."""
    return from_class(case.model, case.config, case.request)


def main() -> None:
    traces = {name: recorded(case) for name, case in CASES.items()}
    content = {
        name: {"made_by": trace.sources[0], "outline": outline(trace)} for name, trace in traces.items()
    }
    FILE.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
