"""An architecture: a machine with a name, where each of its values comes from, and settings over it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self

from attrs import evolve, field, fields, frozen, has

from lsim.arch.checks import broken_rules
from lsim.arch.devices import SECTIONS, Devices
from lsim.arch.param import Param, Value, params
from lsim.arch.timing import Machine
from lsim.errors import ArchError, InputError
from lsim.widths import Widths

PROVENANCE: Final = {
    "P": "published",
    "R": "constant of the released LT hardware estimator",
    "A": "lsim assumption",
}

_REPLACED = "--set in place of"
_CONVERTED = "converters still resolve that, round what is stored wider and take what is stored narrower"


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
DECLARED: Final[dict[str, dict[str, Param]]] = {
    name: dict(params(part)) for name, part in (PARTS | SECTIONS).items()
}


@frozen(kw_only=True, cache_hash=True)
class Arch(Machine):
    """A machine that is consistent, and its devices; raises ArchError, with the key as its place, when it is not.

    Ticks follow from the machine alone, so `devices` are no part of it: they have their own rows and their own
    digest. `provenance` has an entry for each key of either, `part.parameter`.
    """

    name: str
    description: str
    devices: Devices
    provenance: Mapping[str, Provenance] = field(hash=False)

    def __attrs_post_init__(self) -> None:
        for key, problem in broken_rules(self):
            raise ArchError(problem, place=key)

    def parameters(self) -> Iterator[tuple[str, Param, Value]]:
        """Each key of the machine with its declaration and its value in base units, in the order of declaration; of the optional
        ones those that are given."""
        return _parameters(self, PARTS)

    def device_parameters(self) -> Iterator[tuple[str, Param, Value]]:
        """Each key of the devices likewise."""
        return _parameters(self.devices, SECTIONS)

    def with_ideal(self, names: Iterable[str]) -> Self:
        """This architecture with these contention sources idealised too; raises ArchError for others."""
        return evolve(self, ideal=self.ideal | frozenset(names))

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """This architecture with other values, `{'hbm.channels': '4'}`; raises InputError placed at the key.

        A value set is an assumption, whatever the file says of the value that it replaces.
        """
        old = {key: (param, value) for key, param, value in (*self.parameters(), *self.device_parameters())}
        parts: dict[str, dict[str, Value]] = {}
        provenance = dict(self.provenance)
        for key, raw in settings.items():
            part, name, param = _declared(key)
            value = _read(param, raw, key)
            parts.setdefault(part, {})[name] = value
            if key not in old:
                provenance[key] = Provenance("A", f"{_REPLACED} operands.bits: {_CONVERTED}")
            elif value != old[key][1]:
                tag, source = self.provenance[key]
                text = param.text(old[key][1])
                provenance[key] = Provenance("A", f"{_REPLACED} {text} [{tag}] {source}")
        devices = evolve(self.devices, **_changed(self.devices, parts, SECTIONS))
        try:
            return evolve(self, devices=devices, provenance=provenance, **_changed(self, parts, PARTS))
        except ArchError as error:
            raise error.at(file="--set") from None

    def with_widths(self, spelled: str) -> Self:
        """This architecture with what it stores and moves so wide, `W4A8KV4`; raises ArchError for what is not so spelled."""
        return self.with_settings(Widths.parse(spelled).settings)

    @property
    def sha256(self) -> str:
        """Digest of what ticks follow from: the machine's values and what is idealised.

        Devices, names, sources and spelling do not count; nor does a width that is given and that of operands all the same.
        """
        lines = _lines(row for row in self.parameters() if not row[1].optional)
        widths = [f"widths={self.operands.widths.spelled}"] if self.operands.mixed else []
        return _digest([*lines, f"ideal={','.join(sorted(self.ideal))}", *widths])

    @property
    def devices_sha256(self) -> str:
        """Digest of the values of the devices."""
        return _digest(_lines(self.device_parameters()))

    @property
    def assumptions(self) -> list[Assumption]:
        """The values of the machine that lsim assumes, for reports of time."""
        return _assumed(self.describe())

    @property
    def device_assumptions(self) -> list[Assumption]:
        """The values of the devices that lsim assumes, for reports of energy, power and area."""
        return _assumed(self.describe_devices())

    @property
    def replaced(self) -> list[Row]:
        """The values that `with_settings` put in the place of those of the file."""
        return [row for row in self.describe() if row.source.startswith(_REPLACED)]

    def describe(self) -> list[Row]:
        """Every parameter of the machine with its value and unit, provenance, source and meaning."""
        return self._rows(self.parameters())

    def describe_devices(self) -> list[Row]:
        """Every parameter of the devices likewise."""
        return self._rows(self.device_parameters())

    def _rows(self, parameters: Iterable[tuple[str, Param, Value]]) -> list[Row]:
        return [
            Row(key, param.text(value), *self.provenance[key], param.doc) for key, param, value in parameters
        ]


def _parameters(owner: object, parts: Iterable[str]) -> Iterator[tuple[str, Param, Value]]:
    for part in parts:
        for name, param in DECLARED[part].items():
            value = getattr(getattr(owner, part), name)
            if value is not None:
                yield f"{part}.{name}", param, value


def _lines(parameters: Iterable[tuple[str, Param, Value]]) -> Iterator[str]:
    return (f"{key}={value}" for key, _, value in parameters)


def _digest(lines: Iterable[str]) -> str:
    from hashlib import sha256  # not every run asks

    return sha256("\n".join(lines).encode()).hexdigest()


def _assumed(rows: Iterable[Row]) -> list[Assumption]:
    return [Assumption(row.key, row.value, row.source) for row in rows if row.provenance == "A"]


def _changed(
    owner: object, values: Mapping[str, Mapping[str, Value]], parts: Iterable[str]
) -> dict[str, Any]:
    """Those of these parts of the owner that get other values, with them."""
    return {part: evolve(getattr(owner, part), **values[part]) for part in parts if part in values}


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
