"""Is the file of a trace in bands the trace that is cut in memory, and folded where its layers are cut alike?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import ODD, Causal, causals

from lsim import load_trace
from lsim.trace import dumps, loads
from lsim.trace.check import build
from lsim.trace.document import Repeat
from lsim.trace.parse import parse
from lsim.trace.skip import skip_in, skip_masked
from lsim.trace.text import text_of
from lsim.trace.zoo import llama

RUNS = settings(max_examples=60)


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


def test_is_a_repeat_written_out_whose_attention_reaches_over_its_borders() -> None:
    """An iteration ends with the scores that the softmax of the next one reads, or of what comes after the last."""
    lines = [
        '{"lsim_trace": 1, "name": "over"}',
        '{"tensor": "x0", "role": "input", "shape": [3, 4]}',
        '{"op": "qk", "kind": "gemm", "causal": true, "rows": 4, "depth": 3, "columns": 4, "operands": ["x0", "x0"], "outputs": {"s": [4, 4]}}',
        '{"repeat": 3, "index": "i", "carry": {"x": ["x0", "o{i}"], "given": ["s", "s{i}"]}}',
        '{"op": "softmax{i}", "kind": "softmax", "causal": true, "rows": 4, "columns": 4, "operands": ["given"], "outputs": {"p{i}": [4, 4]}}',
        '{"op": "sv{i}", "kind": "gemm", "causal": true, "rows": 4, "depth": 4, "columns": 3, "operands": ["p{i}", "x"], "outputs": {"o{i}": [3, 4]}}',
        '{"op": "qk{i}", "kind": "gemm", "causal": true, "rows": 4, "depth": 3, "columns": 4, "operands": ["o{i}", "o{i}"], "outputs": {"s{i}": [4, 4]}}',
        '{"end": "i"}',
        '{"op": "softmax", "kind": "softmax", "causal": true, "rows": 4, "columns": 4, "operands": ["s2"], "outputs": {"p": [4, 4]}}',
        '{"op": "sv", "kind": "gemm", "causal": true, "rows": 4, "depth": 4, "columns": 3, "operands": ["p", "o2"], "outputs": {"o": [3, 4]}}',
    ]
    document = parse("\n".join(lines))
    made = skip_in(document, 2)
    assert not any(isinstance(item, Repeat) for item in made.items)
    trace = loads(text_of(made))
    assert trace.sha256 == skip_masked(build(document), 2).sha256
    assert sum(o.band is not None for o in trace.operators) == 4 * 3 * 2
    assert not any(o.causal and o.band is None for o in trace.operators)


def test_is_a_name_made_that_no_tensor_had() -> None:
    text = text_of(ODD.document).replace("l{i}.k", "l{i}.q:0").replace("l{i}.v", "l{i}.q::1")
    made = skip_masked(loads(text), 3)
    assert {"l0.q:::0", "l0.q:0:::0", "l0.q::1:::0"} <= made.tensors.keys()
    assert made.macs == skip_masked(build(ODD.document), 3).macs


def test_is_the_file_of_a_large_model_small() -> None:
    """One layer is written, whatever the model has; names of pieces grow with the square of the bands, in that one."""
    text = text_of(skip_in(llama.prefill("70b", llama.LLAMA_3_70B, 8192), 256))
    assert len(text) < 100_000
    dense = load_trace("llama-2-7b-prefill-2048")
    assert len(skip_masked(dense, 256).operators) == len(dense.operators) + 32 * 3 * (8 - 1)
