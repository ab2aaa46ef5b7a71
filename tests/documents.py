"""A page of Markdown replayed: what its blocks print and what its prose says, against what is so.

- A ```sh block runs in bash, a ```python block in one interpreter for the page; all in order, in one new folder.
- What a block prints is the ```text block that follows it, to the last character; without one it prints nothing. CPU seconds are
  the only thing that varies, and the only thing that is masked: any `0.05 CPU s` stands for any other.
- A number in the prose is quoted or calculated. Quoted: with its unit (UNITS) it stands in a ```text block further up; a number
  of one or two digits without a unit cannot be quoted, since it would be found anywhere. Calculated: `1.98<!-- = expression -->`,
  an expression over the names of the ```python blocks further up, which gives the text, or an int. Inline code, link targets and numbers
  in names (M1, 4-bit) are no claims; numbers in words are not checked.

`python tests/documents.py` writes into the tutorial what its blocks print now; the prose is yours to read again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from difflib import unified_diff
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import field, frozen

ROOT = Path(__file__).resolve().parent.parent
PROSE, SHELL, PYTHON, OUTPUT = "prose", "sh", "python", "text"

UNITS = r"(?: (?:%|[GM]Hz|[pnm]s|KiB|mJ)(?!\w))?"
NUMBER = re.compile(rf"(?<![\w.,-])\d(?:[\d.,]*\d)?{UNITS}(?![-\w])")
CALCULATED = re.compile(rf"({NUMBER.pattern})<!-- = (.*?) -->", re.DOTALL)
NO_CLAIMS = re.compile(r"<!--.*?-->|`[^`]*`|\]\([^)]*\)", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
CPU_SECONDS = re.compile(r"\b\d+\.\d+ CPU s\b")


@frozen
class Piece:
    """A stretch of prose or a block. `line`: of its first line, from 1."""

    kind: str
    line: int
    text: str


def pieces(page: str) -> Iterator[Piece]:
    """The pieces of a page in order; raises ValueError for a block that stays open."""
    kind, begin, lines = PROSE, 1, list[str]()
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("```"):
            lines.append(line)
            continue
        if lines or kind != PROSE:
            yield Piece(kind, begin, "\n".join(lines))
        kind, begin, lines = line[3:].strip() if kind == PROSE else PROSE, number + 1, []
    if kind != PROSE:
        raise ValueError(f"line {begin - 1}: a block stays open")
    yield Piece(kind, begin, "\n".join(lines))


def links(page: str) -> list[str]:
    """The files that a page points to, as it writes them."""
    return [name for piece in pieces(page) if piece.kind == PROSE for name in LINK.findall(piece.text)]


def faults(page: str, folder: Path) -> list[str]:
    """Runs a page in an empty folder and says what of it is not so; nothing if all of it is."""
    return list(_Replay(folder).faults(page))


def filled(page: str, folder: Path) -> str:
    """The page with what its blocks print now; what differs in CPU seconds only stays as it is."""
    replay, printed, texts = _Replay(folder), "", list[str]()
    for piece in pieces(page):
        if piece.kind in (SHELL, PYTHON):
            printed = replay.printed(piece).rstrip("\n")
        same = piece.kind != OUTPUT or CPU_SECONDS.sub("", piece.text) == CPU_SECONDS.sub("", printed)
        text = piece.text if same else printed
        texts.append(text if piece.kind == PROSE else f"```{piece.kind}\n{text}\n```")
    return "\n".join(texts).rstrip("\n") + "\n"


@frozen
class _Replay:
    folder: Path
    names: dict[str, Any] = field(factory=dict)
    shown: list[str] = field(factory=list)

    def faults(self, page: str) -> Iterator[str]:
        run = [piece for piece in pieces(page) if piece.kind != PROSE or piece.text.strip()]
        for before, piece, after in zip([None, *run], run, [*run[1:], None], strict=False):
            if piece.kind == PROSE:
                yield from self._prose(piece)
            elif piece.kind == OUTPUT:
                self.shown.append(piece.text)
                if before is None or before.kind not in (SHELL, PYTHON):
                    yield f"line {piece.line}: nothing prints this"
            elif piece.kind in (SHELL, PYTHON):
                said = after.text if after and after.kind == OUTPUT else ""
                yield from _differences(piece, said, self.printed(piece))
            else:
                yield f"line {piece.line}: a block of {piece.kind!r} is never run"

    # -- blocks ----------------------------------------------------------------------------------------------------
    def printed(self, piece: Piece) -> str:
        """What a block prints."""
        here = self.folder / "here"
        here.mkdir(exist_ok=True)
        return self._shell(piece, here) if piece.kind == SHELL else self._python(piece, here)

    def _shell(self, piece: Piece, here: Path) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        environment |= {
            "PATH": f"{self._commands()}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        command = ["bash", "-euo", "pipefail", "-c", piece.text]
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
        return done.stdout + (f"exit code {done.returncode}: {done.stderr}" if done.returncode else "")

    def _commands(self) -> Path:
        """A folder with `lsim`, that of this checkout."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        command = folder / "lsim"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lsim "$@"\n')
        command.chmod(0o755)
        return folder

    def _python(self, piece: Piece, here: Path) -> str:
        printed = StringIO()
        with chdir(here), redirect_stdout(printed):
            try:
                exec(compile(piece.text, f"block of line {piece.line}", "exec"), self.names)
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
        return printed.getvalue()

    # -- prose -----------------------------------------------------------------------------------------------------
    def _prose(self, piece: Piece) -> Iterator[str]:
        for number, expression in CALCULATED.findall(piece.text):
            value = self._value(expression)
            if number != value:
                yield f"{_where(piece, number)} is said to be {expression}, which is {value}"
        plain = NO_CLAIMS.sub(" ", CALCULATED.sub(" ", piece.text))
        for number in NUMBER.findall(plain):
            if not self._is_quoted(number):
                yield f"{_where(piece, number)} is neither quoted from what was printed nor calculated"

    def _value(self, expression: str) -> str:
        try:
            with chdir(self.folder / "here"):
                value = eval(expression, self.names)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    def _is_quoted(self, number: str) -> bool:
        if number.isdigit() and len(number) < 3:
            return False
        whole = re.compile(rf"(?<![\w.,]){re.escape(number)}(?!\w|[.,]\d)")
        return any(whole.search(text) for text in self.shown)


def _where(piece: Piece, number: str) -> str:
    line = piece.line + piece.text[: piece.text.find(number)].count("\n")
    return f"line {line}: {number}"


def _differences(piece: Piece, said: str, printed: str) -> Iterator[str]:
    page, now = (CPU_SECONDS.sub("… CPU s", text).rstrip("\n").splitlines() for text in (said, printed))
    lines = unified_diff(page, now, "the page", "now", n=0, lineterm="")
    if difference := "\n".join(lines):
        yield f"line {piece.line}: this prints something else\n{piece.text}\n{difference}"


def main() -> None:
    tutorial = ROOT / "docs" / "tutorial.md"
    with TemporaryDirectory() as folder:
        tutorial.write_text(filled(tutorial.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
