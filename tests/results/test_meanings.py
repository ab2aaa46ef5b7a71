"""Has every number that a command shows a meaning, and is the page of numbers what the registry says?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lsim import load_arch, load_trace, simulate, skip_masked
from lsim.cli import cli
from lsim.errors import InputError
from lsim.extract.api import from_config
from lsim.extract.config import Config
from lsim.extract.request import Phase, Request
from lsim.kernel.labels import Cause
from lsim.ledger.audit import audit
from lsim.results.ledger_rows import ALL
from lsim.results.meaning import Meaning
from lsim.results.meanings import CAUSES, MEANINGS, as_markdown, explain
from lsim.trace import save

WINDOWED = {
    "model_type": "mistral", "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2,
    "num_key_value_heads": 1, "vocab_size": 9, "sliding_window": 4,
}  # fmt: skip
EXACT = re.compile(r"-?\d+/\d+")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What every command prints as JSON, by command."""
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    traces = tmp_path_factory.mktemp("traces")
    generation, schedule = str(traces / "generation.jsonl"), traces / "schedule.jsonl"
    lines = (
        {"lsim_schedule": 1, "name": "s"},
        {"steps": 1, "requests": {"a": 4}},
        {"steps": 2, "requests": {"a": 1}},
    )
    schedule.write_text("\n".join(map(json.dumps, lines)))
    call("trace", "make", "gpt2", "--phase", "generate", "--schedule", str(schedule), "-o", generation)
    banded = str(traces / "banded.jsonl")
    windowed = from_config(Config(WINDOWED), Request(Phase.PREFILL, tokens=8))
    save(skip_masked(windowed, 3), banded)
    run = ["run", "deit-tiny", "--arch", "lt-b-4bit", "--out", folder]
    bank = ["run", "deit-tiny", "--arch", "mrr-bank-4bit", "--out", f"{folder} of a bank"]
    look = {
        "inspect --at": ["--at", "20000"],
        "inspect --blame": ["--at", "20000", "--blame", "m2"],
        "inspect --window": [],
        "inspect --bins": ["--bins", "3"],
        "inspect --waits": ["--waits", "3"],
        "inspect --energy": ["--energy"],
    }
    commands = {
        "run": run,
        "run of a bank": bank,
        "run of a quantised": ["run", "deit-tiny", "--arch", "lt-b-8bit", "--widths", "W4A8"],
        **{name: ["inspect", folder, *options] for name, options in look.items()},
        "run of a generation": ["run", generation, "--arch", "lt-b-4bit"],
        "trace show": ["trace", "show", "deit-tiny"],
        "trace show of a quantised": ["trace", "show", "deit-tiny", "--widths", "W4A8KV16"],
        "trace show of a generation": ["trace", "show", generation],
        "trace show of a band": ["trace", "show", banded],
        "trace list": ["trace", "list"],
        "estimate": ["estimate", "deit-tiny", "--arch", "lt-b-4bit", "--correct", "all"],
        "estimate of a bank": ["estimate", "deit-tiny", "--arch", "mrr-bank-4bit"],
        "estimate of a quantised": ["estimate", "deit-tiny", "--arch", "lt-b-8bit", "--widths", "W4A8"],
        "arch show of a quantised": ["arch", "show", "lt-b-8bit", "--widths", "W4A8"],
        "arch show --area": ["arch", "show", "lt-b-4bit", "--area", "--power"],
        "arch show": ["arch", "show", "lt-b-4bit"],
        "arch list": ["arch", "list"],
        "explain": ["explain"],
        "validate": ["validate", "deit-tiny", "--arch", "lt-b-4bit", "--correct", "leakage"],
    }
    told = {name: call(*arguments) for name, arguments in commands.items()}
    call("run", "deit-tiny", "--arch", "lt-b-8bit", "--deps", "chunked", "--out", f"{folder}.other")
    audited = audit(["deit-tiny"], ["lt-b-4bit"]).to_dict()
    return {**told, "diff": call("diff", folder, f"{folder}.other"), "audit": audited}


