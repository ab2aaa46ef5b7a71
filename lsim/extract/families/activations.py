"""The functions between the layers of a feed-forward, under their names in configurations."""

from lsim.extract.config import Config

# Name in a configuration → label in a trace: approximations of one function are that function.
LABELS = {
    "gelu": "gelu",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "gelu-approximate": "gelu",
    "quick_gelu": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


def activation(config: Config, key: str, default: str) -> str:
    """The label of the function that a field names."""
    return LABELS[config.word(key, default, known=tuple(LABELS))]
