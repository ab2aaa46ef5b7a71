"""Modules as users write them: one function of stored tensors and inputs."""

from torch import Tensor, nn


class Written(nn.Module):
    """A module that is one function of itself and its inputs; a plain tensor among what it stores is a buffer."""

    def __init__(self, function, **stored):
        super().__init__()
        self.function = function
        for name, value in stored.items():
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs):
        return self.function(self, *inputs)
