"""Options that several commands share: trace and machine, the policies of a run, which model is asked, JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from lsim.cli.settings import settings

# Written out, since importing what declares them takes longer than the help may; a test holds them equal.
MAPPINGS = ("lockstep", "head-parallel", "m1-stationary")
IDEALS = ("hbm", "gb", "capacity", "feed", "reload", "adc", "broadcast", "act", "dpu", "dispatch", "m1", "m2")

Command = Callable[..., Any]

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


def of_machine(command: Command) -> Command:
    """TRACE, --arch, --set, --widths."""
    return _with(
        command,
        click.argument("trace", metavar="TRACE"),
        click.option(
            "--arch", required=True, metavar="ARCH", help="Name in `lsim arch list`, or a YAML file."
        ),
        settings,
    )


def policies(command: Command) -> Command:
    """--mapping, --deps, --ideal."""
    return _with(
        command,
        click.option(
            "--mapping",
            metavar="NAME",
            help=f"How GEMMs are divided among tiles: {', '.join(MAPPINGS)}. By default the core's own: "
            "lockstep, or m1-stationary where cores hold an operand.",
        ),
        click.option(
            "--deps",
            type=click.Choice(["barrier", "chunked"]),
            default="barrier",
            show_default=True,
            help="An operator starts when its inputs are complete, or when the row passes it needs are.",
        ),
        click.option(
            "--ideal",
            default="",
            metavar="NAME,...",
            help=f"Make sources of contention free and unbounded: {', '.join(IDEALS)}.",
        ),
    )


def models(command: Command) -> Command:
    """--model, --level, --correct."""
    return _with(
        command,
        click.option(
            "--model",
            default="published",
            show_default=True,
            metavar="NAME",
            help="published, roofline, bound (no run is shorter), a class of your own as path.py:Class, or estimates as file.csv.",
        ),
        click.option(
            "--level",
            metavar="NAME",
            help="Of the published model of a dptc: arch_opt (the default), crossbar, broadcast.",
        ),
        click.option(
            "--correct",
            default="",
            metavar="NAME,...",
            help="Correct known faults of the published model, by name, or all; the report lists them.",
        ),
    )


def names(given: str) -> list[str]:
    """The names of a list with commas."""
    return [name.strip() for name in given.split(",")] if given else []


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    return reduce(lambda made, option: option(made), reversed(options), command)
