"""Random programs of calls, from which models of a framework are made."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st


class Step(NamedTuple):
    """A call of a random program: of which values, by number, and which of several parameters or dimensions."""

    name: str
    operands: tuple[int, ...]
    choice: int


class Program(NamedTuple):
    """Values of one size, computed of inputs and of each other; those are returned that nobody reads, and some others."""

    tokens: int
    inputs: int
    steps: tuple[Step, ...]
    returned: tuple[int, ...]


@st.composite
def programs(draw: st.DrawFn, operands: dict[str, int], often: list[str], steps: int = 7) -> Program:
    """A few calls, each of so many values as its name takes operands: of few names, so that they meet each other."""
    inputs = draw(st.integers(1, 2))
    names = draw(st.lists(st.sampled_from(sorted(operands)), max_size=3)) + often
    made: list[Step] = []
    for at in range(inputs, inputs + draw(st.integers(1, steps))):
        name = draw(st.sampled_from(names))
        of = draw(st.tuples(*[st.integers(max(0, at - 3), at - 1)] * operands[name]))
        made.append(Step(name, of, draw(st.integers(0, 2))))
    read = {value for step in made for value in step.operands}
    values = range(inputs, inputs + len(made))
    returned = tuple(at for at in values if at not in read or draw(st.booleans()))
    return Program(draw(st.sampled_from([2, 4, 6])), inputs, tuple(made), returned)
