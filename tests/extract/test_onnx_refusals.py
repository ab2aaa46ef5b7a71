"""What of an ONNX model is refused, and is it said where and why?"""

from __future__ import annotations

import pytest

from lsim.errors import TraceError

pytest.importorskip("onnx")
import onnx
from onnx_models import FLOAT, INT64, MS, Model, kinds, refused

from lsim.extract.onnx_model import from_onnx
from lsim.trace import Kind


# -- files and inputs ----------------------------------------------------------------------------------------------
def test_is_a_file_refused_that_is_not_there(tmp_path):
    with pytest.raises(TraceError, match="cannot be read: No such file or directory"):
        from_onnx(tmp_path / "none.onnx", {})


def test_is_an_opset_refused_that_is_not_out_yet(tmp_path):
    newest = onnx.defs.onnx_opset_version()
    m = Model(newest + 1)
    said = f"is of opset {newest + 1}: 9 to {newest} can be read (onnx.version_converter changes it)"
    assert refused(m, tmp_path, m.node("Relu", m.input("x", 2, 5))) == said


def two_inputs():
    """Products of the elements of two inputs, of as many rows, however many these are."""
    m = Model()
    return m, m.node("Mul", m.input("x", "N", 3), m.input("y", "N", 3))


def test_is_a_size_refused_that_is_given_twice_and_not_the_same(tmp_path):
    m, out = two_inputs()
    assert m.trace(tmp_path, out, shapes={"x": (2, 3)}).macs == 0  # what is said of one holds of both
    said = "input y: N is 2 in another input, and 4 here"
    assert refused(m, tmp_path, out, shapes={"x": (2, 3), "y": (4, 3)}) == said


@pytest.mark.parametrize("shape", [(2,), (2, 3, 1), (2, 4)])
def test_is_a_shape_refused_of_another_rank_or_size(tmp_path, shape):
    m, out = two_inputs()
    given = "x".join(map(str, shape))
    assert (
        refused(m, tmp_path, out, shapes={"x": shape}) == f"input x: has the shape Nx3, which {given} is not"
    )


def test_is_an_input_that_is_not_there_named_with_one_that_is(tmp_path):
    m = Model()
    out = m.node("Relu", m.input("pixels", 2, 5))
    said = "--shape: the model has no input 'pixel'; did you mean 'pixels'?; allowed: pixels"
    assert refused(m, tmp_path, out, shapes={"pixel": (2, 5)}) == said


def test_are_functions_of_the_model_part_of_it(tmp_path):
    """No refusal: what a function does is seen, where its node alone would not be known."""
    m = Model()
    proto = m.proto(m.node("Twice", m.input("x", 2, 5), domain="own"))
    body = [onnx.helper.make_node(op, [a], [b]) for op, a, b in (("Relu", "i", "j"), ("Tanh", "j", "o"))]
    opset = [onnx.helper.make_opsetid("", 17)]
    proto.functions.append(onnx.helper.make_function("own", "Twice", ["i"], ["o"], body, opset))
    proto.opset_import.append(onnx.helper.make_opsetid("own", 1))
    onnx.save(proto, tmp_path / "model.onnx")
    trace, _ = from_onnx(tmp_path / "model.onnx", {})
    assert kinds(trace) == [Kind.ACTIVATION] * 2


# -- values --------------------------------------------------------------------------------------------------------
def test_is_a_constant_refused_whose_value_is_elsewhere(tmp_path):
    m = Model()
    away = onnx.TensorProto(name="c", dims=[300, 5], data_type=FLOAT, data_location=onnx.TensorProto.EXTERNAL)
    away.external_data.add(key="location", value="none.bin")
    made = m.node("Constant", value=away)
    said = refused(m, tmp_path, m.node("Add", m.input("x", 300, 5), made))
    assert said == "node Constant.0 (Constant): its value is not in the file"


def test_is_an_array_refused_that_has_no_elements(tmp_path):
    m = Model()
    bounds = [m.constant(name, [0]) for name in ("begin", "end", "axis")]
    nothing = m.node("Slice", m.node("Relu", m.input("x", 4, 5)), *bounds)
    said = refused(m, tmp_path, m.node("Tanh", nothing))
    assert said == "node Slice.1 (Slice): 'v1.0' has no elements, of shape (0, 5)"


