"""A page of a report, read as a browser would read its text: elements, numbers, embedded data."""

from __future__ import annotations

import json
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zlib import decompress

from click.testing import CliRunner

from lsim.cli import cli


class Page(HTMLParser):
    """`elements`: (tag, attributes) in order. `numbers`: (value, place in the JSON, text). `scripts`: (attributes, content)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.numbers: list[list[str]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.styles: list[str] = []
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        self.elements.append((tag, attributes))
        self._open = tag
        if tag == "data":
            self.numbers.append([attributes["value"], attributes.get("data-json", ""), ""])
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "data":
            self.numbers[-1][2] += data
        elif self._open == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._open == "style":
            self.styles.append(data)

    def script(self, id: str) -> Any:
        """The JSON of a script."""
        return json.loads(next(content for attributes, content in self.scripts if attributes.get("id") == id))

    @property
    def packed(self) -> list[str]:
        """The packed data of the timeline."""
        return [content for attributes, content in self.scripts if attributes.get("class") == "timeline-data"]

    @property
    def data(self) -> list[Any]:
        """The same, unpacked: JSON, deflated, in base64."""
        return [json.loads(decompress(b64decode(content))) for content in self.packed]


def report(folders: list[Path], file: Path) -> Page:
    """The page that `lsim report` writes about runs."""
    done = CliRunner().invoke(cli, ["report", *map(str, folders), "-o", str(file)])
    assert done.exit_code == 0, done.output
    return Page(file.read_text(encoding="utf-8"))


def at(content: Any, path: str) -> Any:
    """What a JSON object has at a dotted path; a key may itself have dots."""
    if not path:
        return content
    if isinstance(content, list):
        first, _, rest = path.partition(".")
        return at(content[int(first)], rest)
    key = max((key for key in content if path == key or path.startswith(f"{key}.")), key=len)
    return at(content[key], path[len(key) + 1 :])
