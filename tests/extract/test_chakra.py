"""Chakra execution traces: there and back, as others read them, and those of others."""

import gzip
from typing import NamedTuple

import pytest
from attrs import fields
from click.testing import CliRunner
from extract.models import CASES
from hypothesis import given
from hypothesis.strategies import integers
from strategies import causals, traces

from lsim import load_arch, simulate, skip_masked
from lsim.cli import cli
from lsim.errors import TraceError
from lsim.extract.api import from_config
from lsim.trace import Kind, Operator, dumps, list_traces, load_trace, loads
from lsim.trace.check import build

pytest.importorskip("google.protobuf.proto")
from lsim.extract.chakra import from_chakra, to_chakra
from lsim.extract.chakra_schema import COMP_NODE, Messages, attributes, decode, encode, file_descriptor

ARCH = load_arch("lt-b-4bit")
COLLECTIVE, METADATA = 7, 1


# -- traces of lsim ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list_traces())
def test_is_a_trace_the_same_there_and_back(name):
    trace = load_trace(name)
    content = to_chakra(trace)
    again, notes = from_chakra(content, "other")
    assert again == trace
    assert again.sha256 == trace.sha256
    assert notes == []
    assert to_chakra(again) == content


@given(traces())
def test_is_any_trace_the_same_there_and_back(trace):
    checked = loads(dumps(trace))
    assert from_chakra(to_chakra(checked), "other")[0] == checked


@given(causals(), integers(1, 4))
def test_are_windows_and_bands_the_same_there_and_back(one, queries):
    trace = skip_masked(build(one.document), queries)
    assert from_chakra(to_chakra(trace), "other")[0] == loads(dumps(trace))


def test_is_every_field_of_an_operator_the_same_there_and_back():
    """With a window, which no trace that comes with lsim has; and a field that is added some day is in it."""
    trace = from_config(CASES["mistral"].config, CASES["mistral"].request)
    again, _ = from_chakra(to_chakra(trace), "other")
    assert any(operator.window for operator in trace.operators)
    assert again.operators == trace.operators
    _, nodes = decode(to_chakra(trace), Messages())
    held = {"name", *(name.removeprefix("lsim.") for name in attributes(nodes[0]))}
    assert held >= {field.name for field in fields(Operator)}


def test_are_data_dependencies_the_graph_of_the_trace():
    trace = load_trace("deit-tiny")
    _, nodes = decode(to_chakra(trace), Messages())
    edges = {(nodes[source].name, node.name) for node in nodes for source in node.data_deps}
    assert edges == set(trace.graph().edges)


def test_are_operations_and_sizes_where_roofline_models_look():
    trace = load_trace("deit-tiny")
    _, nodes = decode(to_chakra(trace), Messages())
    head = attributes(next(node for node in nodes if node.name == "head"))
    assert head["num_ops"] == 2 * 1000 * 192
    assert head["tensor_size"] == 1000 * 192 + 192 + 1000 + 1000
    assert head["is_cpu_op"] is False


def test_is_the_schema_that_of_the_published_package():
    published = pytest.importorskip("chakra.schema.protobuf.et_def_pb2")
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    theirs, ours = FileDescriptorProto(), file_descriptor()
    published.DESCRIPTOR.CopyToProto(theirs)
    assert content(ours) == content(theirs)


def content(file):
    """What the wire format depends on, in any order."""
    fields = {
        (message.name, f.name): (f.number, f.label, f.type, f.type_name, f.HasField("oneof_index"))
        for message in file.message_type
        for f in message.field
    }
    values = {(enum.name, value.name): value.number for enum in file.enum_type for value in enum.value}
    return file.package, fields, values


def test_does_the_reader_of_the_published_package_read_it(tmp_path):
    published = pytest.importorskip("chakra.schema.protobuf.et_def_pb2")
    library = pytest.importorskip("chakra.src.third_party.utils.protolib")
    path = tmp_path / "deit.et"
    path.write_bytes(to_chakra(load_trace("deit-tiny")))
    metadata, node, names = published.GlobalMetadata(), published.Node(), []
    with library.openFileRd(path) as stream:
        assert library.decodeMessage(stream, metadata)
        while library.decodeMessage(stream, node):
            assert node.type == published.COMP_NODE
            names.append(node.name)
    assert names == [operator.name for operator in load_trace("deit-tiny").operators]


