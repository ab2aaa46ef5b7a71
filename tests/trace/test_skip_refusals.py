"""Which traces cannot be cut into bands, and why; what is made of the plainest that can, and of what stands beside?"""

from __future__ import annotations

import pytest
from generations import generation
from strategies import ODD

from lsim import load_trace
from lsim.errors import TraceError
from lsim.trace import Kind, loads
from lsim.trace.check import build
from lsim.trace.masks import masked
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
    with pytest.raises(TraceError, match=r"bands of 1 queries would have some .* make them wider"):
        skip_masked(load_trace("llama-2-7b-prefill-2048"), 1)


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


def test_is_attention_that_stays_dense_beside_others_said_in_the_trace() -> None:
    whole = PLAIN.replace('"lsim_trace"', "").splitlines()[1:]
    second = "\n".join(whole).replace('"op": "', '"op": "z.').translate({})
    for name in "qkvspo":
        second = second.replace(f'"{name}"', f'"z.{name}"')
    trace = loads(PLAIN + second + "\n" + (LOOK % "z.s"))
    banded = skip_masked(trace, 2)
    assert (
        "Causal, but not in bands: z.softmax: its scores are not only for its softmax." in banded.conventions
    )
    told = masked(banded)
    assert (told.dense, told.queries) == (True, 2)
    assert [o.name for o in banded.operators if o.causal and not o.band] == ["z.qk", "z.softmax", "z.sv"]


def test_are_the_scores_of_the_next_band_made_before_the_softmax_of_one() -> None:
    names = [o.name for o in skip_masked(loads(PLAIN), 2).operators]
    assert names == ["qk:0", "qk:1", "softmax:0", "sv:0", "softmax:1", "sv:1"]