def test_is_a_result_refused_whose_shape_nothing_says(tmp_path):
    m = Model()
    out = m.node("Mystery", m.input("x", 2, 5), domain="org.example")
    assert refused(m, tmp_path, out, allow_unknown=True) == (
        "node Mystery.0 (org.example.Mystery): the shape of 'v0.0' does not follow from the inputs: "
        "write it into the model (graph.value_info)"
    )


def test_is_attention_refused_that_has_no_heads(tmp_path):
    m = Model()
    x = m.input("x", 1, 5, 12)
    said = refused(m, tmp_path, m.node("MultiHeadAttention", x, x, x, domain=MS, num_heads=0))
    assert said.startswith("node MultiHeadAttention.0 (com.microsoft.MultiHeadAttention): is not of the form")


# -- sequences -----------------------------------------------------------------------------------------------------
def pieces(m):
    return m.node("SplitToSequence", m.input("x", 5, 6), m.constant("split", 2), axis=1)


def test_is_a_sequence_refused_that_is_read_as_an_array(tmp_path):
    m = Model()
    said = "node Relu.1 (Relu): reads 'v0.0', a sequence of values: take one of them"
    assert refused(m, tmp_path, m.node("Relu", pieces(m))) == said


def test_is_a_sequence_refused_of_which_nothing_is_known(tmp_path):
    m = Model()
    out = m.node("SequenceAt", m.input("x", 5, 6), m.constant("at", 0))
    said = "node SequenceAt.0 (SequenceAt): the parts of 'x' are not known before the run"
    assert refused(m, tmp_path, out) == said


def test_are_parts_refused_that_are_stacked(tmp_path):
    m = Model()
    out = m.node("ConcatFromSequence", pieces(m), axis=0, new_axis=1)
    said = "node ConcatFromSequence.1 (ConcatFromSequence): a new axis is not known: unsqueeze the parts"
    assert refused(m, tmp_path, out) == said


@pytest.mark.parametrize("at", [3, -4, None], ids=["behind the last", "before the first", "not known"])
def test_is_a_part_refused_that_is_not_there(tmp_path, at):
    """Three parts, of two columns each."""
    m = Model()
    which = m.input("which", dtype=INT64) if at is None else m.constant("at", at)
    said = "node SequenceAt.1 (SequenceAt): which part it takes is not known before the run"
    assert refused(m, tmp_path, m.node("SequenceAt", pieces(m), which)) == said


@pytest.mark.parametrize("split", [[2, 3], 0, None], ids=["too few", "of nothing", "squeezed"])
def test_is_a_split_refused_that_is_not_known(tmp_path, split):
    m = Model()
    given = {"keepdims": 0} if split is None else {}
    sizes = [] if split is None else [m.constant("split", split)]
    out = m.node("SplitToSequence", m.input("x", 5, 6), *sizes, axis=1, **given)
    first = m.node("SequenceAt", out, m.constant("at", 0))
    said = "node SplitToSequence.0 (SplitToSequence): what it splits into is not known before the run"
    assert refused(m, tmp_path, first) == said


# -- einsum --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("equation", "shapes", "why"),
    [
        ("aa->a", [(5, 5)], "a diagonal is not known: write it out"),
        ("ab->a", [(5, 6)], "only a product of two operands is known: write others out"),
        ("ab,b->b", [(5, 6), (6,)], "only a product of two operands is known: write others out"),
        ("a,b,c->abc", [(2,), (3,), (4,)], "only a product of two operands is known: write others out"),
    ],
)
def test_is_it_said_why_an_einsum_is_refused(tmp_path, equation, shapes, why):
    m = Model()
    inputs = [m.input(f"x{at}", *shape) for at, shape in enumerate(shapes)]
    assert (
        refused(m, tmp_path, m.node("Einsum", *inputs, equation=equation)) == f"node Einsum.0 (Einsum): {why}"
    )
