"""How a module is recorded: what it is given and returns, where it fails, and how it is left."""

import warnings
from dataclasses import make_dataclass
from threading import Lock

import pytest

torch = pytest.importorskip("torch")
from extract.written import Written  # noqa: E402

import lsim  # noqa: E402
from lsim.errors import TraceError  # noqa: E402
from lsim.trace import dumps  # noqa: E402

nn, F = torch.nn, torch.nn.functional
Output = make_dataclass("Output", ["y"])


def x(*shape):
    return torch.zeros(*(shape or (1, 10, 32)))


def kinds(trace):
    return [operator.kind.value for operator in trace.operators]


def refused(module, *inputs, **keywords):
    with pytest.raises(TraceError) as caught:
        lsim.trace_module(module, *inputs, **keywords)
    return str(caught.value)


def weights(trace):
    return {t.name: t.elements for t in trace.tensors.values() if t.role.value == "weight"}


# -- what it has beside parameters
def test_is_a_buffer_that_a_layer_reads_a_weight():
    module = Written(lambda s, x: F.linear(x, s.w, s.b), w=x(16, 32), b=x(16))
    trace = lsim.trace_module(module, x(2, 10, 32))
    (layer,) = trace.operators
    assert (layer.heads, layer.rows, layer.depth, layer.columns) == (1, 16, 32, 20)
    assert layer.operands == (("w",), ("input.0",), ("b",))
    assert trace.is_linear(layer)
    assert trace.parameters == 16 * 32 + 16


def test_is_a_layer_the_same_whether_it_holds_parameters_or_buffers():
    def forward(s, ids):
        return F.layer_norm(F.conv1d(F.embedding(ids, s.table)[None].mT, s.kernel).mT, (8,), s.gain, s.bias)

    shapes = {"table": (50, 32), "kernel": (8, 32, 1), "gain": (8,), "bias": (8,)}
    one = Written(forward, **{name: x(*shape) for name, shape in shapes.items()})
    other = Written(forward, **{name: nn.Parameter(x(*shape)) for name, shape in shapes.items()})
    ids = torch.zeros(10, dtype=torch.long)
    assert dumps(lsim.trace_module(one, ids)) == dumps(lsim.trace_module(other, ids))


def test_is_a_tensor_in_a_plain_attribute_a_weight_and_kept_where_it_is():
    module = Written(lambda s, x: x @ s.inner.w, inner=nn.Module())
    module.inner.w = x(32, 8)
    assert weights(lsim.trace_module(module, x())) == {"inner.w": 256}
    assert module.inner.w.device.type == "cpu"


def test_are_buffers_that_no_layer_reads_constants():
    """Frequencies by positions, as of rotary embeddings, are a product of no data, and a table of positions no words."""

    def forward(s, x, positions):
        angles = (s.frequencies[:, None] @ positions[None].float()).mT
        rows = F.embedding(torch.arange(10, device=x.device), s.rows)
        return s.l(x * angles.cos() + s.table + rows)

    module = Written(forward, l=nn.Linear(32, 8), frequencies=x(32), table=x(10, 32), rows=x(50, 32))
    trace = lsim.trace_module(module, x(), torch.arange(10))
    assert weights(trace) == {"l.weight": 256, "l.bias": 8}
    assert kinds(trace) == ["gemm"]


# -- what it makes on the CPU
@pytest.mark.parametrize(
    "constant",
    [
        lambda s: torch.ones(10, 32),
        lambda s: torch.full((10, 32), float(torch.arange(4).max())),
        lambda s: s.settings["scale"],
    ],
)
def test_are_constants_followed_that_are_made_on_the_cpu(constant):
    module = Written(lambda s, x: s.l(x * constant(s)), l=nn.Linear(32, 8), settings={"scale": x(10, 32)})
    trace = lsim.trace_module(module, x())
    assert kinds(trace) == ["gemm"]
    assert module.settings["scale"].device.type == "cpu"


