"""What single calls of PyTorch become: what reads what, and what is merged with what."""

import pytest

torch = pytest.importorskip("torch")

from extract.called import WIDTH, kinds, labels, readers, traced  # noqa: E402

from lsim.errors import TraceError  # noqa: E402

nn, F = torch.nn, torch.nn.functional


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


# -- what is one operator, and what is several


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda m, x: (m.a(x.mean(1)), m.b(x.mean(2))), (1, 14, 14, WIDTH), 2),
        (lambda m, x: (m.a(x.mean(1)), m.b(x.mean(1))), (1, 14, 14, WIDTH), 1),
        (lambda m, x: m.a(x).mean(-1).mean(-1), (2, 10, WIDTH), 2),
        (lambda m, x: m.a((x - x.mean(-1, keepdim=True)).relu()), (2, 10, WIDTH), 1),
        (lambda m, x: x - x.mean(1, keepdim=True), (2, 10, WIDTH), 1),
        (lambda m, x: m.b(m.a(x).unsqueeze(1).sum(1)), (2, 10, WIDTH), 0),
        (lambda m, x: m.b(m.a(x).unsqueeze(1).mean(1)), (2, 10, WIDTH), 0),
    ],
)
def test_is_each_mean_a_product_of_its_own_and_none_that_of_one_element(function, shape, expected):
    assert labels(traced(function, torch.zeros(shape))).count("pool") == expected


def test_has_a_mean_of_means_the_size_of_the_result():
    trace = traced(lambda m, x: m.a(x).mean(-1).mean(-1), torch.zeros(2, 10, WIDTH))
    rows, all_of_it = (o for o in trace.operators if o.label == "pool")
    assert (rows.elements, rows.depth) == (2 * 10, WIDTH)
    assert (all_of_it.elements, all_of_it.depth) == (2, 10)


@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda m, y: m.b(y + y.roll(1, 1)), "residual", 1),
        (lambda m, y: m.b(y + y.flip(1)), "residual", 1),
        (lambda m, y: y @ y.mT + (y @ y.mT).mT, "residual", 1),
        (lambda m, y: m.b(y * y.roll(1, 1)), "multiply", 1),
        (lambda m, y: m.b(y + y.reshape(y.shape)), "residual", 0),
        (lambda m, y: m.b(y * y.view(y.shape)), "multiply", 0),
        (lambda m, y: m.b(y + torch.cat(y.chunk(2, 1)[::-1], 1)), "residual", 1),
        (lambda m, y: y[:, :5] @ m.b.weight + y.flip(1)[:, :5] @ m.b.weight, "embedding", 2),
    ],
)
def test_are_two_views_of_a_tensor_two_tensors_if_their_order_differs(function, kind, expected):
    assert kinds(traced(lambda m, x: function(m, m.a(x)))).count(kind) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda m, y: (m.b(y**2), m.c(y**3)), ["pow", "pow"]),
        (lambda m, y: (m.b(y**2), m.c(y**2)), ["pow"]),
        (lambda m, y: m.b(y.clamp(min=0)) + m.c(y.clamp(max=0)), ["clamp", "clamp"]),
        (lambda m, y: m.b((y * 2).relu()) + m.c((y * 3).relu()), ["relu", "relu"]),
        (lambda m, y: m.b(y.sigmoid() + y.tanh()) + m.c(y.sigmoid().tanh()), ["tanh", "tanh"]),
        (lambda m, y: m.b(y * y.mean(-1, keepdim=True).sigmoid()), ["sigmoid"]),
    ],
)
def test_are_functions_merged_only_if_they_are_the_same(function, expected):
    trace = traced(lambda m, x: function(m, m.a(x)))
    assert [o.label for o in trace.operators if o.kind.value == "activation"] == expected


# -- norms and softmaxes written by hand


