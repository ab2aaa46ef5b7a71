"""Random traces, of a few layers: every kind of operator, and what of them is hard."""

from __future__ import annotations

from hypothesis import strategies as st

from lsim.trace import Role, Trace
from strategies.steps import STEPS, Model, embedding


@st.composite
def traces(draw: st.DrawFn, layers: int = 3, steps: int = 4, size: int = 12) -> Trace:
    """A model of a few layers, each the same few operators; sizes up to `size`."""
    model = Model(draw(st.integers(1, size)), draw(st.integers(1, size)))
    model.tensor("input", model.features, model.tokens, role=Role.INPUT)
    tables = draw(st.integers(0, 2))
    if tables:
        embedding(model, tables)
    body = draw(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99)), min_size=1, max_size=steps))
    for layer in range(draw(st.integers(1, layers))):
        for i, (step, choice) in enumerate(body):
            step(model, f"l{layer}.{i}", choice)
    read = {name for operator in model.operators for name in operator.reads}
    produced = {name for operator in model.operators for name in operator.outputs}
    tensors = {name: t for name, t in model.tensors.items() if name in read or name in produced}
    return Trace("random", tensors, tuple(model.operators))
