"""What does an error say, and what does the command line return for it?"""

import pickle

import pytest

from lsim import errors
from lsim.errors import ArchError, Deadlock, InputError, LawBroken, LsimError, closest


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("it is bad"), "it is bad"),
        (InputError("it is bad", file="a.yaml"), "a.yaml: it is bad"),
        (InputError("it is bad", file="a.yaml", line=3), "a.yaml:3: it is bad"),
        (InputError("it is bad", line=3), "line 3: it is bad"),
        (InputError("it is bad", place="hbm.channels"), "hbm.channels: it is bad"),
        (InputError("no x", known=("a", "b")), "no x; allowed: a, b"),
        (InputError("?", known=("tiles", "b"), given="tile"), "?; did you mean 'tiles'?; allowed: tiles, b"),
        (
            InputError("no x", file="a.yaml", line=3, place="core", known=("tiles",), given="tile"),
            "a.yaml:3: core: no x; did you mean 'tiles'?; allowed: tiles",
        ),
    ],
)  # fmt: skip
def test_which_pieces_does_an_input_error_show(error: InputError, text: str) -> None:
    assert str(error) == text


def test_does_at_keep_what_an_error_knows_already() -> None:
    error = InputError("it is bad", line=3).at(file="a.yaml", line=9, place="core")
    assert str(error) == "a.yaml:3: core: it is bad"


def test_does_a_broken_law_name_part_and_tick() -> None:
    assert str(LawBroken("hbm", 7, "busy for 9 of 8 ticks")) == "hbm, tick 7: busy for 9 of 8 ticks"


def test_does_a_deadlock_say_who_waits_for_whom() -> None:
    error = Deadlock("kernel", 7, "nothing can happen", ["m2 fill waits for hbm", "hbm waits for m2 fill"])
    assert str(error) == (
        "kernel, tick 7: nothing can happen\n  m2 fill waits for hbm\n  hbm waits for m2 fill"
    )


def test_what_does_the_command_line_return() -> None:
    assert [kind.exit_code for kind in (InputError, ArchError, LawBroken, Deadlock)] == [2, 2, 1, 1]


def test_is_the_tree_in_the_docstring_the_tree() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, LsimError)]
    tree = str(errors.__doc__)
    assert all(f" {kind.__name__} " in tree for kind in kinds)
    assert sum(word.endswith(("Error", "Broken", "Deadlock")) for word in tree.split()) == len(kinds)


@pytest.mark.parametrize(
    "error",
    [
        InputError("bad", file="f", line=1, place="p", known=["a"], given="b"),
        Deadlock("hbm", 3, "stuck", ["a waits for b"]),
    ],
)
def test_does_an_error_survive_the_way_from_a_worker_process(error: LsimError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    ("given", "meant"),
    [("chanels", "channels"), ("BANK", "banks"), ("zzz", None), ("banks", None), (None, None)],
)
def test_which_known_word_is_meant(given: str | None, meant: str | None) -> None:
    assert closest(given, ["channels", "banks"]) == meant
