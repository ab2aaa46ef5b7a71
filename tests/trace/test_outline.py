"""What the outline of a trace sees, and what it does not."""

import json

import pytest
from outline import outline

from lsim.trace import load_trace, loads

TEXT = [
    {"lsim_trace": 1, "name": "t"},
    {"tensor": "x", "role": "input", "shape": [4, 3]},
    {"tensor": "u", "role": "weight", "shape": [4, 4]},
    {"tensor": "w", "role": "weight", "shape": [4, 4]},
    {"op": "a", "kind": "gemm", "rows": 4, "depth": 4, "columns": 3, "operands": ["u", "x"], "outputs": {"a.out": [4, 3]}},
    {"op": "b", "kind": "gemm", "rows": 4, "depth": 4, "columns": 3, "operands": ["w", "x"], "outputs": {"b.out": [4, 3]}},
    {"op": "c", "kind": "activation", "rows": 4, "columns": 3, "operands": ["a.out"], "outputs": {"c.out": [4, 3]}},
    {"op": "d", "kind": "multiply", "rows": 4, "columns": 3, "operands": ["c.out", "b.out"], "outputs": {"d.out": [4, 3]}},
]  # fmt: skip
ORDER = tuple(range(len(TEXT)))


def told(*changes, order=ORDER):
    """The outline after changes (line, key, value)."""
    records = [dict(record) for record in TEXT]
    for line, key, value in changes:
        records[line][key] = value
    return outline(loads("\n".join(json.dumps(records[at]) for at in order)))


def test_is_it_a_line_for_each_operator():
    assert told() == [
        "%0 gemm 1x4x3·4 (weight0[16] input0[12]) -> 12",
        "%1 gemm 1x4x3·4 (weight1[16] input0[12]) -> 12",
        "%2 activation 1x4x3 (%1.0) -> 12",
        "%3 multiply 1x4x3 (%0.0 %2.0) -> 12",
    ]


def test_are_names_labels_and_the_order_of_independent_operators_no_matter():
    assert told((4, "label", "gate"), (4, "op", "z")) == told()
    assert told(order=[0, 1, 2, 3, 5, 4, 6, 7]) == told()
    assert told((7, "operands", ["b.out", "c.out"])) == told()


@pytest.mark.parametrize(
    "change",
    [
        (5, "operands", ["u", "x"]),  # one weight for both
        (6, "operands", ["b.out"]),  # another edge
        (6, "kind", "rotary"),
        (4, "kv", ["a.out"]),
    ],
    ids=["shared", "edge", "kind", "role"],
)
def test_is_every_other_difference_seen(change):
    order = [0, 1, 2, 4, 5, 6, 7] if change[0] == 5 else ORDER
    assert told(change, order=order) != told()


def test_is_an_outline_as_long_as_the_trace():
    trace = load_trace("deit-tiny")
    assert len(outline(trace)) == len(trace.operators)


def test_does_it_tell_bands_apart():
    line = {
        "op": "a",
        "kind": "softmax",
        "causal": True,
        "rows": 4,
        "columns": 3,
        "operands": ["x"],
        "outputs": {"p": [4, 3]},
    }
    head = TEXT[:2]
    bands = [
        {},
        {"window": 2, "band": [2, 4, 4]},
        {"window": 2, "band": [2, 4, 5]},
    ]
    lines = [outline(loads("\n".join(map(json.dumps, [*head, {**line, **band}]))))[0] for band in bands]
    assert [line.partition("(")[0] for line in lines] == [
        "%0 softmax 1x4x3 causal ",
        "%0 softmax 1x4x3 causal window=2 band=2-3/4 ",
        "%0 softmax 1x4x3 causal window=2 band=2-3/5 ",
    ]


@pytest.mark.parametrize(
    "flags",
    [
        ({}, {"causal": True}),
        ({"causal": True, "window": 2}, {"causal": True, "window": 3}),
        ({"causal": True, "window": 1, "band": [0, 2, 4]}, {"causal": True, "window": 1, "band": [2, 4, 4]}),
    ],
    ids=["causal", "window", "band"],
)
def test_is_it_the_same_in_whichever_order_operators_stand_that_differ_in_it(flags):
    sizes = {"kind": "softmax", "rows": 2, "columns": 2, "operands": ["x"]}
    lines = [{"op": f"o{i}", "outputs": {f"p{i}": [2, 2]}, **sizes, **one} for i, one in enumerate(flags)]
    head = [TEXT[0], {"tensor": "x", "role": "input", "shape": [2, 2]}]
    outlines = [outline(loads("\n".join(map(json.dumps, [*head, *order])))) for order in (lines, lines[::-1])]
    assert outlines[0] == outlines[1]
    assert len({line.partition("softmax")[2] for line in outlines[0]}) == 2
