"""SCALE-Sim topologies: read, written, and refused."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from strategies import traces

from lsim import load_arch, simulate
from lsim.cli import cli
from lsim.errors import TraceError
from lsim.extract.scalesim import read_topology, topology
from lsim.trace import Role, dumps, load_trace, loads

HEADER = "Layer, M, N, K,\n"
ARCH = load_arch("lt-b-4bit")


def read(*lines, header=HEADER):
    return read_topology(header + "".join(f"{line}\n" for line in lines), "t")[0]


def sizes(trace):
    """M, N, K and heads of every GEMM, in SCALE-Sim's sense, in order."""
    for operator in trace.operators:
        if operator.is_gemm:
            m, n = operator.rows, operator.columns
            yield (
                (n, m, operator.depth, 1)
                if trace.is_linear(operator)
                else (m, n, operator.depth, operator.heads)
            )


def test_is_m_the_tokens_n_the_out_features_and_k_the_depth():
    (operator,) = (trace := read("fc1, 5, 7, 3,")).operators
    assert (operator.rows, operator.depth, operator.columns) == (7, 3, 5)
    assert trace.is_linear(operator)
    assert trace.macs == 5 * 7 * 3
    assert trace.parameters == 7 * 3


def test_are_the_operands_of_a_product_of_activations_not_weights():
    (operator,) = (trace := read("qk, 5, 7, 3, 4,")).operators
    assert (operator.heads, operator.rows, operator.depth, operator.columns) == (4, 5, 3, 7)
    assert trace.parameters == 0
    assert trace.macs == 4 * 5 * 7 * 3


@pytest.mark.parametrize(
    "line",
    [
        "a, 5, 7, 3",
        "a, 5, 7, 3,",
        "  a ,5 , 7,3,  ",
        "a, 5, 7, 3, 1:1,",
        "a, 5, 7, 3, 1:1, 1,",
        "a, 5, 7, 3, 1,",
    ],
)
def test_is_a_line_read_however_it_is_written(line):
    assert list(sizes(read(line))) == [(5, 7, 3, 1)]


def test_is_a_sparse_layer_computed_dense_and_said_so():
    trace, notes = read_topology(HEADER + "a, 5, 8, 3, 2:4,\nb, 5, 8, 8, 4:4,\n", "t")
    assert trace.macs == 5 * 8 * 3 + 5 * 8 * 8
    assert [note for note in notes if "Sparse" in note] == [
        "Sparse layers are computed dense: 1 of 2, first a."
    ]
    assert set(notes) <= set(trace.conventions)


@pytest.mark.parametrize(
    ("second", "given_", "left"),
    [("b, 5, 9, 7,", 0, 0), ("b, 5, 9, 6,", 0, 5), ("b, 5, 9, 8,", 5, 0)],
    ids=["fits", "less", "more"],
)
def test_does_a_gemm_read_what_the_one_before_wrote(second, given_, left):
    trace = read("a, 5, 7, 3,", second)  # a writes 5 x 7
    one, other = trace.operators
    assert trace.producer(other.operands[1][0]) == one
    extra = [t for t in trace.inputs if t.name == "b.input"]
    assert sum(t.elements for t in extra) == given_
    assert sum(t.elements for t in trace.outputs if t.name == "a.unread") == left
    assert {t.role for t in trace.weights(other)} == {Role.WEIGHT}


@given(traces())
def test_do_the_gemms_survive_a_round_trip(trace):
    if not any(operator.is_gemm for operator in trace.operators):
        return
    for heads in ("rows", "batch"):
        text, _ = topology(trace, heads)
        again, _ = read_topology(text, "t")
        assert list(sizes(again)) == list(sizes(trace))
        assert again.macs == trace.macs
        assert topology(again, heads)[0] == text


@pytest.mark.parametrize("name", ["deit-tiny", "llama-3-70b-prefill-8192"])
def test_do_real_models_survive_a_round_trip(name):
    trace = load_trace(name)
    text, notes = topology(trace)
    assert len(text.splitlines()) == 1 + sum(o.heads for o in trace.operators if o.is_gemm)
    assert all(line.endswith(",") for line in text.splitlines())
    again, _ = read_topology(text, "t")
    assert list(sizes(again)) == list(sizes(trace))
    assert any("causal" in note for note in notes) == any(o.causal for o in trace.operators)