# -- what is broken ------------------------------------------------------------------------------------------------
def refused(content, allow_unknown=False):
    with pytest.raises(TraceError) as caught:
        from_chakra(content, "t", allow_unknown)
    return str(caught.value)


def test_is_what_is_no_chakra_trace_refused():
    assert refused(b"").startswith("is empty")
    assert "is no Chakra trace, or is cut off: the metadata, byte 0" in refused(b"\x80\x80 nonsense")
    assert "cannot be unpacked" in refused(b"\x1f\x8bnonsense")


def test_is_a_file_that_is_cut_off_refused():
    whole = to_chakra(load_trace("deit-tiny"))
    assert "is cut off: message 149" in refused(whole[:-3])


def test_is_a_gzipped_file_read():
    trace = load_trace("deit-tiny")
    assert from_chakra(gzip.compress(to_chakra(trace)), "t")[0] == trace


@pytest.mark.parametrize(
    "attribute", ["lsim.kind", "lsim.heads", "lsim.window", "lsim.inputs", "lsim.output_roles"]
)
def test_is_a_node_without_an_attribute_named(attribute):
    messages = Messages()
    metadata, nodes = decode(to_chakra(load_trace("deit-tiny")), messages)
    kept = [one for one in nodes[3].attr if one.name != attribute]
    del nodes[3].attr[:]
    nodes[3].attr.extend(kept)
    assert refused(encode(metadata, nodes)).startswith(
        f"node 3 ({nodes[3].name}): the attributes that lsim wrote"
    )


def test_is_a_node_of_sizes_that_disagree_named():
    messages = Messages()
    metadata, nodes = decode(to_chakra(load_trace("deit-tiny")), messages)
    for one in nodes[3].attr:
        if one.name == "lsim.rows":
            one.int64_val += 1
    assert refused(encode(metadata, nodes)).startswith(f"{nodes[3].name}: operand 0")


# -- traces of others ----------------------------------------------------------------------------------------------
class Number(NamedTuple):
    """An argument that is no tensor."""

    value: int


class Observed:
    """An execution trace as Chakra's converter writes it from PyTorch's: tensors are ids with shapes."""

    def __init__(self):
        self.messages = Messages()
        self.nodes = []
        self.shapes = {}

    def tensor(self, at, *shape, storage=None):
        self.shapes[at] = (storage or at, shape)
        return at

    def add(self, name, inputs, outputs, parent=None, kind=COMP_NODE):
        node = self.messages.of["Node"](id=len(self.nodes) + 1, name=name, type=kind)
        node.ctrl_deps.extend([] if parent is None else [parent])
        for info, tensors in ((node.inputs, inputs), (node.outputs, outputs)):
            info.values = str([self.value(t) for t in tensors])
            info.shapes = str([self.shape(t) for t in tensors])
        self.nodes.append(node)
        return node.id

    def value(self, t):
        if isinstance(t, list):
            return [self.value(one) for one in t]
        if t is None:
            return 1.0  # a number among the arguments
        if isinstance(t, Number):
            return t.value
        storage, shape = self.shapes[t]
        elements = 1
        for size in shape:
            elements *= size
        return [t, storage, 0, elements, 2, "cuda:0"]

    def shape(self, t):
        if isinstance(t, list):
            return [self.shape(one) for one in t]
        return list(self.shapes[t][1]) if t in self.shapes else []

    def content(self):
        return encode(self.messages.of["GlobalMetadata"](version="1.0.0"), self.nodes)


