"""`lsim arch`: the machines, and where each of their values comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from lsim.cli.settings import machine_of, settings
from lsim.cli.text import print_json, print_tables

if TYPE_CHECKING:
    from lsim.arch import Arch

# Written out, since importing what declares them takes longer than the help may; a test holds them equal.
LEVELS = ("arch_opt", "crossbar", "broadcast")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(short_help="List and show architectures.")
def arch() -> None:
    """Lists and shows architectures."""


@arch.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Names the architectures that come with lsim."""
    from lsim.arch import list_archs, load_arch

    archs = [{"name": a.name, "description": a.description} for a in map(load_arch, list_archs())]
    if as_json:
        print_json(archs)
    else:
        from lsim.results.tables import plain

        print_tables([plain(("architecture", "what it is"), [tuple(a.values()) for a in archs])])


@arch.command()
@click.argument("name", metavar="ARCH")
@settings
@click.option("--area", is_flag=True, help="Instead, the area of a chip by component, as published.")
@click.option("--power", is_flag=True, help="Instead, its peak power by component, as published.")
@click.option(
    "--level", default="arch_opt", show_default=True, metavar="NAME", help=f"For both: {', '.join(LEVELS)}."
)
@as_json
def show(name: str, settings: Mapping[str, str], area: bool, power: bool, level: str, as_json: bool) -> None:
    """Prints every value of ARCH, a name or a file, with its unit, provenance and source."""
    machine = machine_of(name, settings)
    if area or power:
        _show_chip(machine, area, power, level, as_json)
    elif as_json:
        print_json(_content(machine))
    else:
        print_tables(_tables(machine))


def _show_chip(machine: Arch, area: bool, power: bool, level: str, as_json: bool) -> None:
    from lsim.models.published.chip import area_mm2, power_mw

    parts = {}
    if area:
        parts["area_mm2"] = area_mm2(machine, level)
    if power:
        parts["power_mw"] = power_mw(machine, level)
    if as_json:
        shown = {
            what: {"total": float(sum(of.values())), **{part: float(value) for part, value in of.items()}}
            for what, of in parts.items()
        }
        print_json({"name": machine.name, **machine.operands.to_dict(), "level": level, **shown})
    else:
        from lsim.results.predictions import chip

        print_tables(chip(machine, level, parts))


def _content(machine: Arch) -> dict[str, Any]:
    return {
        "name": machine.name,
        "description": machine.description,
        "sha256": machine.sha256,
        **machine.operands.to_dict(),
        "parameters": [row._asdict() for row in machine.describe()],
        "devices_sha256": machine.devices_sha256,
        "devices": [row._asdict() for row in machine.describe_devices()],
    }


def _tables(machine: Arch) -> Iterator[object]:
    from lsim.arch import PROVENANCE
    from lsim.results.tables import heading, plain

    rows = [*machine.describe(), *machine.describe_devices()]
    yield heading(machine.name, machine.description)
    if machine.operands.mixed:
        yield f"  widths {machine.operands.told}"
    for tag, meaning in PROVENANCE.items():
        yield f"  [{tag}] {sum(row.provenance == tag for row in rows):3}  {meaning}"
    shown = [(row.key, row.value, f"[{row.provenance}]", f"{row.doc}\n  {row.source}") for row in rows]
    yield plain(("parameter", "value", "", "meaning and source"), shown)