@given(st.lists(st.tuples(*[st.integers(1, 30)] * 3, st.integers(1, 3)), min_size=1, max_size=6))
def test_does_any_topology_replay(layers):
    trace = read(*(f"L, {m}, {n}, {k}, {batch}," for m, n, k, batch in layers))
    assert simulate(loads(dumps(trace)), ARCH).macs == sum(m * n * k * batch for m, n, k, batch in layers)


def test_are_lines_that_only_look_like_heads_left_alone():
    assert [o.name for o in read("a.head0, 2, 2, 2,", "b, 2, 2, 2,").operators] == ["a.head0", "b"]
    apart = read("a.head0, 2, 2, 2,", "a.head1, 2, 2, 3,")
    assert [o.heads for o in apart.operators] == [1, 1]
    assert [o.heads for o in read("a.head0, 2, 2, 2,", "a.head1, 2, 2, 2,").operators] == [2]


def test_are_names_made_fit_for_a_trace():
    assert [o.name for o in read("Conv 1 (a), 2, 2, 2,", "fc, 2, 2, 2,", "fc, 2, 2, 2,").operators] == [
        "Conv_1_a_",
        "fc",
        "fc.2",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (f"{HEADER}a, 5, 7, 3, 0:4,\n", "line 2: a: the fifth field is a sparsity such as 2:4"),
        (f"{HEADER}a, 5, 7, 3, 5:4,\n", "line 2: a: the fifth field is a sparsity such as 2:4"),
        (f"{HEADER}a, 5, 7, 3, 1:0,\n", "line 2: a: the fifth field is a sparsity such as 2:4"),
        (f"{HEADER}a, 5, 7, \u0663,\n", "line 2: a: K must be a whole number"),
        (f"{HEADER}a, 5, 7, 3, \u0661:\u0664,\n", "line 2: a: the fifth field is a sparsity such as 2:4"),
        (HEADER, "line 1: has no layers"),
        ("a, 1, 2, 3,\n", "line 1: the header is missing"),
        ("Layer name, IFMAP Height, IFMAP Width, Filter Height,\n", "line 1: is a topology of convolutions"),
        ("Layer, M, K, N,\na, 1, 2, 3,\n", "line 1: the header must be"),
        (HEADER + "\na, 1, x, 3,\n", "line 3: a: N must be a whole number"),
        (HEADER + "a, 1, 2, 0,\n", "line 2: a: K must be"),
        (HEADER + "a, 1, 2,\n", "line 2: a: a layer has"),
        (HEADER + ", 1, 2, 3,\n", "line 2: the layer has no name"),
        (HEADER + "a, 1, 2, 3, dense,\n", "line 2: a: the fifth field"),
        (HEADER + "a, 1, 2, 3, 1:1, x,\n", "line 2: a: the batch must be"),
        (HEADER + "a, 1, 2, 3, 1:1, 2, 3,\n", "line 2: a: a layer has"),
    ],
)
def test_is_a_bad_topology_refused_with_its_line(text, says):
    with pytest.raises(TraceError) as caught:
        read_topology(text, "t")
    assert str(caught.value).startswith(says)


def test_is_a_trace_without_gemms_refused():
    text = '{"lsim_trace": 1, "name": "t"}\n{"tensor": "x", "role": "input", "shape": [6]}\n'
    text += '{"op": "c", "kind": "activation", "rows": 2, "columns": 3, "operands": ["x"], "outputs": {"c.out": [6]}}'
    with pytest.raises(TraceError, match="no operator of the trace is a GEMM"):
        topology(loads(text))


def test_does_the_command_line_say_what_is_lost(tmp_path):
    csv, back = tmp_path / "deit.csv", tmp_path / "deit.jsonl"
    done = CliRunner().invoke(cli, ["trace", "to-csv", "deit-tiny", "-o", str(csv), "--heads", "batch"])
    assert done.exit_code == 0
    assert "75 of 149 operators" in done.stderr
    done = CliRunner().invoke(cli, ["trace", "from-csv", str(csv), "-o", str(back)])
    assert done.exit_code == 0
    assert "A chain is assumed" in done.stderr
    assert load_trace(back).macs == load_trace("deit-tiny").macs


def test_is_nothing_written_for_a_bad_file(tmp_path):
    csv, out = tmp_path / "bad.csv", tmp_path / "out.jsonl"
    csv.write_text(HEADER + "a, 1, 2,\n")
    done = CliRunner().invoke(cli, ["trace", "from-csv", str(csv), "-o", str(out)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"lsim: {csv}:2: a: ")
    assert list(tmp_path.iterdir()) == [csv]
