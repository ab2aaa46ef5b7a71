"""Modules that are one function, and what a trace of them shows at a glance."""

import torch

import lsim
from lsim.trace import Trace

nn = torch.nn
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
