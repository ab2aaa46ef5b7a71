"""How wide what is stored and moved is, by what it is to the memory system; `W4A8KV4` for short."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self

from lsim.errors import ArchError
from lsim.units import BITS, format_quantity

ALLOWED: Final = (4, 8, 16)  # bits
FORM: Final = "W<bits>A<bits>[KV<bits>]"
_SPELLED = re.compile(r"W(\d+)A(\d+)(?:KV(\d+))?", re.IGNORECASE)


class Widths(NamedTuple):
    """Bits of an element of a weight, of an activation (what a model is given, too), and of the KV cache."""

    weight: int
    activation: int
    kv: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `W4A8KV4`; without KV, entries are as wide as activations. Raises ArchError for anything else."""
        found = _SPELLED.fullmatch(str(text).strip())
        if found is None:
            problem = f"{text!r} is not of the form {FORM}, as W4A8 or W4A8KV4"
            raise ArchError(problem, place="--widths")
        weight, activation, kv = found.groups()
        widths = cls(int(weight), int(activation), int(kv or activation))
        for name, bits in zip(cls._fields, widths, strict=True):
            if bits not in ALLOWED:
                allowed = [format_quantity(width, BITS) for width in ALLOWED]
                raise ArchError(f"{text!r}: {name} cannot be {bits} bit", place="--widths", known=allowed)
        return widths

    @property
    def keys(self) -> dict[str, int]:
        """By parameter of an architecture's operands."""
        return {f"{name}_bits": bits for name, bits in self._asdict().items()}

    @property
    def settings(self) -> dict[str, str]:
        """As settings of an architecture."""
        return {f"operands.{key}": format_quantity(bits, BITS) for key, bits in self.keys.items()}

    @property
    def spelled(self) -> str:
        """`W4A8KV4`."""
        return f"W{self.weight}A{self.activation}KV{self.kv}"
