"""A file written in one go as it is made, in constant memory, and there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lsim.errors import InputError


@contextmanager
def new_file(path: Path, text: bool = False) -> Iterator[IO[Any]]:
    """A new file beside `path` that takes its place at the end; raises InputError where that is not possible."""
    if path.is_dir():
        raise InputError("is a folder", file=path)
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with _opened(temporary, text) as file:
            yield file
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", file=path) from None
    finally:
        temporary.unlink(missing_ok=True)


def _opened(path: Path, text: bool) -> IO[Any]:
    return open(path, "w", encoding="utf-8", newline="") if text else open(path, "wb")
