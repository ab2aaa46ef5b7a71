"""What layers and whole steps of PyTorch become, and what is refused or kept."""

import pytest

torch = pytest.importorskip("torch")

from extract.called import WIDTH, Called, kinds, labels, traced  # noqa: E402

import lsim  # noqa: E402
from lsim.errors import TraceError  # noqa: E402

nn, F = torch.nn, torch.nn.functional


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


def test_are_experts_of_a_token_those_that_its_router_chose_whatever_else_is_chosen_before():
    """8 experts, 2 for each of 10 tokens; meanwhile the 3 largest of each row are taken of something else."""

    def routed(m, x):
        chosen = m.a(x)[:, :8].topk(2, -1)[1].flatten()
        sent = x[torch.div(chosen, 2, rounding_mode="floor")]
        largest = m.b(x).topk(3, -1)[0]
        offsets = torch.histc(chosen.float(), 8, 0, 7).cumsum(0).int()
        return torch._grouped_mm(sent, m.experts, offsets), largest

    module = Called(routed).bfloat16()
    module.experts = nn.Parameter(torch.zeros(8, WIDTH, 16, dtype=torch.bfloat16))
    trace = lsim.trace_module(module, torch.zeros(10, WIDTH, dtype=torch.bfloat16))
    experts = [o for o in trace.operators if o.label == "expert"]
    assert sum(o.heads * o.columns for o in experts) == 10 * 2
    assert sum(o.heads for o in experts) == 8
    assert any("outing" in line for line in trace.conventions)


def test_is_a_rounded_quotient_refused():
    with pytest.raises(TraceError, match=r"aten\.div\.Tensor_mode: an operator that lsim does not know"):
        traced(lambda m, x: torch.div(m.a(x), 2.0, rounding_mode="floor"))


def test_is_a_learned_temperature_one_element_however_wide_the_scores():
    def attend(m, x):
        scores = F.normalize(m.a(x), dim=-1) @ F.normalize(m.b(x), dim=-1).mT
        return (scores * m.temperature.exp()).softmax(-1) @ x

    module = Called(attend)
    module.temperature = nn.Parameter(torch.zeros(1))
    trace = lsim.trace_module(module, torch.zeros(2, 10, WIDTH))
    (grown,) = (o for o in trace.operators if o.label == "exp")
    assert (grown.elements, grown.operands) == (1, (("temperature",),))
    assert kinds(trace)[-4:] == ["activation", "multiply", "softmax", "gemm"]