def of(command: str) -> str:
    """The command as the registry names it: the same on another machine."""
    return command.partition(" of a ")[0]


def call(*arguments: str) -> object:
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def numbers(told: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all numbers in a JSON value; the place in a list is a name too."""
    if isinstance(told, dict):
        for key, value in told.items():
            yield from numbers(value, (*path, key))
    elif isinstance(told, list):
        for i, value in enumerate(told):
            yield from numbers(value, (*path, str(i)))
    elif (isinstance(told, int | float) and not isinstance(told, bool)) or (
        isinstance(told, str) and EXACT.fullmatch(told)
    ):
        yield path


def meaning_of(command: str, path: Sequence[str]) -> Meaning | None:
    """What the number at a path of a command's JSON is; None for one that nobody has said anything of."""
    told = [list(path), ".".join(path).split(".")]  # a name may have dots in it, as `serial.drain` has
    for meaning in MEANINGS.values():
        for shown in meaning.paths:
            where, _, pattern = shown.partition(": ")
            if where == command and any(_fit(pattern.split("."), words) for words in told):
                return meaning
    return None


def _fit(patterns: Sequence[str], keys: Sequence[str]) -> bool:
    return len(patterns) == len(keys) and all(p in ("*", key) for p, key in zip(patterns, keys, strict=True))


def test_has_every_number_a_meaning(outputs: dict[str, object]) -> None:
    found = {command: list(numbers(told)) for command, told in outputs.items()}
    assert all(found[command] for command in ("run", "trace show", "inspect --at", "inspect --bins"))
    silent = [
        (command, path)
        for command, paths in found.items()
        for path in paths
        if not meaning_of(of(command), path)
    ]
    assert silent == []


def test_is_every_number_with_a_meaning_shown(outputs: dict[str, object]) -> None:
    shown = {meaning_of(of(command), path) for command, told in outputs.items() for path in numbers(told)}
    never = {name for name, meaning in MEANINGS.items() if meaning not in shown}
    rare = {f"{where}.{cause}" for where in ("tiles.*", "parts.*.waiting") for cause in Cause}
    assert never <= rare | {"energy.dark.compute"} | {f"rows.{name}" for name in ALL}


def test_would_a_new_number_be_noticed() -> None:
    assert meaning_of("run", ("parts", "dma.m1.land", "busy")) is MEANINGS["parts.*.busy"]
    assert meaning_of("run", ("parts", "core", "busier")) is None
    assert meaning_of("inspect --at", ("parts", "core", "busy")) is None
    assert meaning_of("run", ("tiles", "tile0")) is None


def test_has_every_cause_a_meaning() -> None:
    assert set(CAUSES) == set(Cause)
    assert {f"tiles.*.{cause}" for cause in Cause} <= MEANINGS.keys()


def test_is_the_page_of_numbers_what_the_registry_says() -> None:
    assert (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8") == as_markdown()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ticks", ["ticks"]),
        ("tiles.*.edge", ["tiles.*.edge"]),
        ("tiles.tile3.edge", ["tiles.*.edge"]),
        ("parts.dma.m1.land.busy", ["parts.*.busy"]),
        ("core_busy", ["utilization.core_busy"]),
        ("edge", ["tiles.*.edge", "parts.*.waiting.edge"]),
    ],
)
def test_by_which_names_is_a_number_found(name: str, meant: list[str]) -> None:
    assert [meaning.name for meaning in explain(name)] == meant


def test_is_an_unknown_number_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(InputError, match=r"did you mean 'utilization\.core_busy'"):
        explain("utilisation.core_busy")


def test_is_every_number_of_a_run_explained_by_its_path() -> None:
    told = simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit")).to_dict()
    told["operators"] = {run["name"]: run for run in told["operators"][:3]}

    def paths(content: Any, path: str) -> Iterator[str]:
        if isinstance(content, dict):
            for key, value in content.items():
                yield from paths(value, f"{path}.{key}" if path else key)
        elif isinstance(content, int | float) and not isinstance(content, bool):
            yield path

    for path in paths(told, ""):
        assert len(explain(path)) == 1, path
