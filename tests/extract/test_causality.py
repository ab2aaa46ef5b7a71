"""Which attentions of a recorded module are causal: those that say so and whose mask is a triangle."""

import pytest

torch = pytest.importorskip("torch")
from extract.written import Written  # noqa: E402

import lsim  # noqa: E402

nn, F = torch.nn, torch.nn.functional
TOKENS, WIDTH = 10, 32
TRIANGLE = nn.Transformer.generate_square_subsequent_mask(TOKENS)


def x(batch=1):
    return torch.zeros(batch, TOKENS, WIDTH)


def layer(kind):
    return kind(WIDTH, 4, 64, batch_first=True)


def causal(module, *inputs, **keywords):
    """How many operators are causal of those of attentions, and whether the trace says that masks are taken as dense."""
    trace = lsim.trace_module(module, *inputs, **keywords)
    marked = [operator.causal for operator in trace.operators if operator.label in ("qk", "softmax", "sv")]
    return sum(marked), len(marked), any("taken as dense" in line for line in trace.conventions)


# -- PyTorch's own modules
@pytest.mark.parametrize("batch", [1, 2])
def test_is_an_encoder_layer_causal_that_is_told_so(batch):
    module = layer(nn.TransformerEncoderLayer)
    assert causal(module, x(batch), src_mask=TRIANGLE, is_causal=True) == (3, 3, False)
    assert causal(module, x(batch), src_mask=TRIANGLE) == (0, 3, True)
    assert causal(module, x(batch)) == (0, 3, False)


def test_does_an_encoder_find_out_by_the_numbers_of_its_mask():
    module = nn.TransformerEncoder(layer(nn.TransformerEncoderLayer), 2)
    assert causal(module, x(), mask=TRIANGLE) == (6, 6, False)
    assert causal(module, x(), mask=TRIANGLE, is_causal=True) == (6, 6, False)
    detect = nn.modules.transformer._detect_is_causal_mask
    assert detect(TRIANGLE, None, TOKENS)
    assert not detect(torch.zeros_like(TRIANGLE), None, TOKENS)


def test_is_the_attention_of_a_decoder_layer_to_itself_causal_and_the_other_dense():
    module = layer(nn.TransformerDecoderLayer)
    assert causal(module, x(), x(), tgt_mask=TRIANGLE, tgt_is_causal=True) == (3, 6, False)


@pytest.mark.parametrize("weights", [True, False])
def test_is_multihead_attention_causal_that_is_told_so(weights):
    module = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
    said = {"attn_mask": TRIANGLE, "is_causal": True, "need_weights": weights}
    assert causal(module, x(), x(), x(), **said) == (3, 3, False)


# -- a user's own
def attend(q, k, mask=None):
    scores = q @ k.transpose(1, 2)
    return (scores if mask is None else scores.masked_fill(mask, -1e9)).softmax(-1) @ k


def later(size):
    return torch.ones(size, size).triu(1) > 0


class Attention(nn.Module):
    def __init__(self, mask=None, flag=None):
        super().__init__()
        self.q, self.make = nn.Linear(WIDTH, WIDTH), mask
        if flag is not None:
            self.is_causal = flag

    def forward(self, x, other=None, mask=None):
        mask = self.make(x) if self.make else mask
        return attend(self.q(x), x if other is None else other, mask)


MASKS = {
    "a triangle": (lambda x: torch.ones(TOKENS, TOKENS, device=x.device).tril() == 0, True),
    "what is above it": (lambda x: torch.ones(TOKENS, TOKENS, device=x.device, dtype=bool).triu(1), True),
    "positions compared": (lambda x: (p := torch.arange(TOKENS, device=x.device))[None] > p[:, None], True),
    "a part of a triangle": (lambda x: (torch.ones(99, 99, device=x.device).tril() == 0)[:TOKENS, :TOKENS], True),
    "one column": (lambda x: torch.arange(TOKENS, device=x.device)[None] > 7, False),
    "another diagonal": (lambda x: torch.ones(TOKENS, TOKENS, device=x.device).tril(2) == 0, False),
    "nothing": (lambda x: torch.zeros(TOKENS, TOKENS, device=x.device) > 0, False),
}  # fmt: skip


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("flag", [True, False, None])
def test_is_a_module_causal_that_says_so_and_has_the_mask(mask, flag):
    make, is_causal = MASKS[mask]
    both = is_causal and flag is True
    assert causal(Attention(make, flag), x()) == (3 * both, 3, not both)


@pytest.mark.parametrize(("mask", "expected"), [(later(TOKENS), 3), (torch.zeros(TOKENS, TOKENS).bool(), 0)])
def test_do_the_numbers_of_a_buffer_say_what_it_masks(mask, expected):
    module = Written(lambda s, x: attend(s.q(x), x, s.mask), q=nn.Linear(WIDTH, WIDTH), mask=mask)
    module.is_causal = True
    assert causal(module, x()) == (expected, 3, not expected)


def test_are_ids_no_mask_whatever_their_numbers():
    module = Written(lambda s, ids: s.table(ids), table=nn.Embedding(9, WIDTH))
    trace = lsim.trace_module(module, torch.tensor([[7, 0], [7, 7]]))
    assert [tensor.elements for tensor in trace.inputs] == [4]


def test_is_a_mask_of_a_triangle_or_more_not_taken_for_the_triangle():
    def prefix(x):
        first = torch.arange(TOKENS, device=x.device) < 4
        return ~(torch.ones(TOKENS, TOKENS, device=x.device, dtype=bool).tril() | first)

    assert causal(Attention(prefix, True), x()) == (0, 3, True)


def test_are_positions_compared_to_lengths_that_are_given_no_triangle():
    def forward(s, x, lengths):
        padding = (torch.arange(TOKENS, device=x.device) >= lengths[:, None]).float() * -1e9
        return (s.q(x) @ x.transpose(1, 2) + padding).softmax(-1) @ x

    module = Written(forward, q=nn.Linear(WIDTH, WIDTH))
    module.is_causal = True
    assert causal(module, x(), torch.full((1,), TOKENS)) == (0, 3, True)


def test_is_the_cross_attention_of_a_causal_block_not_causal():
    class Block(nn.Module):
        """The flag is of the block, whose two attentions have none."""

        def __init__(self):
            super().__init__()
            self.own, self.cross, self.is_causal = Attention(MASKS["a triangle"][0]), Attention(), True

        def forward(self, x, other, padding):
            return self.cross(self.own(x), other, padding)

    module = Block()
    module.register_buffer("padding", torch.zeros(1, 1, TOKENS, dtype=torch.bool))
    assert causal(Written(lambda s, x: s.block(x, x, s.block.padding), block=module), x()) == (3, 6, True)


def test_is_a_product_added_to_nothing_not_masked():
    def scores(s, x):
        return torch.baddbmm(
            torch.empty(1, TOKENS, TOKENS, device=x.device), s.q(x), x.transpose(1, 2), beta=0
        )

    module = Written(lambda s, x: scores(s, x).softmax(-1) @ x, q=nn.Linear(WIDTH, WIDTH))
    assert causal(module, x()) == (0, 3, False)
