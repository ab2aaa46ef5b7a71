"""Which stretches of a trace repeat."""

import pytest
from hypothesis import given
from strategies import traces

from lsim.trace import list_traces, load_trace
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
