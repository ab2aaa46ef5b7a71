"""Can users bring models of their own, and what is said of those that will not do?"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from small import gemm, machine, trace

import lsim
from lsim.errors import InputError
from lsim.models import Prediction, load_model, predict

WORK = trace(gemm("w1", "x", "y", 4, 4, 4), gemm("w2", "y", "z", 4, 4, 4))
ARCH = machine()
NAMES = ["make y", "make z"]


def from_csv(tmp_path: Path, text: str) -> Prediction:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return predict(load_model(str(path), ARCH), WORK, ARCH)


def from_python(tmp_path: Path, text: str, name: str = "Mine") -> Prediction:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return predict(load_model(f"{path}:{name}", ARCH), WORK, ARCH)


def refusal(tmp_path: Path, call: Any, *given: str) -> str:
    with pytest.raises(InputError) as error:
        call(tmp_path, *given)
    return str(error.value).replace(f"{tmp_path}/", "")


# -- tables --------------------------------------------------------------------------------------------------------
def test_reads_a_table_as_it_is_written(tmp_path: Path) -> None:
    said = from_csv(tmp_path, "operator,ticks,energy_pj\r\nmake z,1/3,0.1\n\nmake y, 2.5 ,2\n")
    assert [op.name for op, _ in said.operators] == NAMES
    assert [estimate.ticks for _, estimate in said.operators] == [Fraction(5, 2), Fraction(1, 3)]
    assert said.ticks == Fraction(17, 6)
    assert said.components == {"energy": Fraction("2.1")}
    assert said.to_dict()["ticks"] == "17/6"
    assert said.model == "mine.csv"


@pytest.mark.parametrize(
    "text", ["operator,ticks\nmake y,1\nmake z,2\n", "operator,ticks,energy_pj\nmake y,1,\nmake z,2,3\n"]
)
def test_is_energy_not_known_where_a_line_has_none(tmp_path: Path, text: str) -> None:
    said = from_csv(tmp_path, text)
    assert (said.ticks, said.components, said.to_dict()["energy_mj"]) == (3, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.csv:1: the first line is '', not 'operator,ticks[,energy_pj]'"),
        ("name,ticks\n", "mine.csv:1: the first line is 'name,ticks', not 'operator,ticks[,energy_pj]'"),
        ("operator,ticks\nmake y\n", "mine.csv:2: 1 values where 2 belong"),
        ("operator,ticks\nmake y,1,2\n", "mine.csv:2: 3 values where 2 belong"),
        ("operator,ticks\nmake y,\n", "mine.csv:2: operator 'make y' has no ticks"),
        ("operator,ticks\nmake y,nan\n", "mine.csv:2: make y: 'nan' is not a finite number"),
        ("operator,ticks\nmake y,inf\n", "mine.csv:2: make y: 'inf' is not a finite number"),
        ("operator,ticks\nmake y,1/0\n", "mine.csv:2: make y: '1/0' is not a finite number"),
        ("operator,ticks\nmake y,many\n", "mine.csv:2: make y: 'many' is not a finite number"),
        ("operator,ticks\nmake y,-1\n", "mine.csv:2: make y: -1 is negative"),
        ("operator,ticks,energy_pj\nmake y,1,-2\n", "mine.csv:2: make y: -2 is negative"),
        ("operator,ticks\nmake y,1\nmake y,1\n", "mine.csv:3: operator 'make y' stands twice, first in line 2"),
        ("operator,ticks\nmake y,1\nmake zz,1\n", "mine.csv:3: small has no operator 'make zz'; did you mean 'make z'?"),
        ("operator,ticks\nmake z,1\n", "mine.csv: has no line for operator 'make y' of small"),
        ("operator,ticks\n", "mine.csv: has no line for operator 'make y' of small, nor for 1 more"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_table_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, from_csv, text) == message


def test_what_is_said_of_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv: cannot be read: No such file or directory$"):
        load_model(str(tmp_path / "no.csv"), ARCH)
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"odd\.csv: cannot be read: no UTF-8$"):
        load_model(str(tmp_path / "odd.csv"), ARCH)


# -- classes -------------------------------------------------------------------------------------------------------
def test_is_one_method_enough(tmp_path: Path) -> None:
    said = from_python(
        tmp_path, "class Mine:\n    def estimate(self, operator, arch):\n        return operator.macs\n"
    )
    assert (said.model, said.ticks, said.components, said.terms, said.notes) == ("Mine", 128, None, {}, ())


def test_may_a_model_have_energy_terms_notes_and_a_trace(tmp_path: Path) -> None:
    said = from_python(
        tmp_path,
        "from fractions import Fraction\n"
        "from lsim import Estimate\n"
        "class Bound:\n"
        "    def __init__(self, n):\n        self.n = n\n"
        "    def estimate(self, operator, arch):\n        return Estimate(Fraction(1, self.n), {'laser': 0.5})\n"
        "    def terms(self, arch):\n        return {'start': Estimate(arch.core.tiles, 3)}\n"
        "    def notes(self, arch):\n        return ['a guess']\n"
        "class Mine:\n"
        "    name = 'guess'\n"
        "    def bind(self, trace):\n        return Bound(len(trace.operators))\n",
    )
    assert (said.model, said.ticks, said.notes) == ("guess", 3, ("a guess",))
    assert said.components == {"laser": 1, "energy": 3}
    assert list(said.to_dict()) == [
        "model", "trace", "arch", "latency_ms", "ticks", "energy_mj", "components", "operators", "terms", "notes",
    ]  # fmt: skip


ESTIMATE = "class Mine:\n    def estimate(self, operator, arch):\n        "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ESTIMATE}return float('nan')\n", "mine.py:2: make y: nan is not finite"),
        (f"{ESTIMATE}return float('inf')\n", "mine.py:2: make y: inf is not finite"),
        (f"{ESTIMATE}return -1\n", "mine.py:2: make y: -1 is negative"),
        (f"{ESTIMATE}return True\n", "mine.py:2: make y: True is not a number"),
        (f"{ESTIMATE}return 'many'\n", "mine.py:2: make y: 'many' is not a number"),
        (f"{ESTIMATE}pass\n", "mine.py:2: make y: has no estimate"),
        (f"{ESTIMATE}return 1 / 0\n", "mine.py:3: make y: Mine.estimate failed: ZeroDivisionError: division by zero"),
        (
            f"from lsim import Estimate\n{ESTIMATE}return Estimate(1, -2)\n",
            "mine.py:4: make y: -2 is negative",
        ),
        ("import nothing_of_the_kind\n", "mine.py:1: import failed: ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("class Mine\n", "mine.py:1: import failed: SyntaxError: expected ':' (mine.py, line 1)"),
        (
            "class Mien:\n    def estimate(self, operator, arch):\n        return 1\n",
            "mine.py: has no class 'Mine' with a method estimate(operator, arch); did you mean 'Mien'?; allowed: Mien",
        ),
        (
            "class Mine:\n    def __init__(self, size):\n        pass\n    def estimate(self, operator, arch):\n        return 1\n",
            "mine.py: Mine() failed: TypeError: Mine.__init__() missing 1 required positional argument: 'size'",
        ),
        (
            f"{ESTIMATE}return 1\n    def terms(self, arch):\n        return {{'start': -1}}\n",
            "Mine: start: -1 is negative",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_class_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, from_python, text) == message


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("publisht", {}, "--model: 'publisht' is not a model; did you mean 'published'?; allowed: published, roofline, "),
        ("nowhere.py:Mine", {}, "nowhere.py: is no Python file"),
        ("roofline", {"level": "crossbar"}, "--level: is for the model 'published', not for 'roofline'"),
        ("roofline", {"corrected": ["all"]}, "--correct: is for the model 'published', not for 'roofline'"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_model_that_is_not_there(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        load_model(name, ARCH, **options)
    assert str(error.value).startswith(message)


def test_is_a_model_in_python_used_like_those_of_lsim() -> None:
    class Mine:
        def estimate(self, operator: Any, arch: Any) -> int:
            return 2

    assert lsim.predict(Mine(), WORK, ARCH).ticks == 4
