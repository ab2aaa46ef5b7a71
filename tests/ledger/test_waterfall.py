"""Do the bars of a waterfall lead from the model to the simulation, and is the picture the same each time?"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from small import layers, machine
from strategies import runs

import lsim
from lsim import Result, predict
from lsim.errors import InputError
from lsim.ledger.ledger import ledger
from lsim.ledger.waterfall import LEAST, REST, bars, drawn, write_waterfall
from lsim.models.roofline import Roofline


@settings(max_examples=20)
@given(runs())
def test_does_each_bar_begin_where_the_one_before_ends(result: Result) -> None:
    found = ledger(predict(Roofline(), result.trace, result.arch), result)
    first, *rows, last = bars(found)
    assert (first.value, last.value) == (found.model, result.ticks)
    at = first.value
    for bar in rows:
        assert bar.begin == at
        at += bar.value
    assert at == last.value
    assert all(abs(bar.value) >= LEAST * max(found.model, result.ticks) for bar in rows if bar.name != REST)


@pytest.mark.parametrize("form", ["svg", "png"])
def test_is_a_picture_the_same_bytes_each_time(form: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = lsim.validate(layers(3), machine())
    path = tmp_path / f"out.{form}"
    write_waterfall(found, path)
    assert path.read_bytes() == drawn(found, form)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_has_the_picture_a_bar_for_each(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = lsim.validate(layers(3), machine())
    picture = ElementTree.fromstring(drawn(found, "svg"))
    patches = [one for one in picture.iter() if one.get("id", "").startswith("patch_")]
    assert len(patches) == len(bars(found)) + 4  # the figure, the axes, and two spines


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.pdf", r"--plot: 'out.pdf' is no name of a picture"),
        ("no/out.svg", "is in a folder that is not there"),
    ],
)
def test_is_a_file_that_cannot_be_drawn_refused_before_a_run(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write_waterfall(None, tmp_path / name)  # type: ignore[arg-type]
