"""An architecture: a machine with a name, where each of its values comes from, and settings over it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self

from attrs import evolve, field, fields, frozen, has

from lsim.arch.checks import broken_rules
from lsim.arch.param import Param, Value, params
from lsim.arch.timing import Machine
from lsim.errors import ArchError, InputError

PROVENANCE: Final = {
    "P": "published",
    "R": "constant of the released LT hardware estimator",
    "A": "lsim assumption",
}


class Provenance(NamedTuple):
    """Where a value comes from: one of PROVENANCE, and the source in words."""

    tag: str
    source: str


class Row(NamedTuple):
    """One parameter, as shown to people."""

    key: str
    value: str
    provenance: str
    source: str
    doc: str


class Assumption(NamedTuple):
    """One value that lsim assumes."""

    key: str
    value: str
    source: str


PARTS: Final[dict[str, type]] = {f.name: f.type for f in fields(Machine) if f.type and has(f.type)}
DECLARED: Final[dict[str, dict[str, Param]]] = {name: dict(params(part)) for name, part in PARTS.items()}


@frozen(kw_only=True, cache_hash=True)
class Arch(Machine):
    """A machine that is consistent; raises ArchError, with the key as its place, when it is not.

    `provenance` has an entry for each key, `part.parameter`.
    """

    name: str
    description: str
    provenance: Mapping[str, Provenance] = field(hash=False)

    def __attrs_post_init__(self) -> None:
        for key, problem in broken_rules(self):
            raise ArchError(problem, place=key)

    def parameters(self) -> Iterator[tuple[str, Param, Value]]:
        """Each key with its declaration and its value in base units, in the order of declaration."""
        for part, declared in DECLARED.items():
            for name, param in declared.items():
                yield f"{part}.{name}", param, getattr(getattr(self, part), name)

    def with_ideal(self, names: Iterable[str]) -> Self:
        """This architecture with these contention sources idealised too; raises ArchError for others."""
        return evolve(self, ideal=self.ideal | frozenset(names))

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """This architecture with other values, `{'hbm.channels': '4'}`; raises InputError placed at the key.

        A value set is an assumption, whatever the file says of the value that it replaces.
        """
        old = {key: param.text(value) for key, param, value in self.parameters()}
        parts: dict[str, dict[str, Value]] = {}
        provenance = dict(self.provenance)
        for key, raw in settings.items():
            part, name, param = _declared(key)
            value = _read(param, raw, key)
            parts.setdefault(part, {})[name] = value
            tag, source = self.provenance[key]
            if param.text(value) != old[key]:
                provenance[key] = Provenance("A", f"--set in place of {old[key]} [{tag}] {source}")
        changed: dict[str, Any] = {part: evolve(getattr(self, part), **new) for part, new in parts.items()}
        try:
            return evolve(self, provenance=provenance, **changed)
        except ArchError as error:
            raise error.at(file="--set") from None

    @property
    def sha256(self) -> str:
        """Digest of the values and of what is idealised; names, sources and spelling do not count."""
        from hashlib import sha256  # not every run asks

        lines = [f"{key}={value}" for key, _, value in self.parameters()]
        return sha256("\n".join([*lines, f"ideal={','.join(sorted(self.ideal))}"]).encode()).hexdigest()

    @property
    def assumptions(self) -> list[Assumption]:
        """The values that lsim assumes, for reports."""
        rows = self.describe()
        return [Assumption(row.key, row.value, row.source) for row in rows if row.provenance == "A"]

    def describe(self) -> list[Row]:
        """Every parameter with its value and unit, provenance, source and meaning."""
        return [
            Row(key, param.text(value), *self.provenance[key], param.doc)
            for key, param, value in self.parameters()
        ]


def _declared(key: str) -> tuple[str, str, Param]:
    part, dot, name = key.partition(".")
    if part not in DECLARED:
        raise ArchError(f"unknown part {part!r}", file="--set", place=key, known=DECLARED, given=part)
    if name not in DECLARED[part]:
        problem = f"unknown parameter {name!r} of {part}" if dot else f"{part} is a part, not a parameter"
        raise ArchError(problem, file="--set", place=key, known=DECLARED[part], given=name)
    return part, name, DECLARED[part][name]


def _read(param: Param, raw: str, key: str) -> Value:
    try:
        return param.read(raw)
    except InputError as error:
        raise error.at(file="--set", place=key) from None
