"""How a command ends: errors as one line on stderr, and the exit code of the process.

0     done
1     an internal error: a law that holds in every run was broken
2     what the user gave is refused: an option, a file, a name, a folder to write to
130   interrupted (Ctrl-C)
141   whoever read the output stopped reading
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import click

from lsim.errors import LsimError

REFUSED = 2
INTERRUPTED = 130
NOT_READ = 141


def outcome(command: Callable[[], object]) -> int:
    """Runs a command, says on stderr what went wrong, and gives the exit code."""
    _prepare_output()
    try:
        code = _run(command)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", INTERRUPTED)
    except click.ClickException as error:
        return _fail(_click_message(error), REFUSED)
    except LsimError as error:
        return _fail(_message(error), error.exit_code)
    except BrokenPipeError:
        _drop_output()
        return NOT_READ
    except OSError as error:
        _drop_output()
        return _fail(f"{error.filename or 'standard output'}: {error.strerror}", REFUSED)
    return code


def _run(command: Callable[[], object]) -> int:
    try:
        command()
    except click.exceptions.Exit as done:  # --help and --version
        return done.exit_code
    return 0


def _message(error: LsimError) -> str:
    if error.exit_code == REFUSED:
        return " ".join(str(error).splitlines())
    return f"internal error: {error}"


def _click_message(error: click.ClickException) -> str:
    """One line that names the command; the help itself where a group was called without one."""
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or text == context.get_help():
        return text
    return f"{' '.join(text.split())} See '{context.command_path} --help'."


def _fail(message: str, code: int) -> int:
    with suppress(OSError):  # nobody reads stderr: the code still says it
        print(message if message.startswith("Usage:") else f"lsim: {message}", file=sys.stderr, flush=True)
    return code


def _prepare_output() -> None:
    """A closed stream takes what is written and keeps nothing; a sign that a terminal cannot show is a '?'."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the end
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]


def _drop_output() -> None:
    """What is still buffered goes nowhere, so that the interpreter does not fail on it at its end."""
    with suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
