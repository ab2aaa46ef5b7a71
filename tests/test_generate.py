"""Is a generation the sum of its steps, each replayed alone?"""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from generations import COARSE, FAMILIES, FULL, SLACK, generation
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reference import run as run_reference
from small import machine
from strategies import Machine, coarse_machines, slack_machines, tight_machines

import lsim
from lsim.cli import cli
from lsim.errors import InputError
from lsim.results import generation_tables
from lsim.results.energy.bill import Bill
from lsim.results.generation import GenerationResult
from lsim.results.result import Result
from lsim.results.tally import Tally
from lsim.trace.generation import check
from lsim.trace.zoo import generate as zoo
from lsim.trace.zoo.schedule import scheduled


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    st.one_of(coarse_machines(), tight_machines(), slack_machines()),
    st.sampled_from(["llama", "grouped", "gpt2"]),
    st.integers(1, 20),
    st.integers(1, 9),
    st.sampled_from(["barrier", "chunked"]),
    st.sampled_from([None, "head-parallel", "m1-stationary"]),
)
def test_is_every_step_the_run_of_its_trace_alone(
    machine: Machine, family: str, prompt: int, new: int, deps: str, mapping: str | None
) -> None:
    steps = generation(family, prompt, new)
    try:
        result = lsim.simulate_generation(steps, machine.arch, deps=deps, mapping=mapping)
    except InputError:
        assume(False)
    same_as_alone(result, fold=True, deps=deps, mapping=mapping)


@pytest.mark.parametrize(
    ("arch", "step"),
    [("lt-b-4bit", "block"), ("lt-b-4bit", "shot"), ("mrr-bank-4bit", "block"), ("mzi-mesh-8bit", "block")],
)
def test_are_sums_those_of_the_runs_on_machines_of_each_kind(arch: str, step: str) -> None:
    result = lsim.simulate_generation(generation("grouped", 40, 12), lsim.load_arch(arch), step=step)
    one_more_column_is_one_more_shot = result.arch.core.columns == 1
    assert (len(result.simulated) < 12) is not one_more_column_is_one_more_shot
    same_as_alone(result, step=step)


@pytest.mark.parametrize("fold", [True, False])
def test_do_folding_and_steps_left_out_change_nothing(fold: bool) -> None:
    arch = machine(**COARSE)
    result = lsim.simulate_generation(generation("grouped", 12, 10), arch, fold=fold)
    assert len(result.simulated) == 10 if not fold else 2 < len(result.simulated) < 10
    same_as_alone(result, fold=not fold)


# Machines whose rings are full, or whose HBM takes longer and nobody notices; what says that a step is alike there all the same.
ALIKE = [(FULL, 12, 16, "same_needs"), (SLACK, 19, 12, "can_tell")]


