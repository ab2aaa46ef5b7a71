"""What does a spelling of widths say, and which are refused?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsim import load_arch
from lsim.errors import ArchError
from lsim.widths import ALLOWED, Widths

WIDTHS = st.builds(Widths, *[st.sampled_from(ALLOWED)] * 3)


@given(WIDTHS)
def test_does_a_spelling_say_the_widths_that_it_was_made_of(widths: Widths) -> None:
    assert Widths.parse(widths.spelled) == widths
    assert Widths.parse(widths.spelled.lower()) == widths


def test_are_spaces_around_a_spelling_nothing() -> None:
    assert Widths.parse(" W4A8KV16\n") == Widths(4, 8, 16)


def test_are_kv_entries_as_wide_as_activations_if_not_said() -> None:
    assert Widths.parse("W4A16") == Widths(4, 16, 16)


@pytest.mark.parametrize(
    "text", ["", "W4", "A8", "W4A", "W4KV4", "A8W4", "W4A8KV", "W4A8KV4 x", "W-4A8", "W4.5A8"]
)
def test_is_another_spelling_refused(text: str) -> None:
    with pytest.raises(ArchError, match="is not of the form"):
        Widths.parse(text)


@pytest.mark.parametrize("widths", [4, 4.5, True, b"W4A8", ("W4A8",), Widths(4, 8, 8)])
def test_is_refused_what_is_no_spelling_at_all(widths: object) -> None:
    with pytest.raises(ArchError, match=r"--widths: .* is not of the form") as caught:
        load_arch("lt-b-4bit", widths=widths)  # type: ignore[arg-type]
    assert repr(widths) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"), [("W3A8", "weight"), ("W0A8", "weight"), ("W4A32", "activation"), ("W4A8KV2", "kv")]
)
def test_is_a_width_refused_that_nothing_stores(text: str, name: str) -> None:
    with pytest.raises(
        ArchError, match=rf"^--widths: '{text}': {name} cannot be \d+ bit; allowed: 4 bit, 8 bit, 16 bit"
    ):
        Widths.parse(text)
