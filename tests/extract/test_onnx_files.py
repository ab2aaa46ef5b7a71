"""ONNX files: shapes, constants, what is refused, a model that others made, the command line."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lsim.cli import cli
from lsim.errors import TraceError
from lsim.trace import load_trace

pytest.importorskip("onnx")
import onnx
from onnx_models import ARCH, Model, only, refused, sizes

from lsim import load_result, simulate
from lsim.extract.onnx_model import from_onnx
from lsim.report.blocks import Prose, Run
from lsim.report.headline import headline
from lsim.trace import Kind, dumps


# -- shapes, constants, files --------------------------------------------------------------------------------------
def test_is_arithmetic_on_shapes_folded_away(tmp_path):
    m = Model()
    x = m.input("x", "batch", 6, 4)
    batch = m.node("Gather", m.node("Shape", x), m.constant("zero", 0))
    wide = m.node("Mul", batch, m.constant("six", 6))
    shape = m.node(
        "Concat", m.node("Unsqueeze", wide, m.constant("axis", [0])), m.constant("rest", [-1]), axis=0
    )
    out = m.node("MatMul", m.node("Reshape", x, shape), m.weight("w", 4, 3))
    assert sizes(only(m.trace(tmp_path, out, shapes={"x": (2, 6, 4)}))) == (1, 3, 4, 12)


@pytest.mark.parametrize("opset", range(11, 24))
def test_is_every_opset_read(tmp_path, opset):
    m = Model(opset)
    x = m.node("MatMul", m.input("x", 1, 5, 6), m.weight("w", 6, 6))
    axes = {"axes": [1]} if opset < 13 else {}
    x = m.node("Unsqueeze", x, *([] if axes else [m.constant("one", [1])]), **axes)
    assert only(m.trace(tmp_path, m.node("Flatten", x))).macs == 5 * 36


@pytest.mark.parametrize("outside", [False, True])
def test_need_weights_not_be_there(tmp_path, outside):
    m = Model()
    x = m.node("MatMul", m.input("x", 5, 600), m.weight("w", 600, 700))
    proto = m.proto(m.node("Add", x, m.weight("b", 700)))
    path = tmp_path / "model.onnx"
    onnx.save(proto, path, save_as_external_data=outside, location="weights.bin", size_threshold=0)
    if outside:
        (tmp_path / "weights.bin").unlink()
    trace, _ = from_onnx(path, {})
    assert (trace.macs, trace.parameters) == (5 * 600 * 700, 600 * 700 + 700)


def test_is_a_dynamic_shape_refused_with_what_to_say(tmp_path):
    m = Model()
    out = m.node("Relu", m.input("x", "N", 3, "H"))
    assert (
        refused(m, tmp_path, out)
        == "input x: has the dynamic shape Nx3xH: say which one, such as --shape x=1,3,1"
    )


def test_is_a_shape_that_does_not_fit_refused(tmp_path):
    m = Model()
    out = m.node("Relu", m.input("x", "N", 3))
    assert refused(m, tmp_path, out, shapes={"x": (1, 4)}) == "input x: has the shape Nx3, which 1x4 is not"
    assert refused(
        m, tmp_path, out, shapes={"y": (1, 3)}
    ) == "--shape: the model has no input 'y'; did you mean 'x'?; allowed: x".replace(
        "did you mean 'x'?; ", ""
    )


def test_are_sizes_that_disagree_named(tmp_path):
    m = Model()
    out = m.node("MatMul", m.input("x", 5, 3), m.weight("w", 4, 7))
    assert refused(m, tmp_path, out).startswith("node MatMul.0 (MatMul): its shapes do not fit")


def test_is_an_operator_that_is_not_known_named(tmp_path):
    m = Model()
    out = m.node("Det", m.input("x", 2, 5, 5))
    said = refused(m, tmp_path, out)
    assert (
        said
        == "node Det.0 (Det): this operator is not known; --allow-unknown keeps it as opaque data movement"
    )


def test_is_an_operator_that_is_not_known_kept_if_allowed(tmp_path):
    m = Model()
    trace = m.trace(tmp_path, m.node("Det", m.input("x", 2, 5, 5)), allow_unknown=True)
    assert (only(trace).kind, only(trace).elements) == (Kind.OPAQUE, 2)
    assert any(line.startswith("UNKNOWN") and "Det.0" in line for line in trace.conventions)
    assert simulate(trace, ARCH).ticks > 0


def test_is_a_shape_that_nothing_says_asked_for(tmp_path):
    m = Model()
    out = m.node("Mystery", m.input("x", 2, 5), domain="org.example")
    said = refused(m, tmp_path, m.node("Relu", out), allow_unknown=True)
    assert "node Mystery.0 (org.example.Mystery): the shape of 'v0.0' does not follow" in said


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "it has no nodes"), (b"\xff\xfe nonsense", "is no ONNX model")]
)
def test_is_a_file_that_is_no_model_refused(tmp_path, content, says):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=says):
        from_onnx(path, {})


def test_is_a_file_that_is_cut_off_refused(tmp_path):
    m = Model()
    whole = m.proto(m.node("Relu", m.input("x", 2, 5))).SerializeToString()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[:-7])
    with pytest.raises(TraceError):
        from_onnx(path, {})


def malformed(what):
    """A model with something wrong in it, and what is said of it."""
    m = Model()
    x = m.input("x", 1, 4, 8, 8)
    if what == "reads what nobody makes":
        return m.proto(
            m.node("Add", x, "nowhere")
        ), "node Add.0 (Add): reads 'nowhere', which no node before it makes"
    if what == "is made twice":
        m.node("Relu", x, outputs=["y"])
        m.node("Tanh", x, outputs=["y"])
        return m.proto("y"), "node Tanh.1 (Tanh): makes 'y', which is there already"
    if what == "lacks an attribute":
        out = m.node("MultiHeadAttention", x, domain="com.microsoft")
        return m.proto(out), "(com.microsoft.MultiHeadAttention): is not of the form that its operator has"
    if what == "lacks an input":
        return m.proto(m.node("Gelu", domain="com.microsoft")), "is not of the form that its operator has"
    if what == "has other channels":
        return m.proto(
            m.node("Conv", x, m.weight("w", 8, 3, 3, 3))
        ), "the image has 4 channels, the filters have 1 x 3"
    proto = m.proto(m.node("Relu", x))
    if what == "has no outputs":
        del proto.graph.output[:]
        return proto, "has no outputs"
    if what == "is given a sequence":
        proto.graph.input[0].CopyFrom(onnx.helper.make_tensor_sequence_value_info("x", 1, [2, 5]))
        return proto, "input x: is no tensor"
    assert what == "returns what nobody makes"
    proto.graph.output[0].name = "other"
    return proto, "output other: no node makes it"


@pytest.mark.parametrize(
    "what",
    ["reads what nobody makes", "is made twice", "lacks an attribute", "lacks an input", "has other channels", "has no outputs",
     "is given a sequence", "returns what nobody makes"],
)  # fmt: skip
def test_is_a_model_refused_in_which_something_is_wrong(tmp_path, what):
    proto, says = malformed(what)
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    out = tmp_path / "m.jsonl"
    done = CliRunner().invoke(cli, ["trace", "from-onnx", str(path), "-o", str(out)])
    assert (done.exit_code, type(done.exception)) == (2, SystemExit)
    assert done.stderr.startswith(f"lsim: {path}: ")
    assert says in done.stderr
    assert not out.exists()


def test_does_a_run_tell_of_an_operator_that_was_not_known(tmp_path):
    """In the report, in JSON and on the page: no number of it may be taken for one of a model that is known."""
    m = Model()
    known = m.node("MaxPool", m.input("y", 1, 4, 8, 8), kernel_shape=[2, 2])  # data movement, too, but known
    trace = m.trace(tmp_path, known, m.node("Det", m.input("x", 2, 5, 5)), allow_unknown=True)
    file, folder = tmp_path / "m.jsonl", tmp_path / "run"
    file.write_text(dumps(trace))
    run = [str(file), "--arch", "lt-b-4bit"]
    told = CliRunner().invoke(cli, ["run", *run, "--out", str(folder)]).stdout
    assert "not known   Det.1 (Det): only bytes moved, no arithmetic" in told
    assert '"unknown": ["Det.1"]' in CliRunner().invoke(cli, ["run", *run, "--json"]).stdout
    page = headline(Run("run", load_result(folder)))
    assert any("not known: Det.1 (Det):" in block.text for block in page.blocks if isinstance(block, Prose))


def test_is_an_opset_that_is_too_old_refused(tmp_path):
    m = Model(6)
    assert refused(m, tmp_path, m.node("Relu", m.input("x", 2, 5))).startswith("is of opset 6: 9 to ")


# -- a model that others made --------------------------------------------------------------------------------------
@pytest.mark.skipif(find_spec("rapidocr") is None, reason="the wheel with the models is not installed")
def test_is_a_foreign_model_read_whole(tmp_path):
    """PP-OCR's recogniser: convolutions, and two blocks of attention of 8 heads of 15 on 40 tokens of 120."""
    path = next((Path(find_spec("rapidocr").origin).parent / "models").glob("*_rec_small.onnx"))
    trace, _ = from_onnx(path, {"x": (1, 3, 48, 320)})
    attending = [o for o in trace.operators if o.is_gemm and not trace.is_linear(o) and o.label != "pool"]
    assert [sizes(o) for o in attending] == [(8, 40, 15, 40), (8, 40, 40, 15)] * 2
    small, _ = from_onnx(path, {"x": (1, 3, 48, 64)})
    assert small.macs - sum(o.macs for o in small.operators if o.label == "pool") == counted(
        path, np.zeros((1, 3, 48, 64), np.float32)
    )
    assert simulate(small, ARCH).macs == small.macs


