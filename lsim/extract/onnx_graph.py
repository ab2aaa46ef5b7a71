"""An ONNX model as a graph of fixed shapes: every value with its shape, constants apart, no weight loaded that is not asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from lsim.errors import TraceError

if TYPE_CHECKING:
    from numpy import ndarray

FOLDED = 1 << 22  # elements of the largest constant that is computed with: a causal mask of 2048 tokens
# Nodes whose output is their input to us: widths are a policy of the run, and inference drops nothing.
TRANSPARENT = frozenset({"Identity", "Cast", "CastLike", "Dropout", "QuantizeLinear", "DequantizeLinear"})
LAYOUTS = frozenset(
    {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}
)  # the same elements otherwise arranged
PARTS = frozenset({"Slice", "Split", "Gather"})  # some of the elements
FLOATS = frozenset({1, 10, 11, 16})  # element types of onnx.proto: float, float16, double, bfloat16

Shape = tuple[int, ...]


@frozen(eq=False)
class Node:
    """One node: its operator with the domain before it, `com.microsoft.Attention`; an input that is not given is ''."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def place(self) -> str:
        return f"node {self.name} ({self.op})"

    def input(self, at: int) -> str:
        """An input, '' if it is not given."""
        return self.inputs[at] if at < len(self.inputs) else ""


@contextmanager
def well_formed(node: Node) -> Iterator[None]:
    """Says of a node that it lacks an input or an attribute, where nobody has checked it before."""
    try:
        yield
    except (AssertionError, IndexError, KeyError, ValueError, ZeroDivisionError) as error:
        said = f"{type(error).__name__}: {error}"
        raise TraceError(f"is not of the form that its operator has: {said}", place=node.place()) from error


@define
class Graph:
    """Nodes in order, none of them constant. `weights` are initializers by name; of all values `shapes` has the shape.

    `learned`: constants that parameters went into, or may have. `sequences`: the values that a sequence consists of. `folder`: where the files are that hold values of weights.
    """

    nodes: list[Node] = field(factory=list)
    shapes: dict[str, Shape] = field(factory=dict)
    types: dict[str, int] = field(factory=dict)
    inputs: dict[str, Shape] = field(factory=dict)
    outputs: list[str] = field(factory=list)
    weights: dict[str, Any] = field(factory=dict)
    constants: dict[str, ndarray[Any, Any]] = field(factory=dict)
    learned: set[str] = field(factory=set)
    sequences: dict[str, tuple[str, ...]] = field(factory=dict)
    opset: int = 0
    folder: Path = Path()

    def value(self, name: str) -> ndarray[Any, Any] | None:
        """What a constant or an initializer holds; None if that is not in the file, or no constant."""
        if name in self.constants or name not in self.weights:
            return self.constants.get(name)
        weight = self.weights[name]
        if prod(weight.dims) > FOLDED:
            return None
        from onnx import numpy_helper
        from onnx.checker import ValidationError

        try:
            self.constants[name] = numpy_helper.to_array(weight, str(self.folder))
        except (
            OSError,
            ValueError,
            RuntimeError,
            ValidationError,
        ):  # the file beside the model is not there, or is cut off
            return None
        return self.constants[name]

    def is_stored(self, name: str) -> bool:
        """Whether a value is there before the run: an initializer or a constant."""
        return name in self.weights or name in self.constants

    def is_plain(self, name: str) -> bool:
        """Whether a value comes of shapes and single numbers alone: nothing that was learned is in it."""
        return name in self.constants and name not in self.weights and name not in self.learned

    def is_all(self, name: str, number: float) -> bool:
        """Whether a value has nothing in it that was learned, and is this number everywhere."""
        return self.is_plain(name) and bool((self.constants[name] == number).all())

    def may_be_learned(self, name: str) -> bool:
        """Whether an initializer or a constant may have been learned: real numbers, more than one."""
        several = self.is_stored(name) and prod(self.shapes[name]) > 1 and self.types[name] in FLOATS
        return several and not self.is_plain(name)
