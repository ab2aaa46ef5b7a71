"""`lsim estimate`: a trace and an architecture in, what a model says of them out."""

from __future__ import annotations

from collections.abc import Mapping

import click

from lsim.cli.options import as_json, models, names, of_machine
from lsim.cli.settings import machine_of
from lsim.cli.text import print_json, print_tables


@click.command(short_help="What a model says of a trace on an architecture.")
@of_machine
@models
@as_json
def estimate(
    trace: str,
    arch: str,
    settings: Mapping[str, str],
    model: str,
    level: str | None,
    correct: str,
    as_json: bool,
) -> None:
    """Says how long TRACE, a name in `lsim trace list` or a file, takes in closed form, and with what energy.

    Nothing is simulated. The published model is that of the architecture's kind of core, faults and all.
    """
    from lsim.models import load_model, predict
    from lsim.trace import load_trace

    workload = load_trace(trace)
    machine = machine_of(arch, settings)
    said = predict(load_model(model, machine, level=level, corrected=names(correct)), workload, machine)
    if as_json:
        print_json(said.to_dict())
    else:
        from lsim.results.predictions import prediction

        print_tables(prediction(said))