def _softmax(x, shift):
    e = (x - x.amax(-1, keepdim=True) if shift else x).exp()
    return e / e.sum(-1, keepdim=True)


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_is_a_softmax_written_by_hand_one_with_its_products_and_its_mask(shift, masked):
    def attend(m, x):
        scores = m.a(x) @ x.mT
        if masked:
            scores = scores.masked_fill(torch.ones(10, 10, device=x.device).tril() == 0, -1e9)
        return _softmax(scores, shift) @ x

    trace = traced(attend)
    assert labels(trace) == ["linear", "qk", "softmax", "sv"]
    assert any("1 softmaxes and their products are taken as dense" in c for c in trace.conventions) == masked


def test_is_a_softmax_one_that_multiplies_by_the_reciprocal():
    def attend(m, x):
        e = (m.a(x) @ x.mT).exp()
        return e * (1 / e.sum(-1, keepdim=True)) @ x

    assert labels(traced(attend)) == ["linear", "qk", "softmax", "sv"]


def _layer_norm(y):
    centred = y - y.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


@pytest.mark.parametrize(
    "function",
    [
        _layer_norm,
        lambda y: (y - y.mean(-1, keepdim=True)) * (y.var(-1, keepdim=True) + 1e-5).rsqrt(),
        lambda y: (y - y.mean(-1, keepdim=True)) / (y.std(-1, keepdim=True) + 1e-5),
        lambda y: y * ((y * y).mean(-1, keepdim=True) + 1e-5).rsqrt(),
        lambda y: y / (y.pow(2).mean(-1, keepdim=True) + 1e-5) ** 0.5,
        lambda y: F.normalize(y, dim=-1),
        lambda y: y / y.sum(-1, keepdim=True),
    ],
)
def test_is_a_norm_written_by_hand_one_and_takes_its_gain(function):
    assert kinds(traced(lambda m, x: m.b(function(m.a(x)) * m.g))) == ["gemm", "norm", "gemm"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda y: y * y.mean(-1, keepdim=True), ["gemm", "gemm", "multiply"]),
        (lambda y: y * y.mean(-1, keepdim=True).sigmoid(), ["gemm", "gemm", "activation", "multiply"]),
        (lambda y: y.relu() / y.sum(-1, keepdim=True), ["gemm", "gemm", "activation", "multiply"]),
        (lambda y: y.exp() / y.exp().sum(1, keepdim=True), ["gemm", "activation", "gemm", "multiply"]),
        (lambda y: y + y.mean(-1, keepdim=True), ["gemm", "gemm", "residual"]),
    ],
)
def test_is_no_norm_what_is_not_divided_by_its_own_size(function, expected):
    assert sorted(kinds(traced(lambda m, x: function(m.a(x))))) == sorted(expected)


@pytest.mark.parametrize(
    "function", [lambda y: y * y.amax(-1, keepdim=True).sigmoid(), lambda y: y - y.amax(-1, keepdim=True)]
)
def test_is_the_largest_of_a_row_refused_as_data(function):
    with pytest.raises(TraceError, match="a statistic of rows other than their mean is used as data"):
        traced(lambda m, x: function(m.a(x)))


def test_is_a_statistic_of_rows_an_operand_of_a_product():
    trace = traced(lambda m, x: m.a(x) @ m.b(x).mT.mean(-1, keepdim=True), torch.zeros(3, 10, WIDTH))
    assert kinds(trace) == ["gemm"] * 4
    assert (trace.operators[2].elements, trace.operators[3].elements) == (3 * WIDTH, 3 * 10)


def test_is_what_is_looked_up_by_a_choice_made_of_what_the_choice_was_made_of():
    def looked_up(m, x):
        chosen = m.a(x).topk(2, -1)[1]
        return m.b(m.cos[chosen]), m.c(
            m.cos[(torch.arange(10, device=x.device)[:, None] + chosen).remainder(9)]
        )

    trace = traced(looked_up)
    for layer in ("b", "c"):
        (read,) = (o.operands[1][0] for o in trace.operators if o.name == layer)
        assert "top-k" in trace.producer(read).operands[0][0]


def test_are_rows_of_a_table_in_another_order_another_tensor():
    def summed(m, x):
        return m.a(m.table + m.table[torch.arange(10, device=x.device).flip(0)])

    assert kinds(traced(summed)) == ["residual", "gemm"]
