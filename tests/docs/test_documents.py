"""Does replaying a page find what is wrong with it?"""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import faults, filled, links, pieces

RIGHT = """
Two lines:

```sh
printf 'one 1,234\\ntook 0.05 CPU s\\n'; echo kept > file
```
```text
one 1,234
took 0.31 CPU s
```

That is 1,234, and `12 is code` of M1 at 4-bit.

```python
text = open("file").read()
print(len(text), "letters, 12.5 %")
```

```text
5 letters, 12.5 %
```

It has 5<!-- = len(text) --> letters, or 12.5 %, half of 25.0 %<!-- = f"{2 * 12.5} %" -->, as a [file](there.md#1) says.
"""


def test_is_a_page_without_faults_found_right(tmp_path: Path) -> None:
    assert faults(RIGHT, tmp_path) == []


@pytest.mark.parametrize(
    ("part", "instead", "fault"),
    [
        ("one 1,234\ntook 0.31", "one 1,235\ntook 0.31", "prints something else"),
        ("one 1,234\ntook 0.31", "one  1,234\ntook 0.31", "prints something else"),
        ("took 0.31 CPU s\n```", "```", "prints something else"),
        ("took 0.31 CPU s", "took 0.31 wall s", "prints something else"),
        ("```text\none 1,234\ntook 0.31 CPU s\n```", "", "prints something else"),
        ("echo kept", "false; echo kept", "exit code 1"),
        ("echo kept", "false | cat; echo kept", "exit code 1"),
        ('open("file")', 'open("other")', "FileNotFoundError"),
        ("```python", "```py", "'py' is never run"),
        ("That is 1,234", "That is 1,235", "1,235 is neither quoted"),
        ("That is 1,234", "That is 234", "234 is neither quoted"),
        ("That is 1,234", "That is 5", "5 is neither quoted"),
        ("That is 1,234", "That is 12.5 %", "12.5 % is neither quoted"),  # not yet
        ("or 12.5 %", "or 12.5 ms", "12.5 ms is neither quoted"),
        ("has 5<", "has 6<", "6 is said to be len"),
        ("= len(text) -", "= len(texts) -", "NameError"),
        ("That is 1,234", "```text\n1,235\n```\nThat is 1,234", "nothing prints this"),
        ("25.0 %<", "25.0<", "25.0 is said to be"),
    ],
)
def test_is_a_fault_found(tmp_path: Path, part: str, instead: str, fault: str) -> None:
    assert RIGHT.count(part) == 1
    (found,) = set(faults(RIGHT.replace(part, instead), tmp_path)[:1])
    assert fault in found


def test_is_the_line_of_a_fault_told(tmp_path: Path) -> None:
    (found,) = faults("One.\n\nTwo\nand 3.\n", tmp_path)
    assert found.startswith("line 4: 3 is")


def test_is_an_open_block_an_error() -> None:
    with pytest.raises(ValueError, match="line 2: a block stays open"):
        list(pieces("One\n```sh\ntrue\n"))


def test_are_links_those_of_the_prose_to_files() -> None:
    assert links(RIGHT + "[a](https://there.org) ![b](b.svg)\n```sh\n[c](c)\n```\n") == ["there.md", "b.svg"]


def test_does_filling_a_page_change_its_outputs_and_nothing_else(tmp_path: Path) -> None:
    stale = RIGHT.replace("5 letters, 12.5 %\n```", "4 letters\nand more\n```")
    assert stale != RIGHT
    assert filled(stale, tmp_path) == RIGHT
    assert filled(RIGHT.replace("one 1,234\ntook 0.31", ""), tmp_path) == RIGHT.replace("0.31", "0.05")
