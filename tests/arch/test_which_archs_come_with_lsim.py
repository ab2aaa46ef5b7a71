"""Are the architectures that come with lsim what they say, and is every value of them sourced?"""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lsim.arch import IDEALS, Arch, dump_arch, list_archs, load_arch
from lsim.data import data_dir

NAMES = ["lt-b-4bit", "lt-b-4bit-narrow", "lt-b-8bit", "lt-l-4bit", "lt-l-8bit"]
LT_B = load_arch("lt-b-4bit")
SOURCES = {
    "P": "Zhu et al., Lightening-Transformer, HPCA 2024",
    "R": "released LT hardware estimator",
    "A": "lsim assumption: ",
}


def values(arch: Arch) -> dict[str, object]:
    return {key: value for key, _, value in arch.parameters()}


def difference(name: str) -> dict[str, object]:
    """What an architecture has that lt-b-4bit has not."""
    return dict(values(load_arch(name)).items() - values(LT_B).items())


def test_which_are_there() -> None:
    assert list_archs() == NAMES
    assert [load_arch(name).name for name in NAMES] == NAMES


def test_how_do_they_differ() -> None:
    assert [difference(name) for name in NAMES[1:]] == [
        {"m1_sram.port": 64, "m2_sram.port": 64},
        {"operands.bits": 8},
        {"core.tiles": 8},
        {"core.tiles": 8, "operands.bits": 8},
    ]


@pytest.mark.parametrize("name", NAMES)
def test_does_every_value_say_where_it_comes_from(name: str) -> None:
    rows = load_arch(name).describe()
    assert len(rows) == len({row.key for row in rows}) == len(values(LT_B))
    assert all(row.source.startswith(SOURCES[row.provenance]) for row in rows)
    assert all(row.value and row.doc for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_file_one_line_a_parameter(name: str) -> None:
    lines = (data_dir("arch") / f"{name}.yaml").read_text().splitlines()
    entry = re.compile(r"  [a-z0-9_]+: \{value: [^,]+, provenance: [PRA], source: \".+\"\}")
    assert len([line for line in lines if entry.fullmatch(line)]) == len(values(LT_B))


@pytest.mark.parametrize("name", NAMES)
def test_does_an_architecture_written_and_read_again_stay_the_same(name: str, tmp_path: Path) -> None:
    arch = load_arch(name)
    path = tmp_path / "again.yaml"
    path.write_text(dump_arch(arch))
    assert load_arch(path) == arch
    assert dump_arch(load_arch(path)) == path.read_text() == (data_dir("arch") / f"{name}.yaml").read_text()


def test_are_the_assumptions_those_that_lsim_makes() -> None:
    rows = [tuple(row[:2]) + (row.source,) for row in LT_B.describe() if row.provenance == "A"]
    assert [tuple(assumption) for assumption in LT_B.assumptions] == rows
    assert {"hbm.latency", "dpu.lanes", "m1_sram.port"} <= {row.key for row in LT_B.assumptions}
    assert not {"core.clock", "hbm.bandwidth"} & {row.key for row in LT_B.assumptions}


def test_does_every_value_count_in_the_digest() -> None:
    others = {
        "core.tiles": "8",
        "core.clock": "10 GHz",
        "global_sram.clock": "1 GHz",
        "global_sram.groups": "2",
        "encoder.sample_rate": "1 GHz",
        "broadcast.groups": "1",
        "dpu.clock": "1 GHz",
    }
    digests = {LT_B.sha256}
    rows = [row for row in LT_B.describe() if row.key != "core.kind"]  # the only kind there is so far
    for row in rows:
        digests.add(LT_B.with_settings({row.key: others.get(row.key) or another(row.value)}).sha256)
    assert len(digests) == len(rows) + 1


def another(value: str) -> str:
    """Another value that will do."""
    words = {"fifo": "priority", "matched": "64 B"}
    number, *unit = value.split()
    return words.get(value) or " ".join([str(int(number) + 1), *unit])


def test_does_what_is_idealised_count_in_the_digest() -> None:
    one, two = LT_B.with_ideal(["hbm", "gb"]), LT_B.with_ideal(["gb"]).with_ideal(["hbm"])
    assert one.sha256 == two.sha256 != LT_B.sha256


def test_do_names_sources_and_spelling_of_units_not_count_in_the_digest(tmp_path: Path) -> None:
    text = dump_arch(LT_B).replace("value: 2 MiB", "value: 2048 KiB").replace("name: lt-b-4bit", "name: mine")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("HPCA 2024", "elsewhere"))
    arch = load_arch(path)
    assert arch != LT_B
    assert arch.sha256 == LT_B.sha256


def test_is_the_digest_the_same_in_every_process() -> None:
    script = "from lsim.arch import *; print(load_arch('lt-b-4bit').with_ideal(IDEALS).sha256)"
    assert printed_by(script).strip() == LT_B.with_ideal(reversed(IDEALS)).sha256


def test_can_an_architecture_be_a_key_and_go_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(LT_B))
    assert copy == LT_B
    assert {LT_B: "here"}[copy] == "here"


def test_does_arch_import_nothing_above_it() -> None:
    modules = printed_by(
        "import sys, lsim.arch; print(*[name for name in sys.modules if name[:5] == 'lsim.'])"
    )
    below = ("lsim.arch", "lsim.errors", "lsim.units", "lsim.data")
    assert [name for name in modules.split() if not name.startswith(below)] == []


def printed_by(script: str) -> str:
    """What a fresh Python, with another hash seed, prints."""
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
