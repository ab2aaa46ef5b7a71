"""How does a process of lsim begin, end, and tell that it is at work?"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import process

import lsim
from lsim.cli.progress import Progress


def test_does_version_say_which():
    child = process("--version")
    assert child.communicate()[0].decode() == f"lsim {lsim.__version__}\n"


def test_loads_the_help_nothing_heavy():
    code = (
        "import sys\nfrom lsim.cli import main\nsys.argv = ['lsim', '--help']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "print(sorted({'simpy', 'numpy', 'networkx', 'rich', 'tqdm', 'yaml', 'attrs'} & sys.modules.keys()))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_has_a_process_the_exit_code_of_its_error():
    child = process("run", "deit-tinny", "--arch", "lt-b-4bit")
    out, err = child.communicate()
    assert (child.returncode, out) == (2, b"")
    assert err.startswith(b"lsim: ")
    assert err.count(b"\n") == 1


def test_is_a_broken_pipe_no_error():
    child = process("trace", "show", "llama-3-70b-prefill-8192", "--json")
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 141


def test_ends_an_interrupt_without_a_traceback():
    child = process("run", "llama-2-7b-prefill-2048", "--arch", "lt-b-4bit", "--no-fold", "--step", "shot")
    assert child.poll() is None
    wait_until_it_runs(child.pid)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert out == b""
    assert err.decode().splitlines()[-1].endswith("lsim: interrupted")
    assert b"Traceback" not in err


def wait_until_it_runs(pid):
    """Until the process has used half a second: its imports are behind it."""
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 1.0:
            return
        time.sleep(0.05)
    raise AssertionError("the process does nothing")


def test_is_there_no_bar_in_the_first_two_seconds(capsys):
    with Progress("x") as progress:
        progress(0.5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shown", [True, False])
def test_is_there_a_bar_after_two_seconds(capsys, shown):
    with Progress("deit", shown=shown) as progress:
        progress.begin -= 3
        progress(0.25)
        progress(1.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("deit" in captured.err) is shown
