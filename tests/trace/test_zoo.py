"""The models that come with lsim, against published numbers and formulas written down independently."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lsim.errors import TraceError
from lsim.trace import Kind, Role, load_trace, loads
from lsim.trace.zoo import MODELS, llama, make, write_all
from lsim.trace.zoo.step import Step

TRACES = Path(__file__).parents[2] / "traces"

# Layers, features, heads, tokens: the workloads of Lightening-Transformer (HPCA 2024, arXiv:2305.19533).
PUBLISHED = {
    "deit-tiny": (12, 192, 3, 197),
    "deit-small": (12, 384, 6, 197),
    "deit-base": (12, 768, 12, 197),
    "bert-base": (12, 768, 12, 128),
    "bert-base-384": (12, 768, 12, 384),
    "bert-large": (24, 1024, 16, 320),
}


def published_gemms(name):
    """The (heads, N1, D, N2) of the published list, in order."""
    layers, e, heads, n = PUBLISHED[name]
    size = e // heads
    qkv, proj = (1, 3 * e, e, n), (1, e, e, n)
    ffn = [(1, 4 * e, e, n), (1, e, 4 * e, n)]
    layer = [qkv, (heads, n, size, n), (heads, n, n, size), proj, *ffn]
    deit = name.startswith("deit")
    return [(1, e, 768, 196)] * deit + layer * layers + [(1, 1000 if deit else 2, e, 1)]


def sizes(operator):
    return operator.heads, operator.rows, operator.depth, operator.columns


@pytest.mark.parametrize("name", MODELS)
def test_is_the_committed_file_what_its_builder_writes(name):
    assert (TRACES / f"{name}.jsonl").read_bytes() == make(name).encode(), (
        "run python -m lsim.trace.zoo traces"
    )


def test_has_every_file_a_builder():
    assert {path.stem for path in TRACES.iterdir()} == set(MODELS)


def test_are_all_files_written_anew(tmp_path):
    assert write_all(tmp_path) == [tmp_path / f"{name}.jsonl" for name in MODELS]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        p.name: p.read_bytes() for p in TRACES.iterdir()
    }


def test_is_an_unknown_model_refused():
    with pytest.raises(TraceError, match="no model is named 'bert'; did you mean 'bert-base'"):
        make("bert")


@pytest.mark.parametrize("name", MODELS)
def test_does_a_file_cite_its_sources_and_state_its_conventions(name):
    trace = load_trace(name)
    assert all("arXiv" in source or "OpenAI 2019" in source for source in trace.sources)
    assert trace.sources
    assert trace.conventions
    assert trace.description


@pytest.mark.parametrize("name", PUBLISHED)
def test_are_the_gemms_those_of_the_published_list(name):
    assert [
        sizes(operator) for operator in load_trace(name).operators if operator.is_gemm
    ] == published_gemms(name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_are_the_macs_those_of_a_formula(name):
    layers, e, _, n = PUBLISHED[name]
    ends = e * 768 * 196 + 1000 * e if name.startswith("deit") else 2 * e
    assert load_trace(name).macs == layers * (12 * e * e * n + 2 * n * n * e) + ends


def test_has_bert_base_the_macs_that_tracing_it_gives():
    assert round(load_trace("bert-base").macs / 1e9, 3) == 11.174


# Parameters of facebook/deit-*-patch16-224: Touvron et al. (2021), table 1, has 5, 22 and 86 million.
@pytest.mark.parametrize(
    ("name", "millions"), [("deit-tiny", 5.717), ("deit-small", 22.051), ("deit-base", 86.568)]
)
def test_has_deit_its_published_parameters(name, millions):
    assert round(load_trace(name).parameters / 1e6, 3) == millions


# The same models, and Llama's, as timm and Transformers count the released weights.
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("deit-tiny", 5_717_416),
        ("deit-small", 22_050_664),
        ("deit-base", 86_567_656),
        ("llama-2-7b-prefill-2048", 6_738_415_616),
        ("llama-2-7b-decode-2048", 6_738_415_616),
        ("llama-3-70b-prefill-8192", 70_553_706_496),
    ],
)
def test_has_a_model_as_many_parameters_as_its_released_weights(name, published):
    assert load_trace(name).parameters == published


# Devlin et al. (2019) have 110 and 340 million; google-bert/bert-*-uncased, with the pooler, exactly these.
@pytest.mark.parametrize(
    ("name", "layers", "e", "published"),
    [("bert-base", 12, 768, 109_482_240), ("bert-large", 24, 1024, 335_141_888)],
)
def test_has_bert_its_published_parameters(name, layers, e, published):
    pooler, classifier = e * e + e, 2 * e + 2
    tables, norm = (30522 + 512 + 2) * e, 2 * e
    layer = 12 * e * e + (3 * e + e + 4 * e + e) + 2 * norm
    assert tables + norm + layers * layer == published - pooler
    assert load_trace(name).parameters == published - pooler + classifier


def test_has_gpt2_its_published_parameters():
    assert load_trace("gpt2-small").parameters == 124_439_808  # openai-community/gpt2, the head tied


def test_does_the_head_of_gpt2_read_the_table_of_words():
    trace = load_trace("gpt2-small")
    head = trace.operators[-1]
    assert sizes(head) == (1, 50257, 768, 1024)
    assert [operator.name for operator in trace.consumers(head.operands[0][0])] == ["embed", "head"]


def test_are_the_macs_of_gpt2_those_of_a_formula():
    e, n = 768, 1024
    assert load_trace("gpt2-small").macs == 12 * (12 * e * e * n + 2 * n * n * e) + 50257 * e * n


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("llama-2-7b-prefill-2048", 6738.4),
        ("llama-2-7b-decode-2048", 6738.4),
        ("llama-3-70b-prefill-8192", 70553.7),
    ],
)
def test_has_llama_its_published_parameters(name, millions):
    assert round(load_trace(name).parameters / 1e6, 1) == millions


def test_has_llama_2_the_macs_that_tracing_it_gives():
    assert round(load_trace("llama-2-7b-prefill-2048").macs / 1e9, 1) == 14630.8
    assert round(load_trace("llama-2-7b-decode-2048").macs / 1e9, 3) == 7.144


def test_are_the_macs_of_llama_3_those_of_a_formula():
    e, kv, hidden, vocabulary, layers, n = 8192, 1024, 28672, 128256, 80, 8192
    linear = 2 * e * e + 2 * e * kv + 3 * e * hidden
    assert load_trace("llama-3-70b-prefill-8192").macs == n * (layers * (linear + 2 * n * e) + vocabulary * e)


def test_does_llama_3_count_each_key_value_head_once():
    trace = load_trace("llama-3-70b-prefill-8192")
    qk = next(operator for operator in trace.operators if operator.label == "qk")
    assert sizes(qk) == (8, 8 * 8192, 128, 8192)
    assert sum(trace.tensors[name].elements for name in qk.operands[1]) == 8 * 128 * 8192


def test_does_decode_read_the_cache_and_the_new_token():
    trace = load_trace("llama-2-7b-decode-2048")
    qk, sv = (next(op for op in trace.operators if op.label == label) for label in ("qk", "sv"))
    for operator, columns in ((qk, 2048), (sv, 128)):
        past, new = (trace.tensors[name] for name in operator.operands[1])
        assert (past.shape, new.shape) == ((4096, 2047), (4096, 1))
        assert (past.role, new.role) == (Role.KV, Role.KV)
        assert trace.producer(past.name) is None
        assert operator.columns == columns
    assert trace.bytes_by_role(8)[Role.KV] == 2 * 32 * 4096 * 2048


def test_is_a_decode_step_affine_in_the_context():
    def macs(context):
        return sum(
            statement.operator.macs
            for statement in llama.decode("d", llama.LLAMA_2_7B, context).statements()
            if statement.operator
        )

    assert macs(4096) - macs(2048) == 2 * 32 * 4096 * 2048 == macs(2048) - macs(2) + 2 * 2 * 32 * 4096


@pytest.mark.parametrize("name", MODELS)
def test_is_the_cache_written_by_decoders_only(name):
    trace = load_trace(name)
    written = Counter(
        trace.producer(t.name).kind
        for t in trace.tensors.values()
        if t.role is Role.KV
        if trace.producer(t.name)
    )
    layers = sum(operator.label == "qk" for operator in trace.operators)
    expected = {
        "deit": {},
        "bert": {},
        "gpt2": {Kind.GEMM: 2 * layers},
        "llama": {Kind.GEMM: layers, Kind.ROTARY: layers},
    }
    assert written == expected[name.split("-")[0]]


@pytest.mark.parametrize("name", MODELS)
def test_is_attention_causal_in_a_prefill_only(name):
    trace = load_trace(name)
    causal = [operator for operator in trace.operators if operator.causal]
    attention = [
        op for op in trace.operators if op.kind is Kind.SOFTMAX or (op.is_gemm and not trace.is_linear(op))
    ]
    prefill = "prefill" in name or name.startswith("gpt2")
    assert causal == (attention if prefill else [])


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (
            "deit-tiny",
            {"gemm": 74, "softmax": 12, "norm": 25, "activation": 12, "residual": 25, "embedding": 1},
        ),
        (
            "bert-base",
            {"gemm": 73, "softmax": 12, "norm": 25, "activation": 12, "residual": 24, "embedding": 2},
        ),
        (
            "gpt2-small",
            {"gemm": 73, "softmax": 12, "norm": 25, "activation": 12, "residual": 24, "embedding": 1},
        ),
        (
            "llama-3-70b-prefill-8192",
            {
                "gemm": 9 * 80 + 1,
                "softmax": 80,
                "norm": 161,
                "activation": 80,
                "residual": 160,
                "multiply": 80,
                "rotary": 160,
                "embedding": 1,
            },
        ),
    ],
)
def test_how_many_operators_of_each_kind(name, counts):
    assert Counter(operator.kind for operator in load_trace(name).operators) == counts


# One layer's elements: norms n(E + 1) in the estimator, which has no second norm; here each norm has n·E.
def test_have_the_vector_operators_of_a_layer_their_published_elements():
    n, e, heads = 197, 192, 3
    layer = [
        op for op in load_trace("deit-tiny").operators if op.name.startswith("layers.4.") and not op.is_gemm
    ]
    elements = Counter()
    for operator in layer:
        elements[operator.kind] += operator.elements
    assert elements == {
        Kind.SOFTMAX: n * n * heads,
        Kind.RESIDUAL: 2 * n * e,
        Kind.ACTIVATION: 4 * n * e,
        Kind.NORM: 2 * n * e,
    }


@pytest.mark.parametrize("name", MODELS)
def test_is_a_norm_over_the_features_of_a_token(name):
    trace = load_trace(name)
    for operator in trace.operators:
        if operator.kind is Kind.NORM:
            assert trace.weights(operator)[0].elements == operator.columns
            assert operator.heads == 1


def test_is_a_layer_before_or_after_its_norm():
    deit = [operator.name for operator in load_trace("deit-tiny").operators]
    bert = [operator.name for operator in load_trace("bert-base").operators]
    assert deit.index("layers.0.norm1") < deit.index("layers.0.qkv")
    assert bert.index("layers.0.norm1") > bert.index("layers.0.residual1")


def test_is_a_file_folded():
    lines = make("llama-3-70b-prefill-8192").splitlines()
    assert len(lines) < 50
    assert sum(json.loads(line).get("repeat", 0) for line in lines) == 80
    assert len(loads("\n".join(lines)).operators) == 80 * 18 + 3


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step(1), "prefill of 1 token"),
        (Step(1, 0, 2), "prefill of 1 token, batch 2"),
        (Step(7), "prefill of 7 tokens"),
        (Step(7, 4, 2), "prefill of 7 tokens after 4, batch 2"),
        (Step(1, 4), "decode of one token at context 5"),
    ],
)
def test_what_is_said_of_a_step(step, said):
    assert step.words == said
