"""What does the published model see of a trace, and what does it say where it sees nothing?"""

from __future__ import annotations

import pytest
from attrs import evolve
from small import attention, gemm, linear, trace, vector

from lsim.arch import load_arch
from lsim.models import predict
from lsim.models.published import FORMS
from lsim.models.published.workload import Layer, attention_layers, gemm_of, projections
from lsim.trace import Kind, Operator, Tensor, Trace, load_trace
from lsim.trace.skip import skip_masked

LT_B = load_arch("lt-b-4bit")


@pytest.mark.parametrize(
    ("name", "layers", "tokens", "features", "scores"),
    [
        ("deit-tiny", 12, 197, 192, 197 * 197 * 3),
        ("deit-base", 12, 197, 768, 197 * 197 * 12),
        ("bert-base", 12, 128, 768, 128 * 128 * 12),
        ("bert-large", 24, 320, 1024, 320 * 320 * 16),
        ("gpt2-small", 12, 1024, 768, 1024 * 1024 * 12),
        ("llama-2-7b-decode-2048", 32, 1, 4096, 32 * 2048),
        ("llama-3-70b-prefill-8192", 80, 8192, 8192, 64 * 8192 * 8192),
    ],
)
def test_what_are_the_attention_layers(
    name: str, layers: int, tokens: int, features: int, scores: int
) -> None:
    assert list(attention_layers(load_trace(name))) == [Layer(tokens, features, scores)] * layers


def test_is_attention_in_bands_one_layer_of_the_scores_that_are_computed() -> None:
    work = skip_masked(load_trace("gpt2-small"), 256)
    scores = 12 * 256 * (256 + 512 + 768 + 1024)
    assert list(attention_layers(work)) == [Layer(1024, 768, scores)] * 12


def test_which_gemms_are_what() -> None:
    work = attention(tokens=7, heads=2, size=4)
    roles = {op.name: gemm_of(work, op) for op in work.operators if op.is_gemm}
    weighted = {op.name for op in work.operators if op.is_gemm and op.operands[0][0].startswith("w")}
    assert {name for name, g in roles.items() if g.linear} == weighted
    (scores,) = [g for g in roles.values() if g.scores]
    assert (scores.heads, scores.n1, scores.depth, scores.n2) == (2, 7, 7, 4)
    (product,) = [g for g in roles.values() if not (g.linear or g.scores)]
    assert (product.heads, product.n1, product.depth, product.n2) == (2, 7, 4, 7)


@pytest.mark.parametrize(
    ("name", "projected"),
    [("deit-tiny", {"qkv"}), ("llama-3-70b-prefill-8192", {"q", "k", "v"}), ("gpt2-small", {"qkv"})],
)
def test_which_layers_come_before_attention(name: str, projected: set[str]) -> None:
    work = load_trace(name)
    found = projections(work)
    assert {op.label for op in found} == projected
    assert found == [op for op in work.operators if op.label in projected]


def test_are_others_zero_and_said_to_be_where_there_is_no_attention() -> None:
    said = predict(FORMS["dptc"](), linear(24, 24, 24), LT_B)
    assert said.terms["others"].ticks == 0
    assert sum((said.terms["others"].energy_pj or {}).values()) == 0
    assert said.notes == (
        "others is 0, as this trace has no attention layer that it could be read off:"
        " no product that a softmax reads has queries which a linear layer makes",
    )


def test_are_others_of_the_first_layer_unless_corrected() -> None:
    one, two = attention(tokens=5, heads=2, size=4), attention(tokens=9, heads=3, size=8)
    work = Trace("both", one.tensors | _renamed_tensors(two), (*one.operators, *_renamed(two)))
    said = [
        predict(FORMS["dptc"](corrected=names), of, LT_B).terms["others"]
        for of, names in ((one, ()), (two, ()), (work, ()), (work, ["others-layers"]))
    ]
    assert said[2] == said[0] != said[1]
    assert said[3].ticks == said[0].ticks + said[1].ticks


def _renamed(work: Trace) -> list[Operator]:
    def new(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}'" for name in names)

    return [
        evolve(op, name=f"{op.name}'", operands=tuple(map(new, op.operands)), outputs=new(op.outputs))
        for op in work.operators
    ]


def _renamed_tensors(work: Trace) -> dict[str, Tensor]:
    return {f"{name}'": evolve(tensor, name=f"{name}'") for name, tensor in work.tensors.items()}


def test_are_queries_that_no_layer_makes_said_to_be_missing() -> None:
    work = trace(gemm("q", "k", "s", 4, 4, 4), vector(Kind.SOFTMAX, ["s"], "p", 4, 4))
    assert list(attention_layers(work)) == []
    assert predict(FORMS["dptc"](), work, LT_B).notes[0].startswith("others is 0")


def test_is_said_which_operators_no_term_stands_for() -> None:
    notes = predict(FORMS["dptc"](), load_trace("llama-2-7b-decode-2048"), LT_B).notes
    assert notes == (
        "others stands for the first of 32 attention layers; the first has 1 tokens of 4096 features,"
        " 65536 elements of softmax",
        "no term stands for the embedding, multiply, rotary operators of this trace",
    )


def test_is_said_what_a_mesh_leaves_out() -> None:
    mesh = load_arch("mzi-mesh-4bit")
    notes = [
        predict(FORMS["mzi-mesh"](corrected=names), load_trace("deit-tiny"), mesh).notes[-1]
        for names in ((), ["qkv-once"])
    ]
    assert notes == [
        "a mesh cannot do the 24 products of attention of this trace, which are 0; qkv again stands in their place",
        "a mesh cannot do the 24 products of attention of this trace, which are 0",
    ]
    assert len(predict(FORMS["mzi-mesh"](), linear(24, 24, 24), mesh).notes) == 1