def block():
    """Norm, three projections, attention, residual, on 5 tokens of 12 features, 3 heads of 4."""
    t = Observed()
    t.add("[pytorch|profiler|execution_trace|process]", [], [], kind=METADATA)
    x, gain, bias = t.tensor(1, 5, 12), t.tensor(2, 12), t.tensor(3, 12)
    t.add("aten::layer_norm", [x, None, gain, bias, None], [normed := t.tensor(4, 5, 12)])
    heads = []
    for at in range(3):  # Q, K, V
        weight, turned = t.tensor(10 + at, 12, 12), t.tensor(20 + at, 12, 12, storage=10 + at)
        parent = t.add(
            "aten::linear", [normed, weight, b := t.tensor(30 + at, 12)], [y := t.tensor(40 + at, 5, 12)]
        )
        t.add("aten::t", [weight], [turned], parent)
        child = t.add("aten::addmm", [b, normed, turned, None, None], [y], parent)
        t.add("cublas_gemm_kernel", [], [], child)
        t.add("aten::view", [y, None], [split := t.tensor(50 + at, 5, 3, 4, storage=40 + at)])
        t.add("aten::transpose", [split, None, None], [turn := t.tensor(60 + at, 3, 5, 4, storage=40 + at)])
        heads.append(turn)
    q, k, v = heads
    t.add("aten::transpose", [k, None, None], [kt := t.tensor(70, 3, 4, 5, storage=41)])
    t.add("aten::bmm", [q, kt], [s := t.tensor(71, 3, 5, 5)])
    t.add("aten::softmax", [s, None, None], [p := t.tensor(72, 3, 5, 5)])
    t.add("aten::bmm", [p, v], [o := t.tensor(73, 3, 5, 4)])
    t.add("aten::reshape", [o, None], [flat := t.tensor(74, 5, 12, storage=73)])
    t.add("aten::add", [x, flat, None], [t.tensor(75, 5, 12)])
    return t


def test_is_a_block_of_pytorch_understood():
    trace, notes = from_chakra(block().content(), "t")
    kinds = [operator.kind for operator in trace.operators]
    assert kinds == [Kind.NORM, *[Kind.GEMM] * 4, Kind.SOFTMAX, Kind.GEMM, Kind.RESIDUAL]
    assert trace.macs == 3 * 5 * 12 * 12 + 2 * 3 * 5 * 5 * 4
    assert trace.parameters == 2 * 12 + 3 * (12 * 12 + 12)
    assert [tensor.shape for tensor in trace.inputs] == [(5, 12)]
    assert list(trace.graph().successors("aten::softmax")) == ["aten::bmm.2"]
    assert len(trace.graph().in_edges("aten::bmm")) == 2
    assert notes == list(trace.conventions)
    assert simulate(trace, ARCH).macs == trace.macs


def test_is_a_weight_that_is_seen_through_a_view_a_weight():
    t = Observed()
    x, w = t.tensor(1, 5, 12), t.tensor(2, 7, 12)
    t.add("aten::t", [w], [turned := t.tensor(3, 12, 7, storage=2)])
    t.add("aten::mm", [x, turned], [t.tensor(4, 5, 7)])
    trace, _ = from_chakra(t.content(), "t")
    assert trace.parameters == 84
    assert trace.is_linear(trace.operators[0])


@pytest.mark.parametrize("dimension", [-1, 2])
def test_is_a_softmax_over_rows_understood(dimension):
    t = Observed()
    t.add("aten::softmax", [t.tensor(1, 3, 5, 7), Number(dimension), None], [t.tensor(2, 3, 5, 7)])
    (softmax,) = from_chakra(t.content(), "t")[0].operators
    assert (softmax.heads, softmax.rows, softmax.columns) == (3, 5, 7)


@pytest.mark.parametrize("allow", [True, False])
def test_is_a_softmax_over_another_dimension_refused(allow):
    t = Observed()
    node = t.add("aten::_softmax", [t.tensor(1, 3, 5, 7), Number(1), None], [t.tensor(2, 3, 5, 7)])
    assert refused(t.content(), allow) == (
        f"node {node} (aten::_softmax): a softmax over dimension 1 of 3: over rows, the last, is understood"
    )


