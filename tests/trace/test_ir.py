"""Operators, tensors, traces: what their numbers mean."""

import json
import os
import pickle
import subprocess
import sys

import networkx
import pytest

from lsim.trace import Kind, Operator, Role, Tensor, list_traces, load_trace, loads

SMALL = """\
{"lsim_trace": 1, "name": "small"}
{"tensor": "x", "role": "input", "shape": [4, 3]}
{"tensor": "w", "role": "weight", "shape": [5, 4]}
{"tensor": "past", "role": "kv", "shape": [5, 7]}
{"op": "a", "kind": "gemm", "rows": 5, "depth": 4, "columns": 3, "operands": ["w", "x"], "outputs": {"k": [5, 3]}, "kv": ["k"]}
{"op": "b", "kind": "gemm", "rows": 5, "depth": 4, "columns": 3, "operands": ["w", "x"], "outputs": {"q": [5, 3]}}
{"op": "c", "kind": "gemm", "rows": 3, "depth": 5, "columns": 10, "operands": ["q", ["past", "k"]], "outputs": {"s": [3, 10]}}
{"op": "d", "kind": "softmax", "rows": 3, "columns": 10, "operands": ["s"], "outputs": {"p": [3, 10]}}
"""


def test_how_many_macs_and_elements_has_a_gemm():
    gemm = Operator("g", Kind.GEMM, (("a",), ("b",)), ("c",), heads=2, rows=3, depth=5, columns=7)
    assert gemm.is_gemm
    assert gemm.macs == 2 * 3 * 5 * 7
    assert gemm.elements == 2 * 3 * 7


def test_does_a_vector_operator_count_no_macs():
    softmax = Operator("s", Kind.SOFTMAX, (("a",),), ("c",), heads=2, rows=3, depth=0, columns=7)
    assert (softmax.macs, softmax.elements) == (0, 2 * 3 * 7)


def test_is_a_tensor_as_large_as_its_shape_says():
    assert Tensor("t", (2, 3, 5)).elements == 30


def test_is_a_shared_weight_one_parameter():
    trace = loads(SMALL)
    assert trace.parameters == 5 * 4
    assert trace.macs == 2 * (5 * 4 * 3) + 3 * 5 * 10


def test_who_writes_and_who_reads_a_tensor():
    trace = loads(SMALL)
    a, b, c, _ = trace.operators
    assert trace.producer("k") == a
    assert trace.producer("w") is None
    assert trace.consumers("x") == (a, b)
    assert trace.consumers("k") == (c,)
    assert trace.consumers("p") == ()


def test_what_goes_in_and_what_comes_out():
    trace = loads(SMALL)
    assert [tensor.name for tensor in trace.inputs] == ["x"]
    assert [tensor.name for tensor in trace.outputs] == ["p"]


def test_is_attention_told_from_a_linear_layer():
    trace = loads(SMALL)
    assert [trace.is_linear(operator) for operator in trace.operators] == [True, True, False, False]


def test_how_many_bytes_has_each_role():
    assert loads(SMALL).bytes_by_role(4) == {
        Role.WEIGHT: 20 * 4 // 8,
        Role.ACTIVATION: -(-(15 + 30 + 30) * 4 // 8),
        Role.KV: (35 + 15) * 4 // 8,
        Role.INPUT: 12 * 4 // 8,
    }


def test_does_intensity_count_what_gemms_read_from_hbm_once():
    weights, cache = 20, 35 + 15
    assert loads(SMALL).intensity(8) == (120 + 150) / (weights + cache)


def test_does_an_edge_of_the_graph_name_what_passes():
    graph = loads(SMALL).graph()
    assert sorted(graph.edges(data="tensors")) == [("a", "c", ("k",)), ("b", "c", ("q",)), ("c", "d", ("s",))]
    assert graph.nodes["d"]["operator"].kind is Kind.SOFTMAX


@pytest.mark.parametrize("name", list_traces())
def test_is_the_graph_acyclic_and_all_of_it_on_the_way_to_the_output(name):
    trace = load_trace(name)
    graph = trace.graph()
    assert networkx.is_directed_acyclic_graph(graph)
    (output,) = trace.outputs
    last = trace.producer(output.name).name
    assert networkx.ancestors(graph, last) | {last} == set(graph)


@pytest.mark.parametrize("name", list_traces())
def test_is_the_order_of_the_operators_an_order_of_execution(name):
    trace = load_trace(name)
    position = {operator.name: at for at, operator in enumerate(trace.operators)}
    assert all(position[one] < position[other] for one, other in trace.graph().edges)


def test_does_a_trace_survive_pickling():
    trace = loads(SMALL)
    assert pickle.loads(pickle.dumps(trace)) == trace


def test_are_equal_traces_equal_in_hash_and_sha256():
    one, other = loads(SMALL), loads(SMALL)
    assert (one, hash(one), one.sha256) == (other, hash(other), other.sha256)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name": "small"', '"name": "other"'),
        ('"p": [3, 10]', '"p": [10, 3]'),
        ('"role": "kv"', '"role": "input"'),
        ('"kind": "softmax"', '"kind": "activation"'),
    ],
)
def test_does_sha256_tell_traces_apart(old, new):
    assert loads(SMALL.replace(old, new)).sha256 != loads(SMALL).sha256


def test_does_a_trace_load_without_heavy_imports():
    code = (
        "import sys; from lsim.trace import load_trace; load_trace('bert-base').sha256;"
        "print(sorted({'networkx', 'numpy', 'yaml', 'simpy'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_is_the_hash_of_a_trace_without_bands_that_of_before_there_were_any():
    assert (
        load_trace("llama-2-7b-prefill-2048").sha256
        == "3e3fc81b3939b24c4fc75fa73f777d2ce8464464ae1f27437789766bd6718d7e"
    )


@pytest.mark.parametrize("change", [{"window": 2}, {"band": [2, 4, 4]}, {"window": 3, "band": [2, 4, 4]}])
def test_has_another_band_another_hash(change):
    line = '{"op": "d", "kind": "softmax", "causal": true, "rows": 2, "columns": 4, "operands": ["x"], "outputs": {"p": [2, 4]}}'
    whole = f'{{"lsim_trace": 1, "name": "n"}}\n{{"tensor": "x", "role": "input", "shape": [2, 4]}}\n{line}'
    assert (
        loads(whole).sha256
        != loads(whole.replace('"causal"', f'{json.dumps(change)[1:-1]}, "causal"')).sha256
    )
