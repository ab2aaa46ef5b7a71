"""Repeats in a sequence."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsim.trace import load_trace
from lsim.trace.structure import repeats

sequences = st.lists(st.integers(0, 3), max_size=60)


def expand(sequence, cover):
    return [item for start, length, count in cover for item in sequence[start : start + length] * count]


@given(sequences)
def test_does_expanding_the_cover_give_the_sequence_back(sequence):
    assert expand(sequence, repeats(sequence)) == sequence


@given(sequences)
def test_are_the_pieces_side_by_side(sequence):
    at = 0
    for start, length, count in repeats(sequence):
        assert start == at
        assert length >= 1
        assert count >= 1
        at = start + length * count
    assert at == len(sequence)


@given(st.lists(sequences.filter(bool), min_size=3, max_size=3), st.integers(3, 9))
def test_is_as_much_covered_by_one_piece_as_was_repeated(parts, count):
    before, body, after = parts
    covers = [length * times for _, length, times in repeats(before + body * count + after) if times > 1]
    assert max(covers) >= len(body) * count


@given(sequences)
def test_are_pieces_that_do_not_repeat_joined(sequence):
    cover = repeats(sequence)
    assert all(one[2] > 1 or other[2] > 1 for one, other in pairwise(cover))


@given(sequences)
def test_is_a_piece_never_itself_a_repeat(sequence):
    for start, length, count in repeats(sequence):
        piece = sequence[start : start + length]
        shorter = [p for p in range(1, length) if length % p == 0 and piece == piece[:p] * (length // p)]
        assert count == 1 or not shorter


@pytest.mark.parametrize(
    ("sequence", "cover"),
    [
        ("", []),
        ("a", [(0, 1, 1)]),
        ("abc", [(0, 3, 1)]),
        ("aaaa", [(0, 1, 4)]),
        ("abab", [(0, 2, 2)]),
        ("xabcabcy", [(0, 1, 1), (1, 3, 2), (7, 1, 1)]),
        ("aabaabaab", [(0, 3, 3)]),
        ("nnqnqnq", [(0, 1, 1), (1, 2, 3)]),
        ("ababcdcd", [(0, 2, 2), (4, 2, 2)]),
        ("abcabcabccccc", [(0, 3, 3), (9, 1, 4)]),
        ("aaaaabcabcabc", [(0, 1, 4), (4, 3, 3)]),
    ],
)
def test_what_is_the_cover_of_a_short_sequence(sequence, cover):
    assert repeats(sequence) == cover


def test_are_78_layers_of_15_operators_found():
    layer = [f"op{at}" for at in range(15)]
    sequence = ["embed", "first", *layer * 78, "norm", "head"]
    assert repeats(sequence) == [(0, 2, 1), (2, 15, 78), (1172, 2, 1)]


def test_are_the_layers_of_a_model_found_without_their_names():
    trace = load_trace("llama-3-70b-prefill-8192")
    signatures = [(op.kind, op.heads, op.rows, op.depth, op.columns, op.label) for op in trace.operators]
    assert repeats(signatures) == [(0, 1, 1), (1, 18, 80), (1441, 2, 1)]


@pytest.mark.parametrize(
    ("sequence", "limit"),
    [
        (["p", *list(range(15)) * 80], 0.02),
        (list(range(1200)), 0.02),
        (["a"] * 1200, 0.02),
        ([(at * at) % 7 for at in range(1200)], 0.02),
        ([at.bit_count() % 2 for at in range(1200)], 0.06),
        ([(at * 2654435761 >> 7) % 3 for at in range(1200)], 0.06),
    ],
    ids=["layers", "distinct", "equal", "squares", "thue-morse", "noise"],
)
def test_is_a_cover_found_at_once(sequence, limit):
    def seconds():
        start = time.process_time()
        repeats(sequence)
        return time.process_time() - start

    assert min(seconds() for _ in range(5)) < limit