@pytest.mark.parametrize("shared", [1, 2, 4])
def test_are_queries_that_share_keys_stacked(shared):
    t = Observed()
    q, k, v = t.tensor(1, 2, 4, 5, 8), t.tensor(2, 2, 4 // shared, 7, 8), t.tensor(3, 2, 4 // shared, 7, 8)
    t.add("aten::scaled_dot_product_attention", [q, k, v, None], [t.tensor(4, 2, 4, 5, 8)])
    trace, _ = from_chakra(t.content(), "t")
    sizes = [(o.heads, o.rows, o.depth, o.columns) for o in trace.operators]
    heads, rows = 2 * 4 // shared, 5 * shared
    assert sizes == [(heads, rows, 8, 7), (heads, rows, 0, 7), (heads, rows, 7, 8)]
    assert trace.macs == 2 * 2 * 4 * 5 * 7 * 8


def test_is_a_fused_projection_that_is_split_read_once():
    t = Observed()
    x, w = t.tensor(1, 5, 12), t.tensor(2, 36, 12)
    t.add("aten::linear", [x, w, None], [fused := t.tensor(3, 5, 36)])
    parts = [t.tensor(10 + at, 5, 12, storage=3) for at in range(3)]
    t.add("aten::split", [fused, None], [parts])
    for at, part in enumerate(parts):
        t.add("aten::relu", [part], [t.tensor(40 + at, 5, 12)])
    trace, _ = from_chakra(t.content(), "t")
    gathers = [o for o in trace.operators if o.operands[0] == ("aten::linear.out",)]
    assert [(o.kind, o.rows, o.columns) for o in gathers] == [(Kind.EMBEDDING, 5, 12)] * 3


def test_is_an_operation_that_is_not_understood_named():
    t = block()
    node = t.add("aten::cumsum", [1], [t.tensor(80, 5, 12)])
    text = refused(t.content())
    assert text.startswith(f"node {node} (aten::cumsum): this operation is not understood")
    assert "--allow-unknown" in text


def test_is_an_operation_that_is_not_understood_kept_if_allowed():
    t = block()
    t.add("aten::cumsum", [75], [t.tensor(80, 5, 3)])
    trace, notes = from_chakra(t.content(), "t", allow_unknown=True)
    assert trace.operators[-1].kind is Kind.OPAQUE
    assert trace.operators[-1].elements == 15
    assert any("aten::cumsum" in note for note in notes)
    assert set(notes) <= set(trace.conventions)


def test_is_communication_refused_by_name():
    t = block()
    node = t.add("nccl:all_reduce", [75], [75], kind=COLLECTIVE)
    assert refused(t.content(), True).startswith(
        f"node {node} (nccl:all_reduce): a COMM_COLL_NODE has no place"
    )


def test_are_values_that_cannot_be_read_refused_by_name():
    t = block()
    t.nodes[-1].inputs.values = "[["
    assert refused(t.content()).startswith(
        f"node {t.nodes[-1].id} (aten::add): its values and shapes cannot be read"
    )


def test_is_a_trace_of_times_only_refused():
    t = Observed()
    t.add("COMP_NODE_layer0", [], [])
    assert refused(t.content()).startswith("has no operation of PyTorch")


# -- the command line ----------------------------------------------------------------------------------------------
def test_do_the_commands_go_there_and_back(tmp_path):
    there, back = tmp_path / "deit.et", tmp_path / "deit.jsonl"
    for command in (["to-chakra", "deit-tiny", "-o", there], ["from-chakra", there, "-o", back]):
        done = CliRunner().invoke(cli, ["trace", *map(str, command)])
        assert done.exit_code == 0, done.output
    assert load_trace(back) == load_trace("deit-tiny")


def test_is_a_bad_file_named_and_nothing_written(tmp_path):
    bad, out = tmp_path / "bad.et", tmp_path / "out.jsonl"
    bad.write_bytes(to_chakra(load_trace("deit-tiny"))[:-3])
    done = CliRunner().invoke(cli, ["trace", "from-chakra", str(bad), "-o", str(out)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"lsim: {bad}: is no Chakra trace, or is cut off")
    assert list(tmp_path.iterdir()) == [bad]
