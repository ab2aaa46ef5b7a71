"""What a recorder saw: calls in order, over numbered tensors. Nothing here needs PyTorch."""

from collections.abc import Iterator, Mapping
from math import prod

from attrs import frozen

from lsim.errors import TraceError
from lsim.trace.ir import Role


@frozen
class Ref:
    """A tensor that a call reads or writes, by number. Views of one tensor have one storage."""

    number: int
    shape: tuple[int, ...]
    integer: bool  # or boolean: ids, positions and masks
    storage: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


@frozen
class Place:
    """Where in the model a call was made: the innermost module, and what the attention around it says of itself.

    `certain`: the call says so, not a module that may have several attentions.
    """

    module: str
    causal: bool = False
    window: int = 0
    certain: bool = False


@frozen
class Call:
    """One call of an operator of PyTorch. `args` are as given, with a `Ref` for each tensor, and defaults after them."""

    name: str  # e.g. "aten.mm.default"
    args: tuple[object, ...]
    outputs: tuple[Ref, ...]
    place: Place

    @property
    def base(self) -> str:
        """The name without namespace, overload and the mark of a call in place."""
        return self.name.split(".")[1].removesuffix("_")

    @property
    def in_place(self) -> bool:
        """Whether it changes a tensor that was there: `add_`, or `add.out`."""
        _, name, overload = self.name.split(".")
        return name.endswith("_") or overload.endswith("out")

    def arg(self, at: int, default: object = None) -> object:
        return self.args[at] if at < len(self.args) else default

    def ref(self, at: int) -> Ref:
        """A tensor that the call must have at this place."""
        value = self.arg(at)
        if not isinstance(value, Ref):
            raise TraceError(
                f"{self.name}: a form in which argument {at} is no tensor", place=self.place.module
            )
        return value

    @property
    def refs(self) -> Iterator[Ref]:
        """Every tensor among the arguments, those in lists too."""
        for value in self.args:
            yield from (v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Ref))


@frozen
class Recording:
    """`stored`: name and role of the tensors that were there before. `kept`: those that the KV cache holds at the end.

    `results`: what the module returned. `model` and `made_by`: its class, and the versions that recorded it.
    """

    model: str
    made_by: str
    calls: tuple[Call, ...]
    stored: Mapping[Ref, tuple[str, Role]]
    kept: tuple[Ref, ...]
    results: tuple[Ref, ...]

    @property
    def last_reads(self) -> dict[int, int]:
        """The last call that reads a tensor, by the tensor's number; what is returned or kept is read after the last call."""
        last = {ref.number: at for at, call in enumerate(self.calls) for ref in call.refs}
        return last | dict.fromkeys((ref.number for ref in (*self.kept, *self.results)), len(self.calls))
