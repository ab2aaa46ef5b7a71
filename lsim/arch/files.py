"""Architecture files, read strictly: `part: {parameter: {value: 5 GHz, provenance: P, source: "…"}}`."""

import json
from pathlib import Path
from typing import Any

from lsim.arch.nodes import Spot, read_yaml
from lsim.arch.param import Param, Value
from lsim.arch.spec import DECLARED, PARTS, PROVENANCE, Arch, Provenance
from lsim.data import data_dir
from lsim.errors import ArchError, InputError

_SUFFIXES = (".yaml", ".yml")


def list_archs() -> list[str]:
    """The names of the architectures that come with lsim."""
    return sorted(path.stem for path in data_dir("arch").glob("*.yaml"))


def load_arch(name_or_path: str | Path) -> Arch:
    """The architecture of a file, or one that comes with lsim by its name.

    Raises InputError, `file:line: place: what is wrong`, for anything that is not exactly as declared.
    """
    return _read_arch(read_yaml(_find(name_or_path)))


def dump_arch(arch: Arch) -> str:
    """The text of a file that loads as this architecture, without what is idealised."""
    rows = {row.key: row for row in arch.describe()}
    lines = [f"name: {arch.name}", f"description: {json.dumps(arch.description, ensure_ascii=False)}"]
    for part, declared in DECLARED.items():
        lines += ["", f"{part}:"]
        for name in declared:
            row = rows[f"{part}.{name}"]
            source = json.dumps(row.source, ensure_ascii=False)
            lines.append(f"  {name}: {{value: {row.value}, provenance: {row.provenance}, source: {source}}}")
    return "\n".join(lines) + "\n"


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if isinstance(name_or_path, Path) or path.suffix in _SUFFIXES or len(path.parts) != 1:
        return path
    known = list_archs()
    if path.name not in known:
        raise ArchError(f"no architecture is named {path.name!r}", known=known, given=path.name)
    return data_dir("arch") / f"{path.name}.yaml"


def _read_arch(root: Spot) -> Arch:
    top = root.mapping(["name", "description", *PARTS])
    name, description = _text(top["name"]), _text(top["description"])
    lines: dict[str | None, int] = {}
    provenance: dict[str, Provenance] = {}
    parts: dict[str, Any] = {}
    for part, cls in PARTS.items():
        spots = top[part].mapping(DECLARED[part])
        values = {}
        for parameter, param in DECLARED[part].items():
            spot = spots[parameter]
            lines[spot.place] = spot.line
            values[parameter], provenance[spot.place] = _read_parameter(spot, param)
        parts[part] = cls(**values)
    try:
        return Arch(name=name, description=description, provenance=provenance, **parts)
    except ArchError as error:  # a rule between parameters, which knows its key but not the file
        raise error.at(file=root.file, line=lines.get(error.place)) from None


def _read_parameter(spot: Spot, param: Param) -> tuple[Value, Provenance]:
    entry = spot.mapping(["value", "provenance", "source"])
    tag = entry["provenance"].scalar()
    if tag not in PROVENANCE:
        raise entry["provenance"].error(f"{tag!r} is not a provenance", known=PROVENANCE)
    try:
        value = param.read(entry["value"].scalar())
    except InputError as error:
        raise error.at(file=spot.file, line=entry["value"].line, place=spot.place) from None
    return value, Provenance(tag, _text(entry["source"]))


def _text(spot: Spot) -> str:
    text = spot.scalar()
    if not text:
        raise spot.error("is empty")
    return text
