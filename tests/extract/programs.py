"""Random programs as modules of PyTorch, and what depends on what in them, by autograd: independent of any recording."""

from __future__ import annotations

import torch
from strategies import Program, Step
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 4  # of every value, which is batch x tokens x width


class Random(nn.Module):
    """A program as a module: each value that it returns goes through a linear layer of its own.

    Parameters are chosen by number, so that some are used twice.
    """

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.linears = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=at > 1) for at in range(3))
        self.wide = nn.Linear(2 * WIDTH, WIDTH)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH, elementwise_affine=at > 1) for at in range(3))
        self.vectors = nn.ParameterList(torch.rand(WIDTH) + 0.5 for _ in range(3))
        self.heads = nn.ModuleList(nn.Linear(WIDTH, 2, bias=False) for _ in program.returned)
        self.register_buffer("table", torch.rand(program.tokens, WIDTH) + 0.5)
        self.register_buffer("mask", torch.ones(program.tokens, program.tokens).tril() == 0)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        returned = self.returned(*inputs)
        return tuple(head(value) for head, value in zip(self.heads, returned, strict=True))

    def returned(self, *inputs: Tensor) -> list[Tensor]:
        """What goes into the last linear layers."""
        values = list(inputs)
        for step in self.program.steps:
            values.append(_value(self, step, [values[at] for at in step.operands]))
        return [values[at] for at in self.program.returned]


def _value(m: Random, step: Step, x: list[Tensor]) -> Tensor:
    return UNARY[step.name](m, x[0], step.choice) if len(x) == 1 else JOINT[step.name](m, *x)


