"""Architecture files, read strictly: `part: {parameter: {value: 5 GHz, provenance: P, source: "…"}}`.

`devices: NAME` stands for the sections of a file of devices; a section that the architecture has itself goes before it.
"""

import json
from pathlib import Path
from typing import Any

from lsim.arch.devices import SECTIONS, Devices
from lsim.arch.nodes import Spot, read_yaml
from lsim.arch.param import Param, Value
from lsim.arch.spec import DECLARED, PARTS, PROVENANCE, Arch, Provenance
from lsim.data import data_dir
from lsim.errors import ArchError, InputError

_DEVICES = "devices"
_SUFFIXES = (".yaml", ".yml")


def list_archs() -> list[str]:
    """The names of the architectures that come with lsim."""
    return sorted(path.stem for path in data_dir("arch").glob("*.yaml"))


def load_arch(name_or_path: str | Path, widths: str | None = None) -> Arch:
    """The architecture of a file, or one that comes with lsim by its name; with other `widths` if any are given, `W4A8KV4`.

    Raises InputError, `file:line: place: what is wrong`, for anything that is not exactly as declared.
    """
    arch = _read_arch(read_yaml(_find(name_or_path)))
    return arch if widths is None else arch.with_widths(widths)


def dump_arch(arch: Arch) -> str:
    """The text of a file that loads as this architecture, devices and all, without what is idealised."""
    rows = {row.key: row for row in (*arch.describe(), *arch.describe_devices())}
    lines = [f"name: {arch.name}", f"description: {json.dumps(arch.description, ensure_ascii=False)}"]
    for part, declared in DECLARED.items():
        lines += ["", f"{part}:"]
        for name in declared:
            row = rows.get(f"{part}.{name}")
            if row is None:
                continue
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
    sections = (_DEVICES, *SECTIONS)
    top = root.mapping(["name", "description", *PARTS, *sections], optional=sections)
    name, description = _text(top["name"]), _text(top["description"])
    own = {section: top[section] for section in SECTIONS if section in top}
    library = _library(top[_DEVICES]) if _DEVICES in top else {}
    missing = [section for section in SECTIONS if section not in own | library]
    if missing:
        problem = f"missing: {', '.join(missing)}; or {_DEVICES}, which names a file that has them"
        raise root.error(problem)
    lines: dict[str | None, int] = {}
    provenance: dict[str, Provenance] = {}
    parts = {part: _read_part(top[part], PARTS[part], lines, provenance) for part in PARTS}
    devices = {
        section: _read_part((library | own)[section], SECTIONS[section], lines, provenance)
        for section in SECTIONS
    }
    try:
        return Arch(
            name=name, description=description, provenance=provenance, devices=Devices(**devices), **parts
        )
    except ArchError as error:  # a rule between parameters, which knows its key but not the file
        raise error.at(file=root.file, line=lines.get(error.place)) from None


def _library(reference: Spot) -> dict[str, Spot]:
    """The sections of the file of devices that an architecture names: one of lsim's, or a path from its own folder."""
    name = _text(reference)
    known = sorted(path.stem for path in (data_dir("arch") / _DEVICES).glob("*.yaml"))
    if name in known:
        path = data_dir("arch") / _DEVICES / f"{name}.yaml"
    elif Path(name).suffix in _SUFFIXES:
        path = reference.file.parent / name
    else:
        raise reference.error(f"no file of devices is named {name!r}", known=known, given=name)
    top = read_yaml(path).mapping(["name", "description", *SECTIONS])
    return {section: top[section] for section in SECTIONS}


def _read_part(spot: Spot, cls: type, lines: dict[str | None, int], provenance: dict[str, Provenance]) -> Any:
    declared = DECLARED[spot.place]
    spots = spot.mapping(declared, optional=[name for name, param in declared.items() if param.optional])
    values = {}
    for parameter, param in declared.items():
        if parameter not in spots:
            continue
        at = spots[parameter]
        lines[at.place] = at.line
        values[parameter], provenance[at.place] = _read_parameter(at, param)
    return cls(**values)


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
