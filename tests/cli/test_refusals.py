"""Is bad input refused in one line, and a broken law told?"""

import sys

import pytest
from commands import RUN, call, refused

from lsim.errors import Deadlock, LawBroken


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ("run", "deit-tinny", "--arch", "lt-b-4bit"),
            ["'deit-tinny'", "did you mean 'deit-tiny'?", "allowed: "],
        ),
        (
            ("run", "deit-tiny", "--arch", "lt-b-4bits"),
            ["'lt-b-4bits'", "did you mean 'lt-b-4bit'?", "allowed: "],
        ),
        ((*RUN, "--mapping", "locstep"), ["--mapping", "did you mean 'lockstep'?", "allowed: "]),
        ((*RUN, "--ideal", "hbm,gbb"), ["--ideal", "did you mean 'gb'?"]),
        ((*RUN, "--ideal", "hbm,,gb"), ["--ideal", "allowed: "]),
        ((*RUN, "--deps", "none"), ["--deps", "'barrier', 'chunked'"]),
        ((*RUN, "--step", "tick"), ["--step", "'block', 'shot'"]),
        ((*RUN, "--set", "hbm.chanels=4"), ["--set: hbm.chanels", "did you mean 'channels'?"]),
        ((*RUN, "--set", "hbm.channels=0"), ["--set: hbm.channels"]),
        ((*RUN, "--set", "hbm.channels"), ["--set", "part.key=value"]),
        ((*RUN, "--set", "hbm.channels="), ["--set", "part.key=value"]),
        ((*RUN, "--set", "hbm.channels=2", "--set", "hbm.channels=4"), ["--set: hbm.channels: is set twice"]),
        ((*RUN, "--set", "core.clock=4.9 GHz"), ["--set", "not a whole number"]),
        ((*RUN, "--widths", "W4"), ["--widths: 'W4' is not of the form W<bits>A<bits>[KV<bits>]"]),
        ((*RUN, "--widths", "W4A8KV"), ["--widths: 'W4A8KV' is not of the form"]),
        ((*RUN, "--widths", ""), ["--widths: '' is not of the form"]),
        ((*RUN, "--widths", "W3A8"), ["'W3A8': weight cannot be 3 bit; allowed: 4 bit, 8 bit, 16 bit"]),
        ((*RUN, "--widths", "W8A0"), ["'W8A0': activation cannot be 0 bit; allowed: 4 bit"]),
        ((*RUN, "--widths", "W8A8KV32"), ["'W8A8KV32': kv cannot be 32 bit"]),
        ((*RUN, "--set", "operands.kv_bits=3bit"), ["--set: operands.kv_bits: cannot be 3 bit; allowed: 4"]),
        ((*RUN, "--set", "operands.kv_bits=0bit"), ["--set: operands.kv_bits: cannot be 0 bit; allowed: 4"]),
        ((*RUN, "--set", "operands.weights_bits=8bit"), ["did you mean 'weight_bits'?"]),
        (
            (*RUN, "--widths", "W4A8", "--set", "operands.kv_bits=4bit"),
            ["--set: operands.kv_bits: is set twice: --widths W4A8 says it, too"],
        ),
        (("estimate", "deit-tiny", "--arch", "lt-b-4bit", "--widths", "W4"), ["--widths: 'W4'"]),
        (("validate", "deit-tiny", "--arch", "lt-b-4bit", "--widths", "W4"), ["--widths: 'W4'"]),
        (("arch", "show", "lt-b-4bit", "--widths", "W4"), ["--widths: 'W4'"]),
        (("trace", "show", "deit-tiny", "--widths", "W4"), ["--widths: 'W4'"]),
        (("run", "deit-tiny"), ["--arch"]),
        (("run",), ["TRACE"]),
        (("runn",), ["'runn'"]),
        ((*RUN, "--jsn"), ["--jsn"]),
        (("trace", "show", "deit"), ["'deit'", "allowed: "]),
        (("trace", "make", "deit"), ["'deit'", "allowed: "]),
        (("arch", "show", "lt-x"), ["'lt-x'", "allowed: "]),
    ],
)
def test_is_bad_input_refused_in_one_line(arguments, parts):
    line = refused(*arguments)
    for part in parts:
        assert part in line


def test_names_a_refusal_file_and_line(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"lsim_trace": 1, "name": "t"}\nnonsense\n')
    assert refused("run", path, "--arch", "lt-b-4bit").startswith(f"lsim: {path}:2: ")
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\ncore: 3\n")
    assert refused("run", "deit-tiny", "--arch", path).startswith(f"lsim: {path}:")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LawBroken("core", 17, "busy + waiting + idle is 16"), "core, tick 17: busy"),
        (Deadlock("m1", 3, "nothing can happen", ["m1 waits for core"]), "m1 waits for core"),
    ],
)
def test_is_a_broken_law_exit_1_and_names_part_and_tick(monkeypatch, error, text):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(sys.modules["lsim.simulate"], "simulate", broken)
    done = call(*RUN, code=1)
    assert done.stderr.startswith("lsim: internal error: ")
    assert text in done.stderr
    assert done.stdout == ""
