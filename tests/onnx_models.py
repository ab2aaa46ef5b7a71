"""Small ONNX models, made node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from lsim import load_arch
from lsim.errors import TraceError
from lsim.extract.onnx_model import from_onnx
from lsim.trace import Kind, Operator, Trace, dumps, loads

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
MS = "com.microsoft"
ARCH = load_arch("lt-b-4bit")


class Model:
    """Nodes, inputs and initializers, added one by one; every method gives the name of what it made."""

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.nodes, self.inputs, self.weights = [], [], []

    def input(self, name: str, *shape: int | str, dtype: int = FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def weight(self, name: str, *shape: int) -> str:
        self.weights.append(numpy_helper.from_array(np.full(shape, 0.5, np.float32), name))
        return name

    def constant(self, name: str, value: object, dtype: type = np.int64) -> str:
        self.weights.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def node(
        self, op: str, *inputs: str, outputs: Sequence[str] | int = 1, domain: str = "", **attributes: object
    ) -> str | list[str]:
        at = len(self.nodes)
        names = [f"v{at}.{i}" for i in range(outputs)] if isinstance(outputs, int) else list(outputs)
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}.{at}", domain=domain, **attributes))
        return names if len(names) > 1 else names[0]

    def proto(self, *outputs: str):
        made = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "test", self.inputs, made, self.weights)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports)

    def trace(
        self,
        folder: Path,
        *outputs: str,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        **options: bool,
    ) -> Trace:
        """The trace of the model with these results, checked by being written and read."""
        path = folder / "model.onnx"
        save(self.proto(*outputs), path)
        trace, _ = from_onnx(path, shapes or {}, **options)
        assert loads(dumps(trace)) == trace
        return trace


def kinds(trace: Trace) -> list[Kind]:
    return [operator.kind for operator in trace.operators]


def sizes(operator: Operator) -> tuple[int, int, int, int]:
    return operator.heads, operator.rows, operator.depth, operator.columns


def only(trace: Trace) -> Operator:
    (operator,) = trace.operators
    return operator


def refused(
    m: Model,
    folder: Path,
    *outputs: str,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    **options: bool,
) -> str:
    """What is said of a model that is refused."""
    with pytest.raises(TraceError) as caught:
        m.trace(folder, *outputs, shapes=shapes, **options)
    return str(caught.value)
