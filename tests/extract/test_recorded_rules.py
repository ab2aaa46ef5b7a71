"""What single calls of PyTorch become: what reads what, and what is merged with what."""

import pytest

torch = pytest.importorskip("torch")

import lsim  # noqa: E402
from lsim.errors import TraceError  # noqa: E402
from lsim.trace import Trace  # noqa: E402

nn, F = torch.nn, torch.nn.functional
WIDTH = 32


class Called(nn.Module):
    """A module that is one function of itself and its inputs."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        for name in "abc":
            setattr(self, name, nn.Linear(WIDTH, WIDTH, bias=False))
        self.d = nn.Linear(WIDTH, WIDTH)
        self.g, self.h = (nn.Parameter(torch.zeros(WIDTH)) for _ in range(2))
        self.table, self.other = (nn.Parameter(torch.zeros(10, WIDTH)) for _ in range(2))
        self.register_buffer("cos", torch.zeros(10, WIDTH))
        self.register_buffer("turn", torch.zeros(10, WIDTH // 2, dtype=torch.complex64))

    def forward(self, *inputs):
        return self.function(self, *inputs)


def traced(function, *inputs, **options) -> Trace:
    return lsim.trace_module(Called(function), *(inputs or [torch.zeros(1, 10, WIDTH)]), **options)


def kinds(trace):
    return [operator.kind.value for operator in trace.operators]


def readers(trace, tensor):
    return [operator.name for operator in trace.consumers(tensor)]


def labels(trace):
    return [operator.label for operator in trace.operators]


# -- what an operator takes on afterwards, nobody else may have seen


def _two_biases(m, x):
    q = m.a(x)
    return (q + m.g) @ x.mT, (q + m.h) @ m.b(x).mT


def _two_gains(m, x):
    n = F.layer_norm(x, (WIDTH,))
    return m.a(n * m.g), m.b(n * m.h)


def _gain_of_one(m, x):
    n = F.layer_norm(x, (WIDTH,))
    return m.a(n * m.g) + m.b(n)


def _bias_of_a_view(m, x):
    y = m.a(x)
    flat = y.reshape(-1)
    return y + m.g, m.b(flat.reshape(x.shape))


def _bias_of_one_result(m, x):
    y = m.a(x)
    return y, y + m.g


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (_two_biases, ["gemm", "residual", "gemm", "residual", "gemm", "gemm"]),
        (_two_gains, ["norm", "multiply", "gemm", "multiply", "gemm"]),
        (_gain_of_one, ["norm", "multiply", "gemm", "gemm", "residual"]),
        (_bias_of_a_view, ["gemm", "residual", "gemm"]),
        (_bias_of_one_result, ["gemm", "residual"]),
        (lambda m, x: m.b(m.a(x) + m.g), ["gemm", "gemm"]),
        (lambda m, x: m.b(F.layer_norm(x, (WIDTH,)) * m.g + m.h), ["norm", "gemm"]),
    ],
)
def test_is_a_bias_or_gain_part_of_an_operator_only_if_nobody_reads_it_without(function, expected):
    trace = traced(function)
    assert sorted(kinds(trace)) == sorted(expected)
    assert all(len(readers(trace, name)) == 1 for name in ("g", "h") if name in trace.tensors)


def test_are_two_tables_one_look_up_only_if_nobody_reads_one_alone():
    def looked_up(m, ids, alone):
        word, place = F.embedding(ids, m.table), F.embedding(ids.flip(0), m.other)
        return m.a(word + place), m.b(word) if alone else None

    ids = torch.zeros(10, dtype=torch.long)
    assert kinds(traced(looked_up, ids, False)) == ["embedding", "gemm"]
    trace = traced(looked_up, ids, True)
    assert kinds(trace) == ["embedding", "embedding", "residual", "gemm", "gemm"]


# -- calls in place


def _added_in_place(m, x):
    y = m.d(x)
    y += x
    return m.b(y)


def _read_before(m, x):
    y = m.d(x)
    z = m.b(y)
    y += z
    return m.c(y)


def test_is_a_linear_layers_result_written_in_place():
    assert kinds(traced(_added_in_place)) == ["gemm", "residual", "gemm"]
    trace = traced(_read_before)
    assert kinds(trace) == ["gemm", "gemm", "residual", "gemm"]
    assert len(trace.consumers("d.out")) == 2


def _view_read_later(m, x):
    y = m.a(x).relu()
    view = y.reshape(-1)
    y += x
    return m.b(view.reshape(x.shape))


def _part_written(m, x):
    y = m.a(x)
    y[:, 0] += 1.0
    return m.b(y)


@pytest.mark.parametrize("function", [_view_read_later, _part_written])
def test_is_a_write_refused_that_another_view_sees_later(function):
    with pytest.raises(TraceError, match="writes into a tensor of which another view is read later"):
        traced(function)


def test_are_random_tensors_and_rewritten_ones_each_their_own():
    def noisy(m, x):
        one, other = (torch.rand(10, WIDTH, device=x.device) for _ in range(2))
        mask, ones = (torch.zeros(10, WIDTH, device=x.device) for _ in range(2))
        ones[0].fill_(1.0)
        return m.a(one), m.a(other), m.a(mask), m.a(ones)

    trace = traced(noisy)
    assert kinds(trace) == ["gemm"] * 4
    assert len({operator.operands[1] for operator in trace.operators}) == 4
