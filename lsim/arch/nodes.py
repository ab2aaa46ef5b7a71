"""YAML read strictly as mappings of known keys, each with the line it stands on."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import yaml

from lsim.errors import ArchError

# The C parser is a tenth of the time; PyYAML is built without it on some systems.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Spot(NamedTuple):
    """A node of a file: its dotted place, for messages, and its line."""

    file: Path
    place: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """Its line, counted from 1."""
        return int(self.node.start_mark.line) + 1

    def error(self, problem: str, known: Collection[str] = (), given: str | None = None) -> ArchError:
        """What is wrong here."""
        return ArchError(problem, file=self.file, line=self.line, place=self.place, known=known, given=given)

    def scalar(self) -> str:
        """The text of a plain value."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error(f"a {self._kind()} stands where a value belongs")
        return str(self.node.value).strip()

    def mapping(self, keys: Collection[str], optional: Collection[str] = ()) -> dict[str, "Spot"]:
        """The values of a mapping that has exactly these keys, each once; the optional ones may be missing."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"a {self._kind()} stands where a mapping belongs", known=keys)
        found: dict[str, Spot] = {}
        for key, value in self.node.value:
            name = Spot(self.file, self.place, key).scalar()
            spot = Spot(self.file, f"{self.place}.{name}".lstrip("."), value)
            at_key = spot._replace(node=key)
            if name not in keys:
                raise at_key.error(f"unknown key {name!r}", known=keys, given=name)
            if name in found:
                raise at_key.error(f"{name!r} stands twice, first in line {found[name].line}")
            found[name] = spot
        missing = [name for name in keys if name not in found and name not in optional]
        if missing:
            raise self.error(f"missing: {', '.join(missing)}")
        return found

    def _kind(self) -> str:
        kinds = {yaml.ScalarNode: "value", yaml.SequenceNode: "list", yaml.MappingNode: "mapping"}
        return kinds[type(self.node)]


def read_yaml(path: Path) -> Spot:
    """The root of a file's only document; raises ArchError when it cannot be read as YAML."""
    try:
        root = yaml.compose(path.read_bytes(), Loader=_LOADER)
    except OSError as error:
        raise ArchError(f"cannot be read: {error.strerror}", file=path) from None
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise ArchError(f"not YAML: {error.problem}", file=path, line=line) from None
    except yaml.YAMLError as error:
        raise ArchError(f"not YAML: {str(error).splitlines()[0]}", file=path) from None
    if root is None:
        raise ArchError("is empty", file=path)
    return Spot(path, "", root)
