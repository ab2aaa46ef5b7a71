"""One declaration per parameter: type, unit, range check and doc. Its name is its file key."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from attrs import Attribute, field, fields

from lsim.errors import ArchError
from lsim.units import COUNT, Dimension, format_exact, format_quantity, parse, parse_exact

Value = int | str | Fraction


class Param(NamedTuple):
    """What a parameter means and which values it takes: numbers low..high of a dimension, or some words.

    `whole`: an int; else a Fraction. `above`: the low end itself is out. `values`: if any, the only numbers. `optional`: it may be
    left out, and is then None.
    """

    doc: str
    dimension: Dimension | None = COUNT
    low: int = 1
    high: int | None = None
    words: tuple[str, ...] = ()
    whole: bool = True
    above: bool = False
    values: tuple[int, ...] = ()
    optional: bool = False

    def read(self, raw: str | int) -> Value:
        """The value that a text says, checked; raises UnitError or ArchError, without a place."""
        text = str(raw).strip()
        if text in self.words:
            return text
        if self.dimension is None or (self.words and text.isalpha()):
            raise ArchError(f"{text!r} is not a choice", known=self._allowed(), given=text)
        value = parse(raw, self.dimension) if self.whole else parse_exact(raw, self.dimension)
        self.check(value)
        return value

    def check(self, value: Value) -> None:
        """Raises ArchError unless the value is one of the words, or a number of the right type in the range."""
        if value in self.words:
            return
        kind = int if self.whole else Fraction
        if self.dimension is None or not isinstance(value, kind) or isinstance(value, str | bool):
            wanted = "choice" if self.words else "whole number" if self.whole else "fraction"
            raise ArchError(f"{value!r} is not a {wanted}", known=self._allowed())
        if self.values and value not in self.values:
            allowed = [self.text(one) for one in self.values]
            raise ArchError(f"cannot be {self.text(value)}", known=allowed)
        if self.above and value == self.low:
            raise ArchError(f"{self.text(value)} is not above {self.text(self.low)}")
        if value < self.low:
            raise ArchError(f"{self.text(value)} is below the least, {self.text(self.low)}")
        if self.high is not None and value > self.high:
            raise ArchError(f"{self.text(value)} is above the most, {self.text(self.high)}")

    def text(self, value: Value) -> str:
        """The value with its unit; `read` reads it back exactly."""
        if isinstance(value, str) or self.dimension is None:
            return str(value)
        if self.whole:
            return format_quantity(int(value), self.dimension)
        return format_exact(Fraction(value), self.dimension)

    def _allowed(self) -> list[str]:
        number = [] if self.dimension is None else [f"a {self.dimension.name} in {self.dimension.base}"]
        return [*self.words, *number] if self.words else []


def number(doc: str, dimension: Dimension = COUNT, *, low: int = 1, high: int | None = None) -> Any:
    """Declare a whole number of a dimension's base unit."""
    return _declare(Param(doc, dimension, low, high))


def exact(doc: str, dimension: Dimension = COUNT, *, low: int = 0, high: int | None = None) -> Any:
    """Declare an exact number, with decimals, of a dimension's base unit."""
    return _declare(Param(doc, dimension, low, high, whole=False))


def positive(doc: str, dimension: Dimension = COUNT, *, high: int | None = None) -> Any:
    """Declare an exact number above 0 of a dimension's base unit."""
    return _declare(Param(doc, dimension, 0, high, whole=False, above=True))


def choice(doc: str, words: Sequence[str]) -> Any:
    """Declare one word of a closed list."""
    return _declare(Param(doc, None, words=tuple(words)))


def number_or(word: str, doc: str, dimension: Dimension) -> Any:
    """Declare a positive whole number of a dimension's base unit, or one word that stands for a rule."""
    return _declare(Param(doc, dimension, words=(word,)))


def one_of(values: Sequence[int], doc: str, dimension: Dimension) -> Any:
    """Declare one of a few whole numbers of a dimension's base unit, which may be left out."""
    param = Param(doc, dimension, values=tuple(values), optional=True)
    return field(default=None, metadata={"param": param}, validator=_validate)


def params(part: type) -> Iterator[tuple[str, Param]]:
    """The declared parameters of a part's class, in their order."""
    return ((attribute.name, attribute.metadata["param"]) for attribute in fields(part))


def _declare(param: Param) -> Any:
    return field(metadata={"param": param}, validator=_validate)


def _validate(part: object, attribute: "Attribute[Any]", value: Value) -> None:
    param = attribute.metadata["param"]
    if param.optional and value is None:
        return
    try:
        param.check(value)
    except ArchError as error:
        raise error.at(place=f"{type(part).__name__}.{attribute.name}") from None
