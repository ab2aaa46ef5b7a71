"""The command line: arguments in, text out. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from lsim import __version__
from lsim.cli.archs import arch
from lsim.cli.audit import audit
from lsim.cli.diff import diff
from lsim.cli.estimate import estimate
from lsim.cli.exits import outcome
from lsim.cli.explain import explain
from lsim.cli.export import export
from lsim.cli.inspect import inspect
from lsim.cli.report import report
from lsim.cli.run import run
from lsim.cli.traces import trace
from lsim.cli.validate import validate


class CommandLine(click.Group):
    """A group of commands whose failures end as `lsim.cli.exits` says."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:
        if "_LSIM_COMPLETE" in os.environ:  # a shell asks what could come next; click knows
            super().main(args, "lsim", **extra)
        sys.exit(outcome(lambda: self._command(list(sys.argv[1:] if args is None else args))))

    def _command(self, args: list[str]) -> None:
        with self.make_context("lsim", args) as context:
            self.invoke(context)


@click.group(
    cls=CommandLine,
    commands=[run, inspect, report, export, estimate, validate, audit, diff, explain, trace, arch],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="lsim %(version)s")
def cli() -> None:
    """Replays a Transformer on a photonic accelerator, tick by tick.

    \b
    lsim run deit-tiny --arch lt-b-4bit        where the time of a run goes
    lsim inspect DIR --at 1000000              what every part did at a tick of it
    lsim report DIR                            a page of HTML about it
    lsim export DIR --perfetto FILE            its timeline for another tool
    lsim diff DIR DIR                          where two runs part, cause by cause
    lsim estimate deit-tiny --arch lt-b-4bit   what the published model says
    lsim validate deit-tiny --arch lt-b-4bit   what lies between it and the simulation, to the tick
    lsim audit                                 the same for all its workloads, fault by fault
    lsim explain core_busy                     what a number means
    lsim trace list                            the workloads that come with lsim
    lsim arch list                             the machines that come with lsim

    Exit codes: 0; 2 for input that is refused; 1 for an internal error, a law that the run broke.
    """


def main() -> NoReturn:
    """The entry point of `lsim` and `python -m lsim`."""
    cli.main()
    raise AssertionError("the command line ends the process")
