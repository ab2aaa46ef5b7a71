"""How a module is recorded: what it is given and returns, where it fails, and how it is left."""

from dataclasses import make_dataclass

import pytest

torch = pytest.importorskip("torch")
from extract.written import Written  # noqa: E402

import lsim  # noqa: E402
from lsim.errors import TraceError  # noqa: E402

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


# -- how it is left
def test_is_a_module_without_numbers_left_as_it_was():
    on, off = nn.Dropout().train(), nn.Dropout().eval()
    module = nn.Sequential(nn.Linear(4, 4, device="meta"), on, off)
    lsim.trace_module(module, x(2, 4))
    assert (module.training, on.training, off.training) == (True, True, False)
    refused(module, x(2, 5))
    assert (on.training, off.training) == (True, False)
