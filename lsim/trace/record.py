"""One line of a trace file: a JSON object whose fields are taken one by one, each with its check."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import NoReturn

from attrs import define, field, frozen

from lsim.errors import TraceError, closest
from lsim.trace.band import Band

MAX_SIZE = 2**40  # no dimension of a model comes near; a slip of the keyboard does

_REQUIRED = object()
_AFFINE = re.compile(r"([0-9]+)\+(?:([0-9]+)\*)?(\w+)")


@frozen
class Steps:
    """The steps that a line stands for: the word that is the step's number from 0 in its sizes, which step is read, and the last."""

    index: str
    step: int
    last: int


@define
class Record:
    """The fields of one line, each to be taken; `first` is the key that says what kind of line it is.

    `steps`: in a phase of several, at which of them sizes are read; each may be an affine function of it.
    """

    fields: dict[str, object]
    line: int
    first: str
    steps: Steps | None = None
    _asked: list[str] = field(factory=list)

    def text(self, key: str, default: object = _REQUIRED) -> str:
        value = self._take(key, default)
        return value if isinstance(value, str) else self._must_be(key, "a string", value)

    def flag(self, key: str) -> bool:
        value = self._take(key, False)
        return value if isinstance(value, bool) else self._must_be(key, "true or false", value)

    def size(self, key: str, default: object = _REQUIRED) -> int:
        return self._size(key, self._take(key, default))

    def count(self, key: str, default: object = _REQUIRED) -> int:
        """A size that may be 0."""
        return self._count(key, self._take(key, default))

    def counts(self, key: str, default: object = _REQUIRED) -> dict[str, int]:
        """An object of such sizes by name."""
        value = self._take(key, default)
        if not isinstance(value, dict):
            self._must_be(key, "an object of whole numbers by name", value)
        return {name: self._count(key, size) for name, size in value.items()}

    def shape(self, key: str) -> tuple[int, ...]:
        return self._shape(key, self._take(key, _REQUIRED))

    def band(self, key: str) -> Band | None:
        """Three whole numbers, begin, end and tokens, the same in every step; None if the field is missing."""
        value = self._take(key, None)
        if value is None and key not in self.fields:
            return None
        if (
            not isinstance(value, list)
            or len(value) != 3
            or not all(type(n) is int and 0 <= n <= MAX_SIZE for n in value)
        ):
            self._must_be(key, "a list of begin, end and tokens", value)
        return Band(*value)

    def word(self, key: str, known: Iterable[str]) -> str:
        """One of a closed list."""
        value = self.text(key)
        if value not in (words := list(known)):
            self.refuse(f"{key!r} cannot be {value!r}", known=words, given=value)
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """A list of strings, empty if the field is missing."""
        return self._names(key, self._take(key, []))

    def operands(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of operands: one string, or a list of them that are concatenated."""
        value = self._take(key, _REQUIRED)
        if not isinstance(value, list) or not value:
            self._must_be(key, "a list of operands", value)
        return tuple((item,) if isinstance(item, str) else self._names(key, item, least=1) for item in value)

    def shapes(self, key: str) -> dict[str, tuple[int, ...]]:
        """An object of shapes by name, at least one."""
        value = self._take(key, _REQUIRED)
        if not isinstance(value, dict) or not value:
            self._must_be(key, "an object of shapes by name", value)
        return {name: self._shape(key, shape) for name, shape in value.items()}

    def sizes(self, key: str, default: object = _REQUIRED) -> dict[str, int]:
        """An object of sizes by name."""
        value = self._take(key, default)
        if not isinstance(value, dict):
            self._must_be(key, "an object of whole numbers by name", value)
        return {name: self._size(key, size) for name, size in value.items()}

    def pairs(self, key: str) -> dict[str, tuple[str, str]]:
        """An object of pairs of strings by name, empty if the field is missing."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self._must_be(key, "an object of pairs of names", value)
        return {name: self._pair(key, pair) for name, pair in value.items()}

    def done(self) -> None:
        """Refuse the fields that nobody took."""
        for key in self.fields:
            if key not in self._asked:
                self.refuse(f"no field {key!r} here", known=self._asked, given=key)

    def refuse(self, problem: str, known: Iterable[str] = (), given: str | None = None) -> NoReturn:
        name = self.fields.get(self.first)
        place = name if isinstance(name, str) else self.first
        raise TraceError(problem, line=self.line, place=place, known=known, given=given)

    def _take(self, key: str, default: object) -> object:
        if key not in self._asked:  # a line of a phase is read twice
            self._asked.append(key)
        value = self.fields.get(key, default)
        if value is _REQUIRED:
            near = closest(key, [field for field in self.fields if field not in self._asked])
            self.refuse(f"{key!r} is missing" + (f", {near!r} is not a field" if near else ""))
        return value

    def _must_be(self, key: str, what: str, value: object) -> NoReturn:
        shown = json.dumps(value)
        self.refuse(f"{key!r} must be {what}, not {shown if len(shown) < 60 else shown[:57] + '...'}")

    def _size(self, key: str, value: object) -> int:
        if self.steps is not None and isinstance(value, str):
            return self._affine(key, value, self.steps)
        if type(value) is not int or not 1 <= value <= MAX_SIZE:  # a bool is an int to isinstance
            self._must_be(key, f"a whole number from 1 to {MAX_SIZE}", value)
        return value

    def _count(self, key: str, value: object) -> int:
        if type(value) is not int or not 0 <= value <= MAX_SIZE:
            self._must_be(key, f"a whole number from 0 to {MAX_SIZE}", value)
        return value

    def _affine(self, key: str, text: str, steps: Steps) -> int:
        """The size `a+b*t`, or `a+t`, at the step that is read."""
        found = _AFFINE.fullmatch(text)
        if found is None or found[3] != steps.index:
            self._must_be(
                key,
                f'a whole number, or one that grows, such as "513+{steps.index}" or "4096+8*{steps.index}"',
                text,
            )
        start, growth = int(found[1]), int(found[2] or 1)
        if start < 1 or growth < 1 or start + growth * steps.last > MAX_SIZE:
            self._must_be(key, f"from 1 to {MAX_SIZE} in all of its {steps.last + 1} steps, and grow", text)
        return start + growth * steps.step

    def _shape(self, key: str, value: object) -> tuple[int, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= 8:
            self._must_be(key, "a list of 1 to 8 sizes", value)
        return tuple(self._size(key, size) for size in value)

    def _names(self, key: str, value: object, least: int = 0) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) < least or not all(isinstance(n, str) for n in value):
            self._must_be(key, "a list of names", value)
        return tuple(value)

    def _pair(self, key: str, value: object) -> tuple[str, str]:
        names = self._names(key, value)
        return (names[0], names[1]) if len(names) == 2 else self._must_be(key, "pairs of names", value)


def read_record(text: str, line: int, kinds: Iterable[str]) -> Record:
    """The record on a line, which must be a JSON object whose first key is one of `kinds`."""
    try:
        fields = _DECODER.decode(text)
    except TraceError as error:
        raise error.at(line=line) from None
    except (ValueError, RecursionError) as error:
        raise TraceError(f"not JSON: {error}", line=line) from None
    first = next(iter(fields), None) if isinstance(fields, dict) else None
    if first is None:
        raise TraceError("each line is a JSON object with fields", line=line)
    if first not in (words := list(kinds)):
        raise TraceError(f"no line begins with {first!r}", line=line, known=words, given=first)
    return Record(fields, line, first)


def _unique(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise TraceError(f"{twice!r} is given twice")
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