def test_is_a_triangle_that_is_made_on_the_cpu_a_causal_mask():
    def forward(s, x):
        mask = torch.triu(torch.ones(10, 10), 1).bool()
        return (s.q(x) @ x.mT).masked_fill(mask, -1e9).softmax(-1) @ x

    module = Written(forward, q=nn.Linear(32, 32))
    module.is_causal = True
    assert [o.causal for o in lsim.trace_module(module, x()).operators] == [False, True, True, True]


def test_are_data_refused_that_are_written_into_a_tensor_on_the_cpu():
    def forward(s, x):
        out = torch.zeros(1, 10, 8)
        out[:] = s.l(x)
        return out

    told = refused(Written(forward, l=nn.Linear(32, 8)), x())
    assert told.startswith("Written: aten.copy_.default: writes data into a tensor on another device")


# -- what it returns
class Slotted:
    __slots__ = ("y",)

    def __init__(self, y):
        self.y = y


@pytest.mark.parametrize("wrap", [Output, Slotted, lambda y: [{"y": Output(Slotted(y))}]])
def test_are_the_last_operators_in_the_trace_whatever_the_result_is_wrapped_in(wrap):
    module = Written(lambda s, x: wrap(torch.sigmoid(s.l(x))), l=nn.Linear(32, 32))
    assert kinds(lsim.trace_module(module, x())) == ["gemm", "activation"]


def test_is_a_module_refused_that_returns_no_tensor():
    module = Written(lambda s, x: len(s.l(x)), l=nn.Linear(32, 32))
    assert refused(module, x()) == "Written: returns nothing that has a tensor: int"


def test_are_tensors_inside_an_object_inputs_of_the_model():
    module = Written(lambda s, given: s.l(given.y), l=nn.Linear(32, 32))
    given = Output(x())
    trace = lsim.trace_module(module, given)
    assert [tensor.elements for tensor in trace.inputs] == [320]
    assert given.y.device.type == "cpu"


# -- where it fails
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Sequential(nn.Linear(32, 32), nn.Linear(5, 5))), "0.1: aten.addmm.default: cannot be"),
        (nn.Sequential(Written(lambda s, x: x.undefined)), "0: cannot be recorded: AttributeError"),
        (Written(lambda s, x: 1 // 0), "Written: cannot be recorded: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_is_the_module_named_that_fails(module, message):
    told = refused(module, x())
    assert told.startswith(message)
    assert "depends on numbers" not in told


LINEAR = nn.Linear(32, 32)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 3, "module: is no torch.nn.Module: int"),
        (lambda: torch.jit.script(LINEAR), "is compiled by torch.jit"),
        (lambda: torch.jit.trace(LINEAR, x()), "is compiled by torch.jit"),
        (lambda: nn.Sequential(torch.jit.script(LINEAR)), "Sequential: is compiled by torch.jit"),
        (
            lambda: Written(lambda s, x: s.l(x), l=LINEAR, lock=Lock()),
            "Written: cannot be copied to the meta device: TypeError",
        ),
    ],
    ids=["number", "scripted", "traced", "scripted inside", "not to be copied"],
)
def test_is_a_module_refused_that_cannot_be_recorded(make, message):
    assert message in refused(make(), x())


def test_is_an_input_refused_that_cannot_be_copied():
    assert "cannot be copied to the meta device" in refused(nn.Identity(), {"x": Lock()})


def test_is_a_weight_that_hooks_make_from_others_recorded_or_refused_by_name():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = nn.utils.weight_norm(nn.Linear(32, 32))
    assert "aten._weight_norm_interface.default: an operator that lsim does not know" in refused(module, x())


# -- how it is left
def test_is_a_module_without_numbers_left_as_it_was():
    on, off = nn.Dropout().train(), nn.Dropout().eval()
    module = nn.Sequential(nn.Linear(4, 4, device="meta"), on, off)
    lsim.trace_module(module, x(2, 4))
    assert (module.training, on.training, off.training) == (True, True, False)
    refused(module, x(2, 5))
    assert (on.training, off.training) == (True, False)
