"""The command line as tests call it."""

import os
import subprocess
import sys

from click.testing import CliRunner

from lsim.cli import cli

RUN = ("run", "deit-tiny", "--arch", "lt-b-4bit")


def call(*arguments, code=0):
    """What a command prints, after it ended with the code."""
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done


def refused(*arguments):
    """The one line on stderr of a command that is refused."""
    done = call(*arguments, code=2)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("lsim: ")
    return lines[0]


def process(*arguments, **options):
    """A real process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "lsim", *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )
