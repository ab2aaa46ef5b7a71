"""Does the report of `lsim run` say what was run?"""

from __future__ import annotations

from click.testing import CliRunner

from lsim.cli import cli


def test_does_the_head_of_a_report_say_what_was_set() -> None:
    def report(*settings: str) -> str:
        options = ["run", "deit-tiny", "--arch", "lt-b-4bit", *settings]
        return CliRunner().invoke(cli, options, env={"COLUMNS": "120"}).stdout

    changed = report("--set", "core.clock=10 GHz", "--set", "dpu.lanes=64", "--set", "hbm.channels=1")
    assert "\nsettings    core.clock = 10 GHz, dpu.lanes = 64, in place of the architecture's\n" in changed
    assert "settings" not in report()
