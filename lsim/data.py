"""Where the data that comes with lsim lives: in the installed package, or in the checked-out repository."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def data_dir(kind: Literal["traces", "arch"]) -> Path:
    """The folder of the traces or architectures that come with lsim."""
    packaged = _PACKAGE / "_data" / kind
    return packaged if packaged.is_dir() else _PACKAGE.parent / kind
