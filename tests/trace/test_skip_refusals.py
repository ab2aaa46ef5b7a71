"""Which traces cannot be cut into bands, and why; what is made of the plainest that can, and of what stands beside?"""

from __future__ import annotations

import pytest
from generations import generation
from strategies import ODD

from lsim import load_trace
from lsim.errors import TraceError
from lsim.trace import Kind, loads
from lsim.trace.check import build
from lsim.trace.masks import by_reason, masked
from lsim.trace.skip import skip_masked


@pytest.mark.parametrize("queries", [0, -3, 2.5, True, "8"])
def test_is_a_band_without_queries_refused(queries: int) -> None:
    with pytest.raises(TraceError, match=f"at least one query, a whole number, not {queries}"):
        skip_masked(build(ODD.document), queries)


def test_is_a_trace_refused_in_which_nothing_is_known_to_be_masked() -> None:
    for name in ("deit-tiny", "llama-2-7b-decode-2048"):
        with pytest.raises(
            TraceError, match=f"{name}: has no causal attention: nothing in it is known to be masked"
        ):
            skip_masked(load_trace(name), 16)
    with pytest.raises(TraceError, match="has no causal attention"):
        skip_masked(generation("llama", 1, 3), 2)


def test_is_a_trace_refused_that_is_in_bands_already() -> None:
    with pytest.raises(TraceError, match="in bands already"):
        skip_masked(skip_masked(build(ODD.document), 3), 2)


def test_are_bands_refused_whose_keys_could_not_be_named() -> None:
    with pytest.raises(TraceError, match=r"bands of 1 query would have some .* make them wider"):
        skip_masked(load_trace("llama-2-7b-prefill-2048"), 1)


