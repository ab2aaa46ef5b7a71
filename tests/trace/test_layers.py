"""Which stretches of a trace repeat."""

import pytest
from hypothesis import given
from strategies import traces

from lsim.trace import list_traces, load_trace, loads
from lsim.trace.layers import stretches

LAYERS = {
    "deit": 12, "bert-base": 12, "bert-large": 24, "gpt2": 12, "llama-2-7b": 32, "llama-3-70b": 80,
}  # fmt: skip


@pytest.mark.parametrize("name", list_traces())
def test_are_the_layers_of_a_model_found(name):
    trace = load_trace(name)
    repeated = [stretch for stretch in stretches(trace) if stretch.count > 1]
    assert [stretch.count for stretch in repeated] == [
        n for model, n in LAYERS.items() if name.startswith(model)
    ][:1]
    in_layers = [operator for operator in trace.operators if operator.name.startswith("layers.")]
    assert [repeated[0].count * len(repeated[0].first)] == [len(in_layers)]


@given(traces(layers=6))
def test_is_the_work_of_the_stretches_that_of_the_trace(trace):
    cover = stretches(trace)
    assert sum(stretch.count * sum(o.macs for o in stretch.first) for stretch in cover) == trace.macs
    assert sum(stretch.count * len(stretch.first) for stretch in cover) == len(trace.operators)


def sequence(*names, first="input"):
    """A trace of one operator a name, each of which reads what the one before wrote."""
    lines = ['{"lsim_trace": 1, "name": "t"}', f'{{"tensor": "{first}", "role": "input", "shape": [4, 4]}}']
    for name, read in zip(names, (first, *(f"{name}.out" for name in names)), strict=False):
        kind = "norm" if "norm" in name else "activation"
        lines.append(
            f'{{"op": "{name}", "kind": "{kind}", "rows": 4, "columns": 4, "operands": ["{read}"], '
            f'"outputs": {{"{name}.out": [4, 4]}}}}'
        )
    return loads("\n".join(lines))


def rounds(trace):
    return [(stretch.count, stretch.names) for stretch in stretches(trace)]


def blocks(count, *parts, name=""):
    return [f"{name}{at}.{part}" for at in range(count) for part in parts]


def test_is_a_model_of_equal_blocks_as_often_its_first_block():
    """The first reads an input, the others what the block before wrote."""
    assert rounds(sequence(*blocks(6, "norm", "gelu", "norm2", "silu"))) == [
        (6, ("*.norm", "*.gelu", "*.norm2", "*.silu"))
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ("gelu", ""), ("silu gelu", ""), ("", "norm"), ("", "norm silu"), ("gelu", "norm")],
)
def test_does_a_round_hold_whole_layers_whatever_is_around_them(before, after):
    """What is around looks like a part of a layer: its last operators before, its first after."""
    like = [[f"{at}.{part}" for part in parts.split()] for at, parts in ((8, before), (9, after))]
    found = rounds(sequence(*like[0], *blocks(5, "norm", "silu", "gelu"), *like[1]))
    assert [names for count, names in found if count == 5] == [("*.norm", "*.silu", "*.gelu")]


def test_are_only_numbers_starred_that_differ():
    names = [
        f"stages.{stage}.layers.{at}.{part}" for stage, part in ((0, "norm"), (1, "gelu")) for at in range(3)
    ]
    assert rounds(sequence(*names)) == [(3, ("stages.0.layers.*.norm",)), (3, ("stages.1.layers.*.gelu",))]
