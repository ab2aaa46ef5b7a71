"""What does `lsim explain` print?"""

from __future__ import annotations

import json

from click.testing import CliRunner

from lsim.cli import cli
from lsim.results.meanings import MEANINGS, as_markdown


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["explain", *arguments])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


def test_does_it_list_every_number() -> None:
    listed = call()
    assert all(name in listed for name in MEANINGS)
    assert json.loads(call("--json")).keys() == MEANINGS.keys()


def test_does_it_say_all_that_is_known_of_one() -> None:
    text, meaning = call("utilization.occupied"), MEANINGS["utilization.occupied"]
    assert meaning.name in text and meaning.definition.split()[0] in text
    assert json.loads(call("occupied", "--json"))["utilization.occupied"]["unit"] == "share"


def test_does_it_write_the_page() -> None:
    assert call("--markdown") == as_markdown()


def test_is_an_unknown_name_refused_in_one_line() -> None:
    said = call("core_bsy", code=2)
    assert "did you mean 'core_busy'" in said and len(said.splitlines()) == 1
