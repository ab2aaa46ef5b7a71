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


# -- rotary embeddings


def _halves(m, y):
    (a, b), (c, d) = y.chunk(2, -1), m.cos.chunk(2, -1)
    return torch.cat([a * c - b * d, b * c + a * d], -1)


def _pairs(m, y):
    a, b, c, d = y[..., ::2], y[..., 1::2], m.cos[:, ::2], m.cos[:, 1::2]
    return torch.stack([a * c - b * d, b * c + a * d], -1).flatten(-2)


def _rotate_half(m, y):
    one, other = y.chunk(2, -1)
    return y * m.cos + torch.cat([-other, one], -1) * m.cos


def _complex(m, y):
    pairs = torch.view_as_complex(y.reshape(*y.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * m.turn).flatten(-2)


@pytest.mark.parametrize("function", [_halves, _pairs, _rotate_half, _complex])
def test_is_a_rotary_embedding_one_however_it_is_written(function):
    trace = traced(lambda m, x: m.b(function(m, m.a(x))))
    assert kinds(trace) == ["gemm", "rotary", "gemm"]
    assert trace.operators[1].operands == (("a.out",),)


def _one_half_read_alone(m, y):
    (a, b), (c, d) = y.chunk(2, -1), m.cos.chunk(2, -1)
    half = a * c - b * d
    return torch.cat([half, b * c + a * d], -1), half.sigmoid()


def _of_three(m, y):
    a, b, _ = y.split([8, 8, 16], -1)
    c, d = m.cos[:, :8], m.cos[:, 8:16]
    return torch.cat([a * c - b * d, b * c + a * d], -1)


def _of_two(m, y):
    (a, b), (c, d) = y.chunk(2, -1), m.cos.chunk(2, -1)
    return torch.cat([a * c - b * d, b * c + b * d], -1)


@pytest.mark.parametrize("function", [_one_half_read_alone, _of_three, _of_two])
def test_is_no_rotary_embedding_what_is_not_the_whole_of_one_tensor(function):
    assert "rotary" not in kinds(traced(lambda m, x: function(m, m.a(x))))


def test_are_complex_numbers_refused_that_are_not_turned_and_real_again():
    def added(m, x):
        pairs = torch.view_as_complex(m.a(x).reshape(1, 10, WIDTH // 2, 2))
        return torch.view_as_real(pairs * pairs)

    with pytest.raises(TraceError, match=r"aten.view_as_real.default|complex numbers are known"):
        traced(added)


# -- masks that are given


def test_are_given_masks_those_of_the_softmax():
    def attend(m, x, mask):
        return F.scaled_dot_product_attention(m.a(x), m.b(x), x, attn_mask=mask & mask.mT)

    trace = traced(attend, torch.zeros(1, 1, 10, WIDTH), torch.zeros(10, 10, dtype=torch.bool))
    assert labels(trace) == ["linear", "linear", "qk", "softmax", "sv"]
    assert any("1 softmaxes and their products are taken as dense" in c for c in trace.conventions)


def test_is_a_mask_of_padding_one_of_the_softmax():
    module = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 1)
    inputs = {"src_key_padding_mask": torch.zeros(2, 6, dtype=torch.bool)}
    trace = lsim.trace_module(module, torch.zeros(2, 6, 32), **inputs)
    assert kinds(trace).count("softmax") == 1
    assert any("1 softmaxes and their products are taken as dense" in c for c in trace.conventions)


def test_are_elements_chosen_of_two_tensors_by_a_mask_refused():
    def chosen(m, x, mask):
        return torch.where(mask, m.a(x), x)

    with pytest.raises(TraceError, match=r"aten\.where\.self: an operator that lsim does not know"):
        traced(chosen, torch.zeros(10, WIDTH), torch.zeros(10, WIDTH, dtype=torch.bool))


# -- what is kept if asked


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv1d(32, 32, 3, groups=32),
        nn.ConvTranspose1d(32, 16, 2),
        Called(lambda m, x: m.a(x)[:, None] + m.a(x)[:, :, None]),
        Called(lambda m, x: m.a(x).amax(1)),
    ],
)
def test_is_any_refused_operator_kept_if_asked(module):
    with pytest.raises(TraceError):
        lsim.trace_module(module, torch.zeros(1, 32, 32))
    trace = lsim.trace_module(module, torch.zeros(1, 32, 32), allow_unknown=True)
    assert trace.operators[-1].label.startswith("unknown aten.")
    assert any(line.startswith("Unknown, and kept as data movement") for line in trace.conventions)


# -- layers


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.BatchNorm1d(32), ["multiply", "residual"]),
        (nn.GroupNorm(4, 32), ["norm", "multiply", "residual"]),
        (nn.GroupNorm(4, 32, affine=False), ["norm"]),
        (nn.InstanceNorm1d(32), ["norm"]),
        (nn.GLU(1), ["activation", "multiply"]),
        (nn.PReLU(32), ["multiply"]),
        (nn.AvgPool1d(2), ["gemm"]),
        (nn.AvgPool1d(3, 1), ["embedding", "gemm"]),
        (nn.LogSoftmax(-1), ["softmax"]),
    ],
)
def test_is_a_layer_of_pytorch_the_operators_that_it_is(module, expected):
    trace = lsim.trace_module(nn.Sequential(nn.Conv1d(3, 32, 1), module), torch.zeros(1, 3, 10))
    assert kinds(trace) == ["gemm", *expected]
    assert trace.parameters == 3 * 32 + 32 + sum(p.numel() for p in module.parameters())


def test_is_a_shuffle_of_pixels_free_and_a_copy_what_it_copies():
    def copied(m, x):
        y = torch.empty_like(x)
        y.copy_(m.a(x))
        return m.b(y)

    assert kinds(traced(copied)) == ["gemm", "gemm"]
    module = nn.Sequential(nn.Conv2d(4, 16, 1), nn.PixelShuffle(2), nn.Conv2d(4, 4, 1))
    assert kinds(lsim.trace_module(module, torch.zeros(1, 4, 6, 6))) == ["gemm", "gemm"]


def test_is_a_linear_layer_in_inference_mode_one():
    def inferred(m, x):
        with torch.inference_mode():
            return m.d(m.a(x))

    trace, same = traced(inferred), traced(lambda m, x: m.d(m.a(x)))
    assert [(o.kind, o.operands, o.rows, o.columns) for o in trace.operators] == [
        (o.kind, o.operands, o.rows, o.columns) for o in same.operators
    ]


def test_is_only_a_mixture_of_experts_said_to_be_routed():
    trace = traced(lambda m, x: m.b(m.a(x).topk(4, -1)[0] @ m.c.weight[:4]))
    assert not any("outing" in line for line in trace.conventions)