def test_are_as_many_names_allowed_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 layers of 683 bands, each with the keys, and the values, of itself and those before."""
    names = 32 * 2 * sum(range(683 + 1))
    with pytest.raises(TraceError, match=rf"some {names:,} pieces .*, at most 10,000,000"):
        skip_masked(load_trace("llama-2-7b-prefill-2048"), 3)
    banded = skip_masked(loads(PLAIN), 1)
    names = sum(len(o.operands[1]) for o in banded.operators if o.is_gemm)
    assert names == 2 * (1 + 2 + 3 + 4)
    monkeypatch.setattr("lsim.trace.skip.MAX_NAMES", names)
    assert skip_masked(loads(PLAIN), 1) == banded
    monkeypatch.setattr("lsim.trace.skip.MAX_NAMES", names - 1)
    with pytest.raises(TraceError, match=rf"some {names} pieces .*, at most {names - 1}"):
        skip_masked(loads(PLAIN), 1)


PLAIN = """\
{"lsim_trace": 1, "name": "plain"}
{"tensor": "q", "role": "input", "shape": [2, 4]}
{"tensor": "k", "role": "input", "shape": [2, 4]}
{"tensor": "v", "role": "input", "shape": [2, 4]}
{"op": "qk", "kind": "gemm", "causal": true, "rows": 4, "depth": 2, "columns": 4, "operands": ["q", "k"], "outputs": {"s": [4, 4]}}
{"op": "softmax", "kind": "softmax", "causal": true, "rows": 4, "columns": 4, "operands": ["s"], "outputs": {"p": [4, 4]}}
{"op": "sv", "kind": "gemm", "causal": true, "rows": 4, "depth": 4, "columns": 2, "operands": ["p", "v"], "outputs": {"o": [2, 4]}}
"""
LOOK = '{"op": "look", "kind": "activation", "rows": 4, "columns": 4, "operands": ["%s"], "outputs": {"seen": [4, 4]}}\n'
DOUBLE = '{"op": "twice", "kind": "residual", "rows": 4, "columns": 4, "operands": ["s", "%s"], "outputs": {"s2": [4, 4]}}\n'


BIAS = '{"lsim_trace": 1, "name": "plain"}\n{"tensor": "b", "role": "weight", "shape": [4]}\n'
UNEVEN = PLAIN.replace(
    '{"tensor": "k", "role": "input", "shape": [2, 4]}',
    '{"tensor": "k1", "role": "input", "shape": [3]}\n{"tensor": "k2", "role": "input", "shape": [5]}',
).replace('"q", "k"', '"q", ["k1", "k2"]')


def test_are_inputs_cut_and_what_is_left_behind_too() -> None:
    banded = skip_masked(loads(PLAIN), 3)
    assert [t.name for t in banded.inputs] == ["q:0", "q:1", "k:0", "k:1", "v:0", "v:1"]
    assert [t.name for t in banded.outputs] == ["o:0", "o:1"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PLAIN + LOOK % "s", "its scores are not only for its softmax"),
        (PLAIN + LOOK % "p", "its result is not only for a product with values"),
        (PLAIN.replace('"k", "role": "input"', '"k", "role": "weight"'), "k is a weight, which stays whole"),
        (PLAIN.replace('{"op": "qk", "kind": "gemm", "causal": true', '{"op": "qk", "kind": "gemm"'), "no causal product is found"),
        (PLAIN.replace('"sv", "kind": "gemm", "causal": true', '"sv", "kind": "gemm"'), "not only for a causal product with values"),
        (PLAIN.replace('softmax", "causal": true', 'softmax", "causal": true, "window": 2'), "its products have another window"),
        (PLAIN.replace('"kind": "softmax", "causal": true', '"kind": "softmax"'), "no causal softmax belongs to this product"),
        (BIAS + PLAIN.partition("\n")[2].replace('["q", "k"]', '["q", "k", "b"]'), "its product has a bias"),
        (PLAIN.replace('"rows": 4, "depth": 4, "columns": 2', '"heads": 2, "rows": 2, "depth": 4, "columns": 1').replace('"o": [2, 4]', '"o": [2, 2]'), "the product of its result has other heads or rows"),
        (PLAIN.replace('"rows": 4', '"rows": 6').replace("[4, 4]}}", "[6, 4]}}").replace("[2, 4]}}", "[2, 6]}}").replace('"q", "role": "input", "shape": [2, 4]', '"q", "role": "input", "shape": [2, 6]'), "6 rows are not whole groups of 4 queries"),
        (UNEVEN, "k1 cannot be divided among 4 tokens"),
    ],
)  # fmt: skip
def test_is_said_why_attention_cannot_be_cut(text: str, why: str) -> None:
    with pytest.raises(TraceError, match="has no causal attention that can be cut into bands: .*" + why):
        skip_masked(loads(text), 2)
    assert masked(loads(text)).dense


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('{"tensor": "b", "role": "input", "shape": [4, 4]}\n', "comes from outside"),
        ('{"tensor": "b", "role": "input", "shape": [4]}\n', "has no elements for each query and key"),
    ],
)
def test_is_said_why_what_is_added_cannot_be_cut(table: str, why: str) -> None:
    added = PLAIN.replace('"operands": ["s"]', '"operands": ["s2"]') + table + DOUBLE % "b"
    with pytest.raises(TraceError, match=why):
        skip_masked(loads(added), 2)


def test_stays_what_is_added_to_every_score_whole() -> None:
    one = '{"tensor": "b", "role": "weight", "shape": [1]}\n'
    added = PLAIN.replace('"operands": ["s"]', '"operands": ["s2"]') + one + DOUBLE % "b"
    banded = skip_masked(loads(added), 2)
    assert [o.operands[1] for o in banded.operators if o.kind is Kind.RESIDUAL] == [("b",), ("b",)]


def another(text: str = PLAIN) -> str:
    """The same attention once more, beside it: all names but those of tables begin with z."""
    second = text.partition("\n")[2].replace('"op": "', '"op": "z.')
    for name in ("q", "k", "v", "s", "s2", "p", "o"):
        second = second.replace(f'"{name}"', f'"z.{name}"')
    return second


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({'"causal": true': '"causal": true, "window": 2'}, "what is added to its scores is added to others of another window"),
        (
            {
                '{"tensor": "z.v", "role": "input", "shape": [2, 4]}': "",
                '"columns": 2, "operands": ["z.p", "z.v"], "outputs": {"z.o": [2, 4]}': '"columns": 4, "operands": ["z.p", "b"], "outputs": {"z.o": [4, 4]}',
            },
            "b is divided by queries and keys elsewhere",
        ),
    ],
    ids=["another window", "a value"],
)  # fmt: skip
def test_is_it_said_why_attention_stays_dense_that_has_its_bias_from_another(
    changes: dict[str, str], why: str
) -> None:
    added = PLAIN.replace('"operands": ["s"]', '"operands": ["s2"]') + DOUBLE % "b"
    table = '{"op": "bias", "kind": "activation", "rows": 4, "columns": 4, "operands": ["b0"], "outputs": {"b": [4, 4]}}\n'
    given = '{"tensor": "b0", "role": "weight", "shape": [4, 4]}\n'
    second = another(added)
    for old, new in changes.items():
        assert old in second
        second = second.replace(old, new)
    trace = loads(added + given + table + second)
    banded = skip_masked(trace, 2)
    assert f"Causal, but not in bands: z.softmax: {why}." in banded.conventions
    assert {o.name for o in banded.operators if o.band} == {
        f"{n}:{i}" for n in ("qk", "softmax", "sv") for i in "01"
    }


def test_is_attention_that_stays_dense_beside_others_said_in_the_trace() -> None:
    trace = loads(PLAIN + another() + (LOOK % "z.s"))
    banded = skip_masked(trace, 2)
    assert (
        "Causal, but not in bands: z.softmax: its scores are not only for its softmax." in banded.conventions
    )
    told = masked(banded)
    assert (told.dense, told.queries) == (True, 2)
    assert [o.name for o in banded.operators if o.causal and not o.band] == ["z.qk", "z.softmax", "z.sv"]


def test_is_a_reason_said_once_with_the_first_of_whom_it_holds_and_how_many_more() -> None:
    why = {"a": "one", "b": "another", "c": "one", "d": "one"}
    assert list(by_reason(why)) == ["a and 2 more: one", "b: another"]


def test_is_it_named_and_described_by_what_was_done() -> None:
    banded = skip_masked(loads(PLAIN), 3)
    assert banded.name == "plain-bands-3"
    assert banded.description == "causal attention in bands of 3 queries"
    described = skip_masked(loads(PLAIN.replace('"name"', '"description": "Four tokens", "name"')), 3)
    assert described.description == "Four tokens; causal attention in bands of 3 queries"


def test_are_the_scores_of_the_next_band_made_before_the_softmax_of_one() -> None:
    names = [o.name for o in skip_masked(loads(PLAIN), 2).operators]
    assert names == ["qk:0", "qk:1", "softmax:0", "sv:0", "softmax:1", "sv:1"]
