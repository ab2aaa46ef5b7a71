"""Trace files: found by path or by name, read, and written so that a reader never sees half of one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lsim.data import data_dir
from lsim.errors import TraceError
from lsim.trace.check import build
from lsim.trace.document import Document
from lsim.trace.generation import Generation, check
from lsim.trace.ir import Trace
from lsim.trace.parse import parse
from lsim.trace.text import dumps

SUFFIX = ".jsonl"
Made = TypeVar("Made")


def load_trace(name_or_path: str | Path) -> Trace:
    """The trace in a file, or of a name in `list_traces()`. Refuses a generation, which is many: see `load_workload`."""
    return _made(name_or_path, build)


def load_workload(name_or_path: str | Path) -> Trace | Generation:
    """The trace, or the generation, in a file or of a name."""
    return _made(name_or_path, lambda document: check(document) if document.phases else build(document))


def load_document(name_or_path: str | Path) -> Document:
    """What is written in a file or of a name, repeats and steps folded as they are there; names and sizes are not checked."""
    return _made(name_or_path, lambda document: document)


def _made(name_or_path: str | Path, make: Callable[[Document], Made]) -> Made:
    path = _find(name_or_path)
    try:
        return make(parse(read_text(path)))
    except TraceError as error:
        raise error.at(file=path) from None


def loads(text: str) -> Trace:
    """The trace in a text."""
    return build(parse(text))


def list_traces() -> list[str]:
    """The names of the traces that come with lsim."""
    return sorted(path.stem for path in data_dir("traces").glob(f"*{SUFFIX}"))


def save(trace: Trace, path: str | Path) -> None:
    """Write a trace in its canonical form."""
    write_text(path, dumps(trace))


def write_text(path: str | Path, text: str) -> None:
    """Write a file of text whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it takes its place."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _find(name_or_path: str | Path) -> Path:
    path, known = Path(name_or_path), list_traces()
    if name_or_path in known:
        return data_dir("traces") / f"{name_or_path}{SUFFIX}"
    if isinstance(name_or_path, Path) or path.suffix == SUFFIX or len(path.parts) > 1 or path.is_file():
        return path
    raise TraceError(f"no trace is named {name_or_path!r}", known=known, given=name_or_path)


def read_text(path: Path) -> str:
    """The text of a file; raises TraceError where there is none."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise TraceError(f"is not UTF-8 text: byte {error.start}") from None