def counted(path, x):
    """The MACs of convolutions and products of a model that onnx's reference runs: from the arrays that it makes."""
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul")]
    names = list(dict.fromkeys(name for node in nodes for name in (*node.input[:2], node.output[0])))
    weights = {weight.name: onnx.numpy_helper.to_array(weight) for weight in model.graph.initializer}
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    made = weights | dict(
        zip(names, ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x}), strict=True)
    )
    depth = {
        "Conv": lambda node: made[node.input[1]][0].size,
        "MatMul": lambda node: made[node.input[0]].shape[-1],
    }
    return sum(made[node.output[0]].size * depth[node.op_type](node) for node in nodes)


# -- the command line ----------------------------------------------------------------------------------------------
def test_does_the_command_make_a_trace(tmp_path):
    m = Model()
    onnx.save(m.proto(m.node("Relu", m.input("x", "N", 3))), tmp_path / "m.onnx")
    done = CliRunner().invoke(
        cli,
        ["trace", "from-onnx", str(tmp_path / "m.onnx"), "--shape", "x=2,3", "-o", str(tmp_path / "m.jsonl")],
    )
    assert done.exit_code == 0, done.output
    assert "note: " in done.stderr
    assert load_trace(tmp_path / "m.jsonl").operators[0].elements == 6


@pytest.mark.parametrize("text", ["x", "x=", "x=2,a", "=2", "x=0,3"])
def test_is_a_shape_that_cannot_be_read_refused(tmp_path, text):
    (tmp_path / "m.onnx").write_bytes(b"")
    done = CliRunner().invoke(
        cli,
        ["trace", "from-onnx", str(tmp_path / "m.onnx"), "--shape", text, "-o", str(tmp_path / "m.jsonl")],
    )
    assert done.exit_code == 2
    assert "--shape: must be INPUT=1,3,224,224" in done.stderr


def test_is_it_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = CliRunner().invoke(
        cli, ["trace", "from-onnx", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.jsonl")]
    )
    assert done.exit_code == 2
    assert "pip install 'lsim[onnx]'" in done.stderr
