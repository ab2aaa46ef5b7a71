"""A model's configuration, as Hugging Face and diffusers write it: JSON whose fields are taken with a check."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from attrs import frozen

from lsim.errors import InputError

MAX_SIZE = 2**40  # as in trace files
MAX_LAYERS = 10_000  # no model comes near
_TYPO = 0.94  # how alike a field must be to one that is missing: decoder_layers is not encoder_layers

_REQUIRED = object()


@frozen
class Config:
    """The fields of a config.json, or of a section of it; `file` and `within` are where errors say they are."""

    fields: Mapping[str, object]
    file: str | None = None
    within: str = ""

    def size(self, key: str, default: object = _REQUIRED) -> int:
        """A whole number above 0; null counts as missing."""
        value = self._value(key, default)
        if type(value) is not int or not 1 <= value <= MAX_SIZE:
            self.refuse(key, f"must be a whole number from 1 to {MAX_SIZE}, not {_shown(value)}")
        return value

    def layers(self, key: str, default: object = _REQUIRED) -> int:
        """How many layers there are."""
        count = self.size(key, default)
        if count > MAX_LAYERS:
            self.refuse(key, f"must be from 1 to {MAX_LAYERS:,}, not {count:,}")
        return count

    def optional(self, key: str, missing: int, null: int) -> int:
        """A whole number above 0 where both a field that is missing and one that is null have a meaning."""
        if self.fields.get(key) is not None:
            return self.size(key)
        return null if key in self.fields else missing

    def sizes(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers above 0."""
        value = self._value(key, _REQUIRED)
        if not isinstance(value, list) or not value or not all(type(n) is int and n > 0 for n in value):
            self.refuse(key, f"must be a list of whole numbers above 0, not {_shown(value)}")
        return tuple(value)

    def number(self, key: str, default: object = _REQUIRED) -> float:
        """A number above 0."""
        value = self._value(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            self.refuse(key, f"must be a number above 0, not {_shown(value)}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self._value(key, default)
        return (
            value
            if isinstance(value, bool)
            else self.refuse(key, f"must be true or false, not {_shown(value)}")
        )

    def word(self, key: str, default: object = _REQUIRED, known: Collection[str] = ()) -> str:
        """A string; one of `known`, if any are given."""
        value = self._value(key, default)
        if not isinstance(value, str):
            self.refuse(key, f"must be a string, not {_shown(value)}")
        if known and value not in known:
            self.refuse(key, f"cannot be {value!r}", known, value)
        return value

    def must(self, key: str, value: object, why: str) -> None:
        """Refuse a field that is there with another value: what it asks for is not built."""
        given = self._value(key, value)
        if given != value:
            self.refuse(key, f"{_shown(given)} is not built: {why}")

    def one_of(self, classes: Collection[str]) -> str:
        """The model class that the configuration names; the first of `classes` if it names none."""
        named = self.fields.get("architectures") or [next(iter(classes))]
        if not isinstance(named, list) or not isinstance(named[0], str):
            self.refuse("architectures", f"must be a list of class names, not {_shown(named)}")
        if named[0] not in classes:
            self.refuse("architectures", f"{named[0]} is not built", classes, named[0])
        return named[0]

    def section(self, key: str) -> "Config":
        """The fields of an object within."""
        value = self._value(key, _REQUIRED)
        if not isinstance(value, Mapping):
            self.refuse(key, f"must be an object, not {_shown(value)}")
        return Config(value, self.file, f"{self.within}{key}.")

    def labels(self) -> int:
        """Classes that a classifier tells apart."""
        names = self.fields.get("id2label")
        if names is not None and not isinstance(names, Mapping):
            self.refuse("id2label", f"must be an object of class numbers and names, not {_shown(names)}")
        return len(names) if names else self.size("num_labels", 2)

    def divide(self, key: str, by: str, defaults: Sequence[object] = (_REQUIRED, _REQUIRED)) -> int:
        """The size of one field over that of another, which must divide it."""
        whole, part = self.size(key, defaults[0]), self.size(by, defaults[1])
        if whole % part:
            self.refuse(key, f"{whole} is not a multiple of {by!r}, {part}")
        return whole // part

    def refuse(self, key: str, problem: str, known: Collection[str] = (), given: object = None) -> NoReturn:
        raise InputError(problem, file=self.file, place=f"{self.within}{key}", known=known, given=given)

    def _value(self, key: str, default: object) -> object:
        value = self.fields.get(key)
        if value is not None:
            return value
        if default is _REQUIRED:
            from difflib import get_close_matches

            near = get_close_matches(key, self.fields, n=1, cutoff=_TYPO)
            self.refuse(key, "is missing" + (f"; is {near[0]!r} meant to be it?" if near else ""))
        return default


def read_config(path: str | Path) -> Config:
    """The configuration in a file."""
    try:
        fields = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", file=path, line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", file=path) from None
    if not isinstance(fields, dict):
        raise InputError("a configuration is a JSON object", file=path)
    return Config(fields, str(path))


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 60 else f"{text[:57]}..."