@pytest.mark.parametrize("family", ["llama", "grouped", "gpt2"])
@pytest.mark.parametrize(("settings", "prompt", "new", "check"), ALIKE, ids=["full", "slack"])
def test_are_sums_those_of_the_runs_where_it_takes_more_to_be_alike(
    settings: dict[str, str], prompt: int, new: int, check: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, arch = generation(family, prompt, new), machine(**settings)
    result = lsim.simulate_generation(steps, arch)
    same_as_alone(result)
    monkeypatch.setattr(f"lsim.parts.alike.{check}", lambda *_: False)
    assert len(result.simulated) < len(lsim.simulate_generation(steps, arch).simulated)


def same_as_alone(result: GenerationResult, **options: object) -> None:
    """Whether steps are as their traces are, and follow each other."""
    start, runs = 0, []
    for number, step in enumerate(result.steps):
        alone = lsim.simulate(result.generation.trace(number), result.arch, **options)  # type: ignore[arg-type]
        runs.append(alone)
        tiles: dict[str, int] = {}
        for causes in alone.tiles().values():
            for cause, ticks in causes.items():
                tiles[cause] = tiles.get(cause, 0) + ticks
        assert (step.start, step.ticks, step.macs) == (start, alone.ticks, alone.macs)
        assert {cause: ticks for cause, ticks in step.tiles.items() if ticks} == {
            c: t for c, t in tiles.items() if t
        }
        start += alone.ticks
    assert result.ticks == start
    assert sum(result.sums.causes.values()) == result.ticks * result.arch.core.tiles
    same_sums(result, result.energy(), result.sums, runs)
    for phase, tally in result.phases.items():
        mine = [run for run, step in zip(runs, result.steps, strict=True) if step.phase == phase]
        same_sums(result, result.energy(phase), tally, mine)


def same_sums(result: GenerationResult, energy: Bill, tally: Tally, runs: list[Result]) -> None:
    """Whether sums over steps, those left out included, are the sums of their runs."""
    amounts: Counter[str] = Counter()
    parts: dict[str, Counter[str]] = {}
    energies: dict[str, Fraction] = {}
    tiles: dict[str, Fraction] = {}
    for run in runs:
        amounts.update(run.statistics.amounts)
        for name, part in run.parts().items():
            parts.setdefault(name, Counter()).update({"busy": part.busy, "idle": part.idle, **part.waiting})
        for name, share in run.energy().components.items():
            for what, pj in {"dynamic": share.dynamic, "useful": share.useful, **share.dark}.items():
                energies[f"{name} {what}"] = energies.get(f"{name} {what}", Fraction(0)) + pj
        for name, tile in run.energy().tiles.items():
            tiles[name] = tiles.get(name, Fraction(0)) + tile.total
    assert tally.ticks == sum(run.ticks for run in runs)
    assert {name: n for name, n in tally.amounts.items() if n} == {
        name: n for name, n in amounts.items() if n
    }
    told = {name: {"busy": p.busy, "idle": p.idle, **p.waiting} for name, p in tally.parts().items()}
    assert {name: {k: n for k, n in one.items() if n} for name, one in told.items()} == {
        name: {k: n for k, n in one.items() if n} for name, one in parts.items()
    }
    found = {
        f"{name} {what}": pj
        for name, share in energy.components.items()
        for what, pj in {"dynamic": share.dynamic, "useful": share.useful, **share.dark}.items()
    }
    assert {k: v for k, v in found.items() if v} == {k: v for k, v in energies.items() if v}
    assert {name: tile.total for name, tile in energy.tiles.items()} == tiles
    assert energy.total_pj == sum((run.energy().total_pj for run in runs), Fraction(0))
    cores = result.arch.core.tiles * result.arch.core.cores * tally.ticks
    assert tally.utilization(result.arch)["core_busy"] == pytest.approx(amounts["core_shots"] / cores)


@pytest.mark.parametrize("settings", [COARSE, SLACK])
def test_is_a_generation_the_sum_of_the_steps_of_the_reference(settings: dict[str, str]) -> None:
    steps, arch = generation("llama", 7, 9), machine(**settings)
    result = lsim.simulate_generation(steps, arch)
    assert len(result.simulated) < 9
    runs = [run_reference(steps.trace(number), arch) for number in range(9)]
    assert [step.ticks for step in result.steps] == [run.ticks for run in runs]
    busy: Counter[str] = Counter()
    for run in runs:
        for part, spans in run.intervals.items():
            busy[part] += sum(end - begin for begin, end, label in spans if label == "busy")
    assert {part: time.busy for part, time in result.parts().items() if part in busy} == busy


def test_what_are_the_three_numbers_of_a_generation() -> None:
    steps, arch = generation("llama", 5, 4, batch=3), machine(**COARSE)  # a tick is 1 ns
    result = lsim.simulate_generation(steps, arch)
    ticks = [lsim.simulate(steps.trace(number), arch).ticks for number in range(4)]
    assert result.tokens == 3 * 4
    assert result.time_to_first_token == pytest.approx(ticks[0] * 1e-9)
    assert result.time_per_output_token == pytest.approx(sum(ticks[1:]) / 3 * 1e-9)
    assert result.tokens_per_second == pytest.approx(12 / (sum(ticks) * 1e-9))
    assert lsim.simulate_generation(generation("llama", 5, 1), arch).time_per_output_token is None


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("traces") / "g.jsonl"
    call("trace", "make", "gpt2", "--phase", "generate", "--prompt", "4", "--new", "3", "-o", str(path))
    return str(path)


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == code, done.output
    return done.output


def test_does_the_command_say_what_python_says(file: str) -> None:
    told = json.loads(call("run", file, "--arch", "lt-b-4bit", "--json"))
    loaded = lsim.load_workload(file)
    assert isinstance(loaded, lsim.Generation)
    result = lsim.simulate_generation(loaded, lsim.load_arch("lt-b-4bit"))
    assert {**told, "cpu_s": 0} == {**json.loads(json.dumps(result.to_dict())), "cpu_s": 0}
    assert told["generation"]["steps"]["ticks"] == [step.ticks for step in result.steps]
    report = call("run", file, "--arch", "lt-b-4bit")
    for said in ("tokens/s", "first token", "next tokens", f"{result.ticks:,}"):
        assert said in report


def test_is_a_step_alone_a_run_with_its_timeline(file: str, tmp_path: Path) -> None:
    told = json.loads(call("run", file, "--arch", "lt-b-4bit", "--json"))
    call("run", file, "--arch", "lt-b-4bit", "--only", "2", "--out", str(tmp_path / "step"))
    assert lsim.load_result(tmp_path / "step").ticks == told["generation"]["steps"]["ticks"][2]
    call("trace", "step", file, "2", "-o", str(tmp_path / "step.jsonl"))
    assert lsim.load_trace(tmp_path / "step.jsonl").macs == told["generation"]["steps"]["macs"][2]


def test_is_what_is_stored_the_same_bytes_each_time(file: str, tmp_path: Path) -> None:
    for name in "ab":
        call("run", file, "--arch", "lt-b-4bit", "--quiet", "--out", str(tmp_path / name))
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["arch.yaml", "manifest.json", "result.json", "sums.json", "trace.jsonl"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_is_a_result_read_back_what_was_told(file: str, tmp_path: Path) -> None:
    told = json.loads(call("run", file, "--arch", "lt-b-4bit", "--mapping", "head-parallel", "--ideal", "hbm", "--out", str(tmp_path / "r"), "--json"))  # fmt: skip
    again = lsim.load_generation_result(tmp_path / "r")
    assert {**json.loads(json.dumps(again.to_dict())), "cpu_s": told["cpu_s"]} == told
    again.check()


def test_is_a_folder_refused_that_is_not_whole_or_of_another_kind(file: str, tmp_path: Path) -> None:
    call("run", file, "--arch", "lt-b-4bit", "--quiet", "--out", str(tmp_path / "r"))
    with pytest.raises(InputError, match="is of a generation, which has no timeline"):
        lsim.load_result(tmp_path / "r")
    assert "is of a generation" in call("inspect", str(tmp_path / "r"), code=2)
    (tmp_path / "r" / "sums.json").write_text("{}")
    with pytest.raises(InputError, match="is not the file that this result was written with"):
        lsim.load_generation_result(tmp_path / "r")
    call("run", file, "--arch", "lt-b-4bit", "--only", "1", "--quiet", "--out", str(tmp_path / "step"))
    with pytest.raises(InputError, match=r"is of one run and no generation: lsim.load_result reads it"):
        lsim.load_generation_result(tmp_path / "step")


def test_says_a_report_what_a_schedule_leaves_unread_and_which_masks_are_not_counted(tmp_path: Path) -> None:
    """Request b reads 9 tokens of a prompt of 100, in two chunks, and gets no token."""
    path = made(
        tmp_path,
        {"steps": 1, "requests": {"a": 8, "b": 4}, "prompts": {"b": 100}},
        {"steps": 1, "requests": {"a": 1, "b": 5}},
    )
    text = " ".join(call("run", path, "--arch", "lt-b-4bit", "--skip-masked", "64").split())
    assert "bands of 64 queries cut nothing" in text
    assert "One without a new token has not read all of its prompt." in text
    assert "chunks of prompts are dense over their cache, and what is masked of them is not counted" in text
    assert "simulation every step;" in text
    told = json.loads(call("run", path, "--arch", "lt-b-4bit", "--json"))["generation"]["requests"]
    assert told["a"]["tokens"] == 2
    assert told["b"] == {
        "tokens": 0, "start": 0, "end": None, "time_to_first_token": None, "time_per_output_token": None,
    }  # fmt: skip


def made(tmp_path: Path, *lines: dict[str, object]) -> str:
    """The file of a generation by GPT-2 with such a schedule."""
    schedule, path = tmp_path / "s.jsonl", str(tmp_path / "g.jsonl")
    schedule.write_text("\n".join(map(json.dumps, ({"lsim_schedule": 1, "name": "s"}, *lines))))
    call("trace", "make", "gpt2", "--phase", "generate", "--schedule", str(schedule), "-o", path)
    return path


MANY_OF_ONE = re.compile(r"(?<![\w.,])1 (?:new |more )?[a-z]+s\b")


def test_is_one_of_anything_singular_in_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(zoo.FAMILIES, "gpt2", lambda: FAMILIES["gpt2"])  # type: ignore[misc]
    one = {"steps": 1, "requests": {"a": 1}}
    path = made(tmp_path, one)
    small = ["--set", "core.tiles=1", "--set", "broadcast.groups=1"]
    said = call("trace", "show", path) + call("run", path, "--arch", "lt-b-4bit", *small)
    assert "1 request in 1 step of continuous batches" in said
    assert "1 new token over the time" in said
    assert "(mean of 1 tile)" in said
    requests: list[dict[str, object]] = [
        {"steps": 1, "requests": {f"r{i}": 2}} for i in range(generation_tables.REQUESTS + 1)
    ]
    report = call("run", made(tmp_path, *requests), "--arch", "lt-b-4bit")
    assert "and 1 more phase, see" in report
    assert "and 1 more request, see" in report
    path = str(tmp_path / "one.jsonl")
    call("trace", "make", "gpt2", "--phase", "generate", "--prompt", "1", "--new", "1", "-o", path)
    said += report + call("trace", "show", path)
    assert "1 new token after a prompt of 1" in said
    assert not MANY_OF_ONE.findall(said)


REFUSED = {
    "is one trace and has no steps": ["run", "deit-tiny", "--arch", "lt-b-4bit", "--only", "1"],
    "--only: has no step 3: its steps are 0 to 2": ["run", "FILE", "--arch", "lt-b-4bit", "--only", "3"],
    "one trace is asked for": ["estimate", "FILE", "--arch", "lt-b-4bit"],
    "is one trace": ["trace", "step", "deit-tiny", "0", "-o", "x"],
    "--prompt: is missing": ["trace", "make", "gpt2", "--phase", "generate", "--new", "3"],
    "--new: is missing": ["trace", "make", "gpt2", "--phase", "generate", "--prompt", "3"],
    "takes the name of one model": ["trace", "make", "--phase", "generate", "--prompt", "3", "--new", "3"],
    "did you mean 'gpt2'": ["trace", "make", "gpt", "--phase", "generate", "--prompt", "3", "--new", "3"],
    "add --phase generate": ["trace", "make", "deit-tiny", "--new", "3"],
    "`lsim trace step` writes": ["trace", "show", "FILE", "--graph", "x.svg"],
}


@pytest.mark.parametrize("said", REFUSED)
def test_is_a_wrong_wish_refused_in_a_line(said: str, file: str) -> None:
    output = call(*(file if word == "FILE" else word for word in REFUSED[said]), code=2)
    assert said in output
    assert len(output.splitlines()) == 1


@pytest.mark.slow
def test_is_most_of_a_generation_of_512_tokens_by_7b_not_simulated(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    call(
        "trace",
        "make",
        "llama-2-7b",
        "--phase",
        "generate",
        "--prompt",
        "512",
        "--new",
        "512",
        "-o",
        str(path),
    )
    assert path.stat().st_size < 1_000_000
    loaded = lsim.load_workload(path)
    assert isinstance(loaded, lsim.Generation)
    result = lsim.simulate_generation(loaded, lsim.load_arch("lt-b-4bit"))
    assert len(result.steps) == 512
    assert len(result.simulated) < 256
    for number in (1, 200, 511):
        assert result.steps[number].ticks == lsim.simulate(loaded.trace(number), result.arch).ticks


def test_are_the_steps_of_one_generation_those_of_its_model() -> None:
    made = check(zoo.generation("gpt2", 4, 3))
    assert [step.name for step in made.steps] == ["prefill.0", "decode.0", "decode.1"]


def test_when_does_each_request_get_its_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(zoo.FAMILIES, "small", lambda: FAMILIES["grouped"])  # type: ignore[arg-type]
    lines = [
        {"lsim_schedule": 1, "name": "s"},
        {"steps": 1, "requests": {"a": 6}},  # a: 1 token
        {"steps": 2, "requests": {"a": 1, "b": 4}, "prompts": {"b": 11}},  # a: 2 more, b none
        {"steps": 1, "requests": {"b": 3}},  # a pauses; b: its first
        {"steps": 2, "requests": {"a": 1, "b": 1}},
        {"steps": 1, "requests": {"c": 9}, "prompts": {"c": 10}},  # c never gets one
    ]
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    steps = check(scheduled("small", path))
    arch = machine(**COARSE)  # a tick is 1 ns
    result = lsim.simulate_generation(steps, arch)
    ticks = [lsim.simulate(steps.trace(number), arch).ticks for number in range(7)]
    ends = [sum(ticks[: number + 1]) for number in range(7)]
    assert {name: (r.start, r.first, r.end, r.tokens) for name, r in result.requests.items()} == {
        "a": (0, ends[0], ends[5], 5),
        "b": (ends[0], ends[3], ends[5], 3),
        "c": (ends[5], None, None, 0),
    }
    assert result.tokens == 8
    told = json.loads(json.dumps(result.to_dict()))["generation"]
    assert told["requests"]["b"]["time_to_first_token"] == pytest.approx((ends[3] - ends[0]) * 1e-9)
    assert told["requests"]["b"]["time_per_output_token"] == pytest.approx((ends[5] - ends[3]) / 2 * 1e-9)
    assert told["requests"]["a"]["time_per_output_token"] == pytest.approx((ends[5] - ends[0]) / 4 * 1e-9)
    assert sum(phase["tokens"] for phase in told["phases"].values()) == told["tokens"]
    assert result.time_to_first_token == pytest.approx(ends[0] * 1e-9)


def test_is_the_first_token_that_of_the_last_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(zoo.FAMILIES, "small", lambda: FAMILIES["grouped"])  # type: ignore[arg-type]
    lines = [
        {"lsim_schedule": 1, "name": "s"},
        {"steps": 3, "requests": {"a": 4}, "prompts": {"a": 12}},
        {"steps": 2, "requests": {"a": 1}},
    ]
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    result = lsim.simulate_generation(check(scheduled("small", path)), machine(**COARSE))
    ticks = [step.ticks for step in result.steps]
    assert result.time_to_first_token == pytest.approx(sum(ticks[:3]) * 1e-9)
    assert result.time_per_output_token == pytest.approx(sum(ticks[3:]) / 2 * 1e-9)
    assert result.tokens == 3
    same_as_alone(result)
