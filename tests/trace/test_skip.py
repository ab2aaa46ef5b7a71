"""Causal attention in bands: is what is left out all that a band's queries do not need, and all else as it was?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import ODD, Causal, causals

from lsim import load_trace
from lsim.trace import Kind, Trace
from lsim.trace.check import build
from lsim.trace.masks import masked
from lsim.trace.skip import skip_in, skip_masked

RUNS = settings(max_examples=60)


def needs(tokens: int, window: int) -> list[list[int]]:
    """The keys of each query, one mask element after the other."""
    seen = [[k <= t and (not window or k > t - window) for k in range(tokens)] for t in range(tokens)]
    return [[k for k, allowed in enumerate(row) if allowed] for row in seen]


def cut(tokens: int, window: int, queries: int) -> Iterator[tuple[int, int, int, int]]:
    """(first query, last, first key, last) of each band, from the mask."""
    rows = needs(tokens, window)
    for begin in range(0, tokens, queries):
        band = range(begin, min(begin + queries, tokens))
        keys = {key for t in band for key in rows[t]}
        yield band[0], band[-1], min(keys), max(keys)


def attention_macs(one: Causal, pairs: int) -> int:
    """MACs of Q·Kᵀ and S·V of so many pairs of a query and a key in each head of each sequence."""
    return 2 * one.layers * one.batch * one.heads * one.group * one.size * pairs


@RUNS
@given(causals(), st.integers(1, 10))
def test_are_macs_those_of_the_queries_and_keys_of_each_band(one: Causal, queries: int) -> None:
    dense = build(one.document)
    banded = skip_masked(dense, queries)
    computed = sum(
        (last - first + 1) * (end - begin + 1)
        for first, last, begin, end in cut(one.tokens, one.window, queries)
    )
    if queries >= one.tokens:
        computed = one.tokens**2
    needed = sum(map(len, needs(one.tokens, one.window)))
    assert dense.macs - banded.macs == attention_macs(one, one.tokens**2 - computed)
    told = masked(banded)
    assert told.macs == banded.macs
    assert told.masked == attention_macs(one, computed - needed)
    assert told.skipped == dense.macs - banded.macs
    assert told.queries == (queries if queries < one.tokens else 0)
    assert masked(dense).masked == attention_macs(one, one.tokens**2 - needed)


@RUNS
@given(causals())
def test_computes_a_band_of_one_query_nothing_that_is_masked(one: Causal) -> None:
    banded = skip_masked(build(one.document), 1)
    assert masked(banded).masked == 0
    products = sum(o.macs for o in banded.operators if o.is_gemm and not banded.is_linear(o))
    assert products == attention_macs(one, sum(map(len, needs(one.tokens, one.window))))


@pytest.mark.parametrize("queries", [7, 8, 1000])
def test_is_a_band_of_all_queries_the_trace_itself(queries: int) -> None:
    dense = build(ODD.document)
    assert skip_masked(dense, queries) is dense
    assert skip_in(ODD.document, queries) == ODD.document


@pytest.mark.parametrize(
    ("tokens", "queries", "pairs"),
    [
        (2048, 128, 128 * 128 * 16 * 17 // 2),
        (2048, 512, 512 * 512 * 4 * 5 // 2),
        (2048, 1000, 1000**2 * 3 + 48 * 2048),
    ],
)
def test_are_macs_of_a_published_model_those_of_the_formula(tokens: int, queries: int, pairs: int) -> None:
    """32 layers of 32 heads of 128; all else is linear."""
    dense = load_trace("llama-2-7b-prefill-2048")
    banded = skip_masked(dense, queries)
    assert dense.macs - banded.macs == 2 * 32 * 32 * 128 * (tokens**2 - pairs)
    assert banded.parameters == dense.parameters


@RUNS
@given(causals(), st.integers(1, 9))
def test_does_every_band_read_and_write_what_its_tokens_have(one: Causal, queries: int) -> None:
    """Tensors are told apart by how many elements of the whole come before a piece."""
    dense, banded = build(one.document), skip_masked(build(one.document), queries)
    for first, last, begin, end in cut(one.tokens, one.window, queries) if queries < one.tokens else ():
        qk, sv = (
            o
            for o in banded.operators
            if o.band and o.band.begin == first and o.is_gemm and o.name.startswith("l0.")
        )
        assert tokens_of(banded, dense, qk.operands[0], one.tokens) == (first, last + 1)
        assert tokens_of(banded, dense, qk.operands[1], one.tokens) == (begin, end + 1)
        assert tokens_of(banded, dense, sv.operands[1], one.tokens) == (begin, end + 1)
        assert tokens_of(banded, dense, sv.outputs, one.tokens) == (first, last + 1)


def tokens_of(banded: Trace, dense: Trace, pieces: tuple[str, ...], tokens: int) -> tuple[float, float]:
    """From which token to which the pieces of one tensor reach; they follow each other."""
    (whole,) = {name.partition(":")[0] for name in pieces}
    numbers = [int(name.partition(":")[2]) for name in pieces]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    every = sorted(
        (int(name.partition(":")[2]), t.elements)
        for name, t in banded.tensors.items()
        if name.partition(":")[0] == whole
    )
    ends = [0, *accumulate(elements for _, elements in every)]
    assert ends[-1] == dense.tensors[whole].elements
    a_token = dense.tensors[whole].elements / tokens
    return ends[numbers[0]] / a_token, ends[numbers[-1] + 1] / a_token


@RUNS
@given(causals(), st.integers(1, 9))
def test_is_all_else_as_it_was(one: Causal, queries: int) -> None:
    """Elements and roles of all tensors but scores, parameters, and which operator outside attention comes after which."""
    dense, banded = build(one.document), skip_masked(build(one.document), queries)
    assert banded.parameters == dense.parameters
    inner = {o.name for o in dense.operators if o.causal or o.kind is Kind.RESIDUAL}
    scores = {
        name for o in dense.operators if o.name in inner and o.depth != one.tokens for name in o.outputs
    }
    scores |= {name for o in dense.operators if o.kind is Kind.SOFTMAX for name in o.outputs}
    for tensor in dense.tensors.values():
        if tensor.name not in scores and not tensor.name.endswith(("qk.out", "bias.out")):
            pieces = [t for name, t in banded.tensors.items() if name.partition(":")[0] == tensor.name]
            assert sum(piece.elements for piece in pieces) == tensor.elements
            assert {piece.role for piece in pieces} == {tensor.role}
    assert reached(banded, inner) == reached(dense, inner)


def reached(trace: Trace, inner: set[str]) -> dict[str, set[str]]:
    graph = trace.graph()
    outside = {name for name in graph if name.partition(":")[0] not in inner}
    return {name: networkx.descendants(graph, name) & outside for name in outside}