def _by_hand(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred * torch.rsqrt(centred.pow(2).mean(-1, keepdim=True) + 1e-5)


def _softmax_by_hand(x: Tensor) -> Tensor:
    e = (x - x.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def _rotated(m: Random, x: Tensor) -> Tensor:
    one, other = x.chunk(2, -1)
    return x * m.table + torch.cat([-other, one], -1) * m.table.flip(0)


def _rotated_halves(m: Random, x: Tensor) -> Tensor:
    (a, b), (c, d) = x.chunk(2, -1), m.table.chunk(2, -1)
    return torch.cat([a * c - b * d, b * c + a * d], -1)


def _rotated_pairs(m: Random, x: Tensor) -> Tensor:
    a, b, c, d = x[..., ::2], x[..., 1::2], m.table[:, ::2], m.table[:, 1::2]
    return torch.stack([a * c - b * d, b * c + a * d], -1).flatten(-2)


def _rotated_numbers(m: Random, x: Tensor) -> Tensor:
    turn = torch.polar(m.table[:, ::2], m.table[:, 1::2])
    return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * turn).flatten(-2)


def _heads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Two heads of queries share one of keys and values."""
    q = q.view(*q.shape[:2], 2, -1).transpose(1, 2)
    k, v = (x[..., :2].unsqueeze(1).expand(-1, 2, -1, -1) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _copied(x: Tensor) -> Tensor:
    return torch.empty_like(x).copy_(x)


def _written(x: Tensor, y: Tensor) -> Tensor:
    made = x * 1.0
    made += y
    return made


# Of one value: the module, the value, a choice of parameter or dimension.
UNARY = {
    "linear": lambda m, x, n: m.linears[n](x),
    "norm": lambda m, x, n: m.norms[n](x),
    "biased": lambda m, x, n: x + m.vectors[n],
    "gained": lambda m, x, n: x * m.vectors[n],
    "gate": lambda m, x, n: x * torch.sigmoid(m.vectors[n]),
    "power": lambda _, x, n: x ** (n + 1),
    "clamp": lambda _, x, n: x.clamp(min=n - 1.0),
    "gelu": lambda _, x, n: F.gelu(x),
    "sigmoid": lambda _, x, n: torch.sigmoid(x * (n + 1)),
    "softmax": lambda _, x, n: x.softmax(-1),
    "rolled": lambda _, x, n: x.roll(n + 1, 1),
    "flipped": lambda _, x, n: x.flip(n),
    "turned": lambda _, x, n: x.transpose(0, 1).reshape(x.shape),
    "halves": lambda _, x, n: torch.cat(x.chunk(2, -1)[:: -1 if n else 1], -1),
    "first": lambda _, x, n: x + x[:, n % x.shape[1]].unsqueeze(1),
    "less mean": lambda _, x, n: x - x.mean(-1, keepdim=True),
    "mean": lambda _, x, n: x + x.mean(n, keepdim=True) if n < 2 else x + x.mean((0, 1), keepdim=True),
    "mean of means": lambda _, x, n: x + x.mean(-1, keepdim=True).mean(1, keepdim=True),
    "summed": lambda _, x, n: x.unsqueeze(n).sum(n),
    "squares": lambda _, x, n: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5),
    "norm by hand": lambda _, x, n: _by_hand(x),
    "softmax by hand": lambda _, x, n: _softmax_by_hand(x),
    "table": lambda m, x, n: x + m.table,
    "scaled": lambda m, x, n: x * m.table,
    "rotary": lambda m, x, n: (_rotated, _rotated_halves, _rotated_pairs)[n](m, x),
    "turned numbers": lambda m, x, n: _rotated_numbers(m, x),
    "log of softmax": lambda _, x, n: x.log_softmax(-1),
    "deviation": lambda _, x, n: (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5),
    "unit": lambda _, x, n: F.normalize(x, dim=-1),
    "gate of mean": lambda _, x, n: x * x.mean(-1, keepdim=True).sigmoid(),
    "group norm": lambda m, x, n: F.group_norm(x.mT, 2, m.vectors[n]).mT,
    "sloped": lambda m, x, n: F.prelu(x.mT, m.vectors[n]).mT,
    "gated": lambda _, x, n: F.glu(torch.cat([x, x.flip(1)], -1)),
    "averaged": lambda _, x, n: F.avg_pool1d(x.mT, 2 * n + 1, 1, n).mT,
    "copied": lambda _, x, n: _copied(x),
    "rows chosen": lambda m, x, n: x[:, torch.arange(x.shape[1], device=x.device).flip(0)],
    "repeated": lambda _, x, n: x.repeat(1, 2, 1)[:, n : n + x.shape[1]],
    "convolved": lambda m, x, n: F.conv1d(x.mT, m.linears[n].weight[..., None], m.vectors[n]).mT,
    "where": lambda m, x, n: torch.where(m.mask[:, :1], x, 0.5),
    "filled": lambda m, x, n: x.masked_fill(m.mask[:, :1], 0.0),
}  # fmt: skip
# Of several: the module and the values.
JOINT = {
    "sum": lambda _, x, y: x + y,
    "difference": lambda _, x, y: x - y,
    "product": lambda _, x, y: x * y,
    "written": lambda _, x, y: _written(x, y),
    "joined": lambda m, x, y: m.wide(torch.cat([x, y], -1)),
    "halves of both": lambda _, x, y: torch.cat([x[..., :2], y[..., 2:]], -1),
    "attention of heads": lambda _, q, k, v: _heads(q, k, v),
    "attention": lambda _, q, k, v: F.scaled_dot_product_attention(q, k, v),
    "masked attention": lambda m, q, k, v: ((q @ k.mT) / 2).masked_fill(m.mask, -1e9).softmax(-1) @ v,
}


OPERANDS = dict.fromkeys(UNARY, 1) | {name: 3 if "attention" in name else 2 for name in JOINT}
# Those that have a constant tensor, of which a trace says nothing.
CONSTANT = ("table", "scaled", "filled", "where", "turned numbers", "masked attention", "rotary")


def structural(module: Random, inputs: list[Tensor], numeric: bool) -> list[set[str]]:
    """Parameters and inputs that each output is computed from; `numeric`: those that its numbers change with."""
    found: list[set[str]] = [set() for _ in module.program.returned]
    sources = {f"input.{at}": x.requires_grad_() for at, x in enumerate(inputs)} | dict(
        module.named_parameters()
    )
    for reached, out in zip(found, module(*inputs), strict=True):
        weights = torch.rand_like(out)
        gradients = torch.autograd.grad(
            (out * weights).sum(), list(sources.values()), retain_graph=True, allow_unused=True
        )
        for name, gradient in zip(sources, gradients, strict=True):
            if gradient is not None and (not numeric or gradient.abs().max() > 1e-6):
                reached.add(name)
    return found
