"""`lsim estimate`: a trace and an architecture in, what a model says of them out."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lsim.cli.options import models, names
from lsim.cli.settings import parse_settings, settings
from lsim.cli.text import print_json, print_tables


@click.command(short_help="What a model says of a trace on an architecture.")
@click.argument("trace", metavar="TRACE")
@click.option("--arch", required=True, metavar="ARCH", help="Name in `lsim arch list`, or a YAML file.")
@settings
@models
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def estimate(
    trace: str,
    arch: str,
    settings: Sequence[str],
    model: str,
    level: str | None,
    correct: str,
    as_json: bool,
) -> None:
    """Says how long TRACE, a name in `lsim trace list` or a file, takes in closed form, and with what energy.

    Nothing is simulated. The published model is that of the architecture's kind of core, faults and all.
    """
    from lsim.arch import load_arch
    from lsim.models import load_model, predict
    from lsim.trace import load_trace

    workload = load_trace(trace)
    machine = load_arch(arch).with_settings(parse_settings(settings))
    said = predict(load_model(model, machine, level=level, corrected=names(correct)), workload, machine)
    if as_json:
        print_json(said.to_dict())
    else:
        from lsim.results.predictions import prediction

        print_tables(prediction(said))
