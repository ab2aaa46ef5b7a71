"""Causal attention in bands: is what is left out all that a band's queries do not need, and all else as it was?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import networkx
import pytest
from extract.models import CASES
from generations import LLAMA, WINDOWED, generation
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Causal, causals

from lsim import load_trace
from lsim.errors import TraceError
from lsim.extract.api import document_of
from lsim.trace import Kind, Operator, Role, Trace, dumps, loads
from lsim.trace.band import DENSE
from lsim.trace.check import build
from lsim.trace.document import Document, Repeat
from lsim.trace.generation import check
from lsim.trace.masks import masked
from lsim.trace.parse import parse
from lsim.trace.skip import skip_in, skip_masked
from lsim.trace.text import text_of
from lsim.trace.zoo import llama
from lsim.trace.zoo.generate import generate, llama_family

RUNS = settings(max_examples=60)
ODD = Causal(
    layers=2, batch=2, tokens=7, heads=2, group=2, size=3, window=0, fused=True, cached=True, bias=False
)


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


@RUNS
@given(causals(), st.integers(1, 9))
def test_is_the_folded_file_the_same_trace(one: Causal, queries: int) -> None:
    made = skip_in(one.document, queries)
    assert [item.count for item in made.items if isinstance(item, Repeat)] == [one.layers]
    flat = skip_masked(build(one.document), queries)
    assert loads(text_of(made)).sha256 == flat.sha256
    assert loads(dumps(flat)).sha256 == flat.sha256


SHARED = {  # what layers share: keys of the last layer that another attention reads
    "another": [
        '{"op": "qk", "kind": "gemm", "causal": true, "window": 2, "heads": 2, "rows": 5, "depth": 3, "columns": 5, "operands": ["l1.q", "l1.k"], "outputs": {"s": [2, 5, 5]}}',
        '{"op": "softmax", "kind": "softmax", "causal": true, "window": 2, "heads": 2, "rows": 5, "columns": 5, "operands": ["s"], "outputs": {"p": [2, 5, 5]}}',
        '{"op": "sv", "kind": "gemm", "causal": true, "window": 2, "heads": 2, "rows": 5, "depth": 5, "columns": 3, "operands": ["p", "l1.v"], "outputs": {"o": [6, 5]}}',
    ],
}


def test_is_a_repeat_written_out_where_one_of_its_layers_is_cut_otherwise() -> None:
    """Bands of two queries in a window of two need keys from an odd one on; those of the layers without a window do not."""
    one = Causal(
        layers=2, batch=1, tokens=5, heads=2, group=1, size=3, window=0, fused=True, cached=False, bias=False
    )
    document = parse("\n".join([text_of(one.document).strip(), *SHARED["another"]]))
    made = skip_in(document, 2)
    assert not any(isinstance(item, Repeat) for item in made.items)
    trace = loads(text_of(made))
    assert trace.sha256 == skip_masked(build(document), 2).sha256
    assert len([name for name in trace.tensors if name.startswith("l0.k:")]) == 3
    assert len([name for name in trace.tensors if name.startswith("l1.k:")]) == 5


def test_does_what_passes_from_layer_to_layer_stay_folded_when_it_is_cut() -> None:
    """Layers that attend to what they are given, without linear layers for queries, keys and values."""
    lines = [
        '{"lsim_trace": 1, "name": "bare"}',
        '{"tensor": "x0", "role": "input", "shape": [3, 4]}',
        '{"repeat": 3, "index": "i", "carry": {"x": ["x0", "o{i}"]}}',
        '{"op": "qk{i}", "kind": "gemm", "causal": true, "rows": 4, "depth": 3, "columns": 4, "operands": ["x", "x"], "outputs": {"s{i}": [4, 4]}}',
        '{"op": "softmax{i}", "kind": "softmax", "causal": true, "rows": 4, "columns": 4, "operands": ["s{i}"], "outputs": {"p{i}": [4, 4]}}',
        '{"op": "sv{i}", "kind": "gemm", "causal": true, "rows": 4, "depth": 4, "columns": 3, "operands": ["p{i}", "x"], "outputs": {"o{i}": [3, 4]}}',
        '{"end": "i"}',
    ]
    document = parse("\n".join(lines))
    made = skip_in(document, 3)
    assert [item.carry for item in made.items if isinstance(item, Repeat)] == [
        {"x:0": ("x0:0", "o{i}:0"), "x:1": ("x0:1", "o{i}:1")}
    ]
    assert loads(text_of(made)).sha256 == skip_masked(build(document), 3).sha256


def test_is_a_name_made_that_no_tensor_had() -> None:
    text = text_of(ODD.document).replace("l{i}.k", "l{i}.q:0").replace("l{i}.v", "l{i}.q::1")
    made = skip_masked(loads(text), 3)
    assert {"l0.q:::0", "l0.q:0:::0", "l0.q::1:::0"} <= made.tensors.keys()
    assert made.macs == skip_masked(build(ODD.document), 3).macs


# -- models --------------------------------------------------------------------------------------------------------
def products(trace: Trace) -> dict[bool, list[Operator]]:
    """The products of attention, in bands and not."""
    found = [o for o in trace.operators if o.is_gemm and not trace.is_linear(o)]
    return {banded: [o for o in found if (o.band is not None) == banded] for banded in (True, False)}


@pytest.mark.parametrize("name", ["t5", "whisper"])
def test_is_only_a_decoders_attention_to_itself_in_bands(name: str) -> None:
    case = CASES[name]
    dense = build(document_of(case.config, case.request))
    banded = skip_masked(dense, 3)
    made = products(banded)
    assert {o.name.split(".")[0] for o in made[True]} == {"decoder"}
    assert {o.name.split(".")[-2] for o in made[True]} == {"attn"}
    assert made[False] == [o for o in products(dense)[False] if not o.causal]
    assert any(".cross." in o.name for o in made[False])
    assert any(o.name.startswith("encoder.") for o in made[False])
    assert not masked(banded).dense


def test_is_a_bias_of_positions_gathered_in_full_and_read_where_it_is_needed() -> None:
    case = CASES["t5"]
    banded = skip_masked(build(document_of(case.config, case.request)), 3)
    rest = banded.tensors["decoder.bias.out:masked"]
    assert banded.consumers(rest.name) == ()
    assert rest.role is Role.ACTIVATION
    assert len(banded.consumers("decoder.bias.out:0")) == case.config.size("num_decoder_layers")


@pytest.mark.parametrize("name", CASES)
def test_is_every_family_cut_or_told_to_have_nothing_to_cut(name: str) -> None:
    case = CASES[name]
    document = document_of(case.config, case.request)
    dense = build(document)
    if not any(o.causal for o in dense.operators):
        with pytest.raises(TraceError, match="has no causal attention"):
            skip_masked(dense, 2)
        return
    assert any(DENSE in line for line in dense.conventions)
    banded = loads(text_of(skip_in(document, 2)))
    assert 0 < masked(banded).skipped == dense.macs - banded.macs
    assert not any(DENSE in line for line in banded.conventions)
    assert any("bands of 2 queries" in line for line in banded.conventions)


def test_is_the_file_of_a_large_model_small() -> None:
    """One layer is written, whatever the model has; names of pieces grow with the square of the bands, in that one."""
    text = text_of(skip_in(llama.prefill("70b", llama.LLAMA_3_70B, 8192), 256))
    assert len(text) < 100_000
    dense = load_trace("llama-2-7b-prefill-2048")
    assert len(skip_masked(dense, 256).operators) == len(dense.operators) + 32 * 3 * (8 - 1)


# -- generations ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", [LLAMA, WINDOWED])
def test_is_the_prefill_of_a_generation_cut_and_no_decode_step(model: llama.Llama) -> None:
    made = check(generate("small", llama_family(model), 9, 6, 2))
    banded = skip_masked(made, 4)
    assert banded.trace(0).operators == skip_masked(made.trace(0), 4).operators
    for step in range(1, 6):
        assert banded.trace(step).operators == made.trace(step).operators
    assert banded.parameters == made.parameters
    assert check(parse(text_of(banded.document))).sha256 == banded.sha256
    assert banded.masked.skipped == made.total_macs - banded.total_macs > 0
    assert banded.masked.macs == banded.total_macs


def test_is_a_generation_itself_where_a_band_has_its_whole_prompt() -> None:
    made = generation("llama", 7, 3)
    assert skip_masked(made, 7) is made


def growing(tokens: list[object]) -> Document:
    t = tokens[0]
    lines = [
        '{"lsim_trace": 1, "name": "grows"}',
        '{"steps": 3, "index": "t", "phase": "prompts"}',
        f'{{"tensor": "x", "role": "input", "shape": [2, {t}]}}',
        f'{{"op": "qk", "kind": "gemm", "causal": true, "rows": {t}, "depth": 2, "columns": {t}, "operands": ["x", "x"], "outputs": {{"s": [{t}, {t}]}}}}',
        f'{{"op": "softmax", "kind": "softmax", "causal": true, "rows": {t}, "columns": {t}, "operands": ["s"], "outputs": {{"p": [{t}, {t}]}}}}',
        f'{{"op": "sv", "kind": "gemm", "causal": true, "rows": {t}, "depth": {t}, "columns": 2, "operands": ["p", "x"], "outputs": {{"o": [2, {t}]}}}}',
        '{"end": "t"}',
    ]
    return parse("\n".join(lines))


def test_is_a_phase_refused_whose_prompts_grow() -> None:
    """As many bands in every step is what a phase can say; steps of 6, 7 and 8 tokens, the first in one band of 7."""
    grows = check(growing(['"6+t"']))
    for queries in (2, 6, 7):
        with pytest.raises(TraceError, match="phase prompts: its causal attention grows from step to step"):
            skip_masked(grows, queries)
    assert skip_masked(grows, 8) is grows
    same = skip_masked(check(growing(["6"])), 2)
    assert [len(same.trace(step).operators) for step in range(3)] == [9, 9, 9]


# -- what is refused, or left as it is -----------------------------------------------------------------------------
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
