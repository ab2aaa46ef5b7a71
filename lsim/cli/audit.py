"""`lsim audit`: the published model against the simulation, over all of its workloads and machines."""

from __future__ import annotations

import click

from lsim.cli.options import as_json
from lsim.cli.text import print_json, print_tables


@click.command(short_help="The published model and its known faults, over all its workloads.")
@as_json
def audit(as_json: bool) -> None:
    """Sets the published model of Lightening-Transformer beside the simulation for every workload and machine that was published.

    Each known fault is there with its size as it was worked out before, as a corrected model has it, and as the simulation shows it.
    """
    from lsim.cli.progress import Progress
    from lsim.ledger.audit import audit as run

    with Progress("audit", shown=not as_json) as progress:
        found = run(progress=progress)
    if as_json:
        print_json(found.to_dict())
    else:
        from lsim.ledger.tables_of_audit import audit_report

        print_tables(audit_report(found))
