"""Products of matrices in recorded modules: which operand is the layer, and what is read as often as it is expanded."""

import pytest

torch = pytest.importorskip("torch")
from extract.written import Written  # noqa: E402

import lsim  # noqa: E402

nn, F = torch.nn, torch.nn.functional
QUERIES, TOKENS, WIDTH, HEADS = 5, 10, 32, 4


def x(batch):
    return torch.zeros(batch, TOKENS, WIDTH)


def parameter(*shape):
    return nn.Parameter(torch.zeros(shape))


def linear():
    return nn.Linear(WIDTH, WIDTH)


def attend(q, k):
    return (q @ k.transpose(-2, -1)).softmax(-1) @ k


def gemms(trace):
    return [(o.heads, o.rows, o.depth, o.columns) for o in trace.operators if o.is_gemm]


def expanded(s, x):
    return s.w.expand(x.shape[0], -1, -1)


SPELLINGS = {
    "expanded before the layer": lambda s, x: attend(s.q(expanded(s, x)), x),
    "added to nothing": lambda s, x: attend(s.q(torch.zeros_like(x[:, :QUERIES]) + s.w), x),
    "after a norm": lambda s, x: attend(s.q(F.layer_norm(expanded(s, x), (WIDTH,))), x),
}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_are_learned_queries_what_passes_through_the_layer(spelling, batch):
    module = Written(SPELLINGS[spelling], q=linear(), w=parameter(1, QUERIES, WIDTH))
    trace = lsim.trace_module(module, x(batch))
    products = [(batch, QUERIES, WIDTH, TOKENS), (batch, QUERIES, TOKENS, WIDTH)]
    assert gemms(trace) == [(1, WIDTH, WIDTH, batch * QUERIES), *products]
    assert trace.parameters == WIDTH * WIDTH + WIDTH + QUERIES * WIDTH
    layer = next(o for o in trace.operators if o.is_gemm)
    assert layer.operands[0] == ("q.weight",)


def test_is_a_layer_computed_once_whose_result_all_images_of_a_batch_read():
    module = Written(lambda s, x: attend(s.q(s.w), x), q=linear(), w=parameter(QUERIES, WIDTH))
    trace = lsim.trace_module(module, x(3))
    assert gemms(trace)[:2] == [(1, WIDTH, WIDTH, QUERIES), (3, QUERIES, WIDTH, TOKENS)]
    assert trace.operators[1].operands[0] == ("q.out",) * 3


def test_do_the_heads_of_learned_queries_without_a_layer_see_the_keys_of_all_images():
    def attention(s, x):
        keys = s.k(x).view(x.shape[0], TOKENS, HEADS, 8).transpose(1, 2)
        return attend(s.w.expand(x.shape[0], -1, -1, -1), keys)

    module = Written(attention, k=linear(), w=parameter(1, HEADS, QUERIES, 8))
    trace = lsim.trace_module(module, x(2))
    assert gemms(trace)[1:] == [(HEADS, QUERIES, 8, 2 * TOKENS), (2 * HEADS, QUERIES, TOKENS, 8)]


@pytest.mark.parametrize("batch", [1, 2])
def test_is_a_decoder_of_learned_queries_recorded_whole(batch):
    """As in DETR, Perceiver and Q-Former; the sizes by hand."""
    layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 64, batch_first=True)
    module = Written(lambda s, x: s.layer(expanded(s, x), x), layer=layer, w=parameter(1, QUERIES, WIDTH))
    trace = lsim.trace_module(module, x(batch))
    own = QUERIES * WIDTH * 4 * WIDTH + 2 * QUERIES * QUERIES * WIDTH
    cross = 2 * (QUERIES + TOKENS) * WIDTH * WIDTH + 2 * QUERIES * TOKENS * WIDTH
    assert trace.macs == batch * (own + cross + 2 * QUERIES * WIDTH * 64)
    assert trace.parameters == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("batch", [1, 2])
def test_are_models_of_transformers_with_learned_queries_recorded_whole(batch):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision = transformers.SiglipVisionConfig(**sizes, image_size=32, patch_size=8)
    former = transformers.Blip2QFormerConfig(**sizes, encoder_hidden_size=48, vocab_size=96)
    former._attn_implementation = "eager"
    image = transformers.SiglipVisionModel(vision).eval()
    trace = lsim.trace_module(image, pixel_values=torch.zeros(batch, 3, 32, 32))
    assert trace.parameters == sum(p.numel() for p in image.parameters())

    def forward(s, seen):
        return s.m(query_embeds=s.w.expand(seen.shape[0], -1, -1), encoder_hidden_states=seen)

    module = Written(forward, m=transformers.Blip2QFormerModel(former), w=parameter(1, 7, 64))
    macs = [lsim.trace_module(module, torch.zeros(size, TOKENS, 48)).macs for size in (1, batch)]
    assert macs[1] == batch * macs[0]


def test_is_an_expanded_result_read_as_often():
    module = Written(lambda s, x: s.o(s.l(x)[:, None].expand(-1, 3, -1, -1)), l=linear(), o=linear())
    trace = lsim.trace_module(module, x(2))
    assert gemms(trace)[1] == (1, WIDTH, WIDTH, 3 * 2 * TOKENS)
    assert trace.operators[1].operands[1] == ("l.out",) * 3


def test_is_an_update_of_low_rank_added_to_the_weight():
    module = Written(
        lambda s, x: F.linear(x, s.w + s.b @ s.a), w=parameter(16, WIDTH), a=parameter(4, WIDTH), b=parameter(16, 4)
    )  # fmt: skip
    trace = lsim.trace_module(module, x(2))
    assert trace.macs == 16 * 4 * WIDTH + 2 * TOKENS * WIDTH * 16
    assert trace.parameters == 16 * WIDTH + 4 * WIDTH + 16 * 4


@pytest.mark.parametrize(
    ("function", "sizes", "operands"),
    [
        (lambda s, v: torch.mv(s.w, v), (1, 16, WIDTH, 1), 2),
        (lambda s, v: torch.addmv(s.b, s.w, v), (1, 16, WIDTH, 1), 3),
        (lambda s, v: torch.dot(s.u, v), (1, 1, WIDTH, 1), 2),
    ],
    ids=["mv", "addmv", "dot"],
)
def test_is_a_vector_a_matrix_of_one_column(function, sizes, operands):
    module = Written(function, w=parameter(16, WIDTH), b=parameter(16), u=parameter(WIDTH))
    trace = lsim.trace_module(module, torch.zeros(WIDTH))
    assert gemms(trace) == [sizes]
    assert len(trace.operators[0].operands) == operands
