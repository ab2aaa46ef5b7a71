"""Do the same inputs give the same bytes: twice in a process, in processes that hash differently, and whatever ran before?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small import attention, machine
from strategies import Machine, machines, traces

from lsim import Result, load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.trace import Trace

ROOT = Path(__file__).parents[2]
OPTIONS = [
    {"mapping": mapping, "deps": deps, "fold": fold, "step": step}
    for mapping in ("lockstep", "head-parallel")
    for deps in ("barrier", "chunked")
    for fold, step in ((True, "block"), (False, "shot"))
]


def digest(result: Result) -> str:
    """Of all that a result tells, CPU time aside, and of every entry of its log."""
    numbers = {key: value for key, value in result.to_dict().items() if key != "cpu_s"}
    return sha256(
        json.dumps(numbers).encode() + result.log.entries.tobytes() + repr(result.log.folds).encode()
    ).hexdigest()


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(traces(layers=2), machines(groups=("1", "2", "4")), st.sampled_from(OPTIONS))
def test_is_a_run_the_same_twice(trace: Trace, machine: Machine, options: dict[str, object]) -> None:
    try:
        one = simulate(trace, machine.arch, **options)  # type: ignore[arg-type]
    except InputError:
        assume(False)
    assert digest(one) == digest(simulate(trace, machine.arch, **options))  # type: ignore[arg-type]


def all_digests() -> list[str]:
    """Of small runs under all options, and of a real model."""
    work = attention(tokens=12, heads=3, size=4, blocks=3)
    arch = machine(core__tiles="4", broadcast__groups="2", global_sram__groups="2", hbm__channels="3")
    digests = [digest(simulate(work, arch, **options)) for options in OPTIONS]  # type: ignore[arg-type]
    return [
        *digests,
        digest(simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"), ideal=["adc", "m1", "feed"])),
    ]


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_is_a_run_the_same_however_strings_hash(seed: str) -> None:
    code = "from laws.test_determinism import all_digests; print(*all_digests())"
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == all_digests()


def test_does_a_run_leave_nothing_behind_for_the_next() -> None:
    """The order of runs in a process does not matter, nor the order in which ideals are named."""
    small, large = attention(blocks=1), attention(tokens=16, blocks=2)
    before = digest(simulate(small, machine()))
    simulate(large, machine(["gb"]), deps="chunked")
    assert digest(simulate(small, machine())) == before
    assert digest(simulate(small, machine(), ideal=["gb", "adc"])) == digest(
        simulate(small, machine(), ideal=["adc", "gb"])
    )
