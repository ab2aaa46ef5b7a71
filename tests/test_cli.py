"""The command line: what it prints, what it writes, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import lsim
from lsim.arch import IDEALS, PROVENANCE
from lsim.cli import cli
from lsim.cli import run as run_module
from lsim.cli.progress import Progress
from lsim.errors import Deadlock, LawBroken
from lsim.kernel.labels import Cause
from lsim.plan.mappings import MAPPINGS
from lsim.results import meanings
from lsim.results.grouping import grouped, layerless
from lsim.trace import list_traces
from lsim.trace.zoo import MODELS

RUN = ("run", "deit-tiny", "--arch", "lt-b-4bit")
TOP = [
    "lsim",
    "trace",
    "arch",
    "options",
    "ticks",
    "seconds",
    "macs",
    "events",
    "folds",
    "cpu_s",
    "utilization",
    "tiles",
    "parts",
    "operators",
    "bytes",
    "energy",
]


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


@pytest.fixture(scope="module")
def printed():
    return json.loads(call(*RUN, "--json").stdout)


# -- lsim run: JSON ------------------------------------------------------------------------------------------------
def test_has_the_json_these_keys_and_no_others(printed):
    assert list(printed) == TOP
    assert list(printed["trace"]) == ["name", "sha256", "operators", "macs"]
    assert list(printed["arch"]) == ["name", "sha256", "assumptions"]
    assert all(list(a) == ["key", "value", "source"] for a in printed["arch"]["assumptions"])
    assert list(printed["options"]) == ["mapping", "deps", "ideal", "fold", "step"]
    assert list(printed["utilization"]) == ["core_busy", "occupied", "useful_macs"]
    assert all(list(part) == ["busy", "idle", "waiting"] for part in printed["parts"].values())
    assert all(list(run) == ["name", "kind", "macs", "start", "end"] for run in printed["operators"])
    assert all(list(ways) == ["in", "out"] for ways in printed["bytes"].values())
    energy, share = printed["energy"], ["dynamic", "useful", "dark"]
    groups = ["components", "parts", "tiles", "shared", "operators", "devices"]
    assert list(energy) == ["unit", "total", *share, *groups]
    assert list(energy["devices"]) == ["sha256", "assumptions"]
    assert all(list(one) == share for group in ("components", "tiles") for one in energy[group].values())
    assert all(list(one) == ["names", "dynamic", "static"] for one in energy["operators"])


def test_do_tiles_and_parts_sum_to_the_ticks(printed):
    assert len(printed["tiles"]) == 4
    for tile in printed["tiles"].values():
        assert sum(tile.values()) == printed["ticks"]
    for part in printed["parts"].values():
        assert part["busy"] + part["idle"] + sum(part["waiting"].values()) == printed["ticks"]
    causes = {cause.value for cause in Cause}
    for counted in (*printed["tiles"].values(), *(part["waiting"] for part in printed["parts"].values())):
        assert counted.keys() <= causes


def test_are_the_numbers_those_of_python(printed):
    result = lsim.simulate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"))
    mine = json.loads(json.dumps(result.to_dict()))
    assert {**mine, "cpu_s": 0} == {**printed, "cpu_s": 0}


def test_do_options_reach_the_run():
    options = (
        "--mapping",
        "head-parallel",
        "--deps",
        "chunked",
        "--ideal",
        "hbm, gb",
        "--set",
        "hbm.channels=4",
    )
    printed = json.loads(call(*RUN, *options, "--json").stdout)
    assert printed["options"] == {
        "mapping": "head-parallel",
        "deps": "chunked",
        "ideal": ["gb", "hbm"],
        "fold": True,
        "step": "block",
    }
    (channels,) = (a for a in printed["arch"]["assumptions"] if a["key"] == "hbm.channels")
    assert channels["value"] == "4"
    assert channels["source"].startswith("--set")


def test_does_no_fold_give_the_same_result(printed):
    unfolded = json.loads(call(*RUN, "--no-fold", "--json").stdout)
    assert unfolded["folds"] == 0
    assert unfolded["options"]["fold"] is False
    for key in ("ticks", "tiles", "parts", "operators", "bytes", "utilization"):
        assert unfolded[key] == printed[key]


# -- lsim run: text ------------------------------------------------------------------------------------------------
def test_says_a_report_what_was_run_and_in_which_clock(printed):
    text = call(*RUN).stdout
    assert "deit-tiny on lt-b-4bit" in text
    assert f"{printed['ticks']:,} ticks" in text
    assert "1 tick = 200 ps" in text
    assert "5 GHz" in text
    assert f"{printed['macs']:,} MACs" in text


def test_names_a_report_every_cause_and_utilization(printed):
    text = call(*RUN).stdout
    assert all(cause.value in text for cause in Cause)
    assert all(name in text for name in printed["utilization"])
    assert "layers.*.ffn1 ×12" in text


def test_names_a_report_every_assumption(printed):
    text = " ".join(call(*RUN, "--set", "hbm.channels=4").stdout.split())
    energies = printed["energy"]["devices"]["assumptions"]
    assert energies
    for assumption in printed["arch"]["assumptions"] + energies:
        _, key = assumption["key"].split(".")
        if assumption["key"] != "hbm.channels":
            assert f"{key} = {assumption['value']}" in text
    assert "channels* = 4" in text


def test_is_a_report_in_a_pipe_100_columns_wide():
    lines = call(*RUN).stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)


def test_prints_a_quiet_run_nothing():
    done = call(*RUN, "--quiet")
    assert done.output == ""


def test_has_every_cause_and_utilization_a_meaning(printed):
    assert set(meanings.CAUSES) == set(Cause)
    assert set(meanings.UTILIZATION) == set(printed["utilization"])


def test_does_the_help_name_every_mapping_and_ideal():
    assert list(sys.modules["lsim.cli.options"].MAPPINGS) == list(MAPPINGS)
    assert list(sys.modules["lsim.cli.options"].IDEALS) == list(IDEALS)
    assert run_module is cli.commands["run"]


# -- lsim run: --out -----------------------------------------------------------------------------------------------
def test_do_the_same_inputs_write_the_same_bytes(tmp_path, printed):
    for name in ("a", "b"):
        call(*RUN, "--quiet", "--out", tmp_path / name)
    for file in ("result.json", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    written = json.loads((tmp_path / "a" / "result.json").read_text())
    assert {**written, "cpu_s": printed["cpu_s"]} == printed
    assert "cpu_s" not in written
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_says_the_manifest_what_the_result_is_of(tmp_path, printed):
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert list(manifest) == ["lsim", "trace", "arch", "options", "files"]
    assert manifest["trace"]["sha256"] == printed["trace"]["sha256"]
    assert manifest["arch"] == {key: printed["arch"][key] for key in ("name", "sha256")}
    assert manifest["options"] == printed["options"]
    assert list(manifest["files"]) == ["arch.yaml", "result.json", "timeline.npz", "trace.jsonl"]


def test_replaces_a_run_an_earlier_result_and_an_empty_folder(tmp_path):
    (tmp_path / "a").mkdir()
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    call(*RUN, "--quiet", "--ideal", "hbm", "--out", tmp_path / "a")
    assert json.loads((tmp_path / "a" / "result.json").read_text())["options"]["ideal"] == ["hbm"]
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


@pytest.mark.parametrize("foreign", ["notes.txt", "manifest.json", "result.json"])
def test_is_a_folder_with_other_files_left_alone(tmp_path, foreign):
    (tmp_path / foreign).write_text("{}")
    assert "other files" in refused(*RUN, "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [foreign]
    assert (tmp_path / foreign).read_text() == "{}"


def test_is_a_result_with_a_file_of_the_users_left_alone(tmp_path):
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert "other files" in refused(*RUN, "--out", tmp_path / "a")
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_is_a_place_that_cannot_be_a_folder_refused(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    assert "--out" in refused(*RUN, "--out", tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_leaves_a_refused_run_nothing_behind(tmp_path):
    refused(*RUN, "--mapping", "locstep", "--out", tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_is_the_old_result_still_there_when_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    call(*RUN, "--quiet", "--out", tmp_path / "a")
    before = (tmp_path / "a" / "result.json").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "No space left on device" in refused(*RUN, "--quiet", "--out", tmp_path / "a")
    assert (tmp_path / "a" / "result.json").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


# -- refusals ------------------------------------------------------------------------------------------------------
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


# -- lsim trace, lsim arch -----------------------------------------------------------------------------------------
def test_does_trace_list_name_every_trace():
    listed = json.loads(call("trace", "list", "--json").stdout)
    assert [one["name"] for one in listed] == list_traces()
    assert all(list(one) == ["name", "description", "operators", "macs", "parameters"] for one in listed)
    text = call("trace", "list").stdout
    assert all(name in text for name in list_traces())


def test_shows_trace_show_what_is_in_a_trace():
    shown = json.loads(call("trace", "show", "deit-tiny", "--json").stdout)
    assert list(shown) == ["name", "macs", "parameters", "bytes", "intensity", "repeats", "operators"]
    assert shown["bytes"]["8"]["weight"] == shown["parameters"]
    assert [(one["count"], len(one["operators"])) for one in shown["repeats"]] == [(12, 12)]
    fetched = shown["parameters"] - 192 * (
        197 + 1 + 2 * 25
    )  # all weights but positions, class token and gains of norms
    assert shown["intensity"]["8"] == pytest.approx(shown["macs"] / fetched)
    assert {"name", "kind", "macs"} <= shown["operators"][0].keys()
    assert sum(operator["macs"] for operator in shown["operators"]) == shown["macs"]
    text = call("trace", "show", "deit-tiny").stdout
    assert "12 times:" in text
    assert "layers.*.ffn1" in text
    assert f"{shown['parameters']:,} parameters" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", list_traces())
def test_can_every_trace_be_shown(name):
    trace = lsim.load_trace(name)
    assert f"{trace.macs:,} MACs in {len(trace.operators):,} operators" in call("trace", "show", name).stdout


def test_makes_trace_make_the_committed_files(tmp_path):
    made = json.loads(call("trace", "make", "--out", tmp_path, "--json").stdout)
    assert [one["name"] for one in made] == list(MODELS)
    committed = Path(__file__).parent.parent / "traces"
    for name in MODELS:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (committed / f"{name}.jsonl").read_bytes()


def test_says_trace_make_what_it_changed(tmp_path):
    assert call("trace", "make", "deit-tiny", "--out", tmp_path / "new").stdout.split()[1] == "new"
    assert call("trace", "make", "deit-tiny", "--out", tmp_path / "new").stdout.split()[1] == "same"
    (tmp_path / "new" / "deit-tiny.jsonl").write_text("other")
    assert call("trace", "make", "deit-tiny", "--out", tmp_path / "new").stdout.split()[1] == "changed"


def test_writes_trace_make_nothing_when_a_name_is_wrong(tmp_path):
    refused("trace", "make", "deit-tiny", "deit", "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_does_arch_list_name_every_arch():
    listed = json.loads(call("arch", "list", "--json").stdout)
    assert [one["name"] for one in listed] == lsim.list_archs()
    text = call("arch", "list").stdout
    assert all(name in text for name in lsim.list_archs())


def test_shows_arch_show_every_value_with_its_provenance_and_source():
    arch = lsim.load_arch("lt-b-4bit")
    shown = json.loads(call("arch", "show", "lt-b-4bit", "--json").stdout)
    assert list(shown) == ["name", "description", "sha256", "parameters", "devices_sha256", "devices"]
    assert (shown["sha256"], shown["devices_sha256"]) == (arch.sha256, arch.devices_sha256)
    assert [tuple(row.values()) for row in shown["devices"]] == [
        tuple(row) for row in arch.describe_devices()
    ]
    assert [tuple(row.values()) for row in shown["parameters"]] == [tuple(row) for row in arch.describe()]
    words = " ".join(call("arch", "show", "lt-b-4bit").stdout.split())
    for row in (*arch.describe(), *arch.describe_devices()):
        assert f"{row.key} {row.value} [{row.provenance}]" in words
    assert all(meaning in words for meaning in PROVENANCE.values())


# -- names of layers -----------------------------------------------------------------------------------------------
def test_are_operators_of_equal_layers_taken_together():
    assert layerless("layers.12.attn.qk") == "layers.*.attn.qk"
    assert layerless("layer12.qk") == "layer12.qk"
    result = lsim.simulate(lsim.load_trace("deit-tiny"), lsim.load_arch("lt-b-4bit"))
    groups = grouped(result.operators)
    assert sum(group.count for group in groups) == len(result.operators)
    assert sum(group.ticks for group in groups) == sum(run.end - run.start for run in result.operators)
    assert {group.count for group in groups} == {1, 12}


# -- processes -----------------------------------------------------------------------------------------------------
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


# -- progress ------------------------------------------------------------------------------------------------------
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
