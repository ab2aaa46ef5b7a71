"""Control flow in ONNX models: branches that are known, and what is refused or kept."""

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import TensorProto, helper
from onnx_models import FLOAT, Model, kinds, refused

from lsim.trace import Kind

SHAPE = (5, 6)


def body(op, source, name="made"):
    node = helper.make_node(op, [source], [name], name=f"{op}.inside")
    return helper.make_graph([node], op, [], [helper.make_tensor_value_info(name, FLOAT, SHAPE)])


def branches(m, condition, source):
    parts = {"then_branch": body("Relu", source, "then"), "else_branch": body("Tanh", source, "else")}
    return m.node("If", condition, **parts)


@pytest.mark.parametrize(("truth", "label"), [(True, "relu"), (False, "tanh")])
def test_is_a_branch_that_is_known_part_of_the_model(tmp_path, truth, label):
    m = Model()
    x = m.node("MatMul", m.input("x", *SHAPE), m.weight("w", 6, 6))
    out = branches(m, m.constant("truth", truth, np.bool_), x)
    trace = m.trace(tmp_path, m.node("MatMul", out, m.weight("v", 6, 6)))
    assert kinds(trace) == [Kind.GEMM, Kind.ACTIVATION, Kind.GEMM]
    assert trace.operators[1].label == label
    assert trace.operators[2].operands[1] == trace.operators[1].outputs


def test_is_a_branch_that_depends_on_the_input_refused(tmp_path):
    m = Model()
    out = branches(m, m.input("truth", dtype=TensorProto.BOOL), m.input("x", *SHAPE))
    assert refused(m, tmp_path, out) == (
        "node If.0 (If): this operator is not known (which branch runs depends on the input); "
        "--allow-unknown keeps it as opaque data movement"
    )


def test_reads_an_if_that_is_kept_what_its_branches_read(tmp_path):
    """Values are not among its inputs; without them, what made them would not be needed by anybody."""
    m = Model()
    x = m.node("MatMul", m.input("x", *SHAPE), m.weight("w", 6, 6))
    out = branches(m, m.input("truth", dtype=TensorProto.BOOL), x)
    path = tmp_path / "model.onnx"
    proto = m.proto(out)
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(out, FLOAT, SHAPE))
    from onnx import save

    from lsim.extract.onnx_model import from_onnx

    save(proto, path)
    trace, notes = from_onnx(path, {}, allow_unknown=True)
    assert kinds(trace) == [Kind.GEMM, Kind.OPAQUE]
    assert trace.operators[0].outputs[0] in trace.operators[1].reads
    assert any(note.startswith("UNKNOWN") and "If.1 (If)" in note for note in notes)


def test_is_a_loop_refused(tmp_path):
    m = Model()
    x = m.input("x", *SHAPE)
    inside = helper.make_graph(
        [helper.make_node("Relu", ["state"], ["next"]), helper.make_node("Identity", ["on"], ["still"])],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, SHAPE),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, SHAPE),
        ],
    )
    out = m.node("Loop", m.constant("turns", 3), m.constant("on0", True, np.bool_), x, body=inside)
    assert "(Loop): this operator is not known (how often it runs may depend" in refused(m, tmp_path, out)
