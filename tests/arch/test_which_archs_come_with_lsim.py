"""Are the architectures that come with lsim what they say, and is every value of them sourced?"""

import os
import pickle
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from lsim.arch import IDEALS, Arch, dump_arch, list_archs, load_arch
from lsim.data import data_dir

LT = ["lt-b-4bit", "lt-b-4bit-narrow", "lt-b-8bit", "lt-l-4bit", "lt-l-8bit"]
BASELINES = ["mrr-bank-4bit", "mrr-bank-8bit", "mzi-mesh-4bit", "mzi-mesh-8bit"]
NAMES = [*LT, *BASELINES]
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
    assert [difference(name) for name in LT[1:]] == [
        {"m1_sram.port": 64, "m2_sram.port": 64},
        {"operands.bits": 8},
        {"core.tiles": 8},
        {"core.tiles": 8, "operands.bits": 8},
    ]


@pytest.mark.parametrize(
    ("name", "tiles", "reload", "passes"), [("mrr-bank", 7, 0, 2), ("mzi-mesh", 4, 2 * 10**6, 1)]
)
def test_what_do_the_baselines_have_of_their_own(name: str, tiles: int, reload: int, passes: int) -> None:
    narrow, wide = load_arch(f"{name}-4bit"), load_arch(f"{name}-8bit")
    assert dict(values(wide).items() - values(narrow).items()) == {"operands.bits": 8}
    assert difference(f"{name}-4bit").keys() <= {
        "core.kind", "core.tiles", "core.columns", "core.reload", "core.passes", "broadcast.groups",
        "readout.integrate", "readout.conversion",
    }  # fmt: skip
    core = narrow.core
    assert (core.kind, core.tiles, core.reload, core.passes) == (name, tiles, reload, passes)
    assert narrow.peak_macs_per_tick == tiles * 2 * 12 * 12


def test_have_all_the_same_devices() -> None:
    assert {load_arch(name).devices_sha256 for name in NAMES} == {LT_B.devices_sha256}


@pytest.mark.parametrize("name", NAMES)
def test_does_every_value_say_where_it_comes_from(name: str) -> None:
    arch = load_arch(name)
    rows = [*arch.describe(), *arch.describe_devices()]
    keys = {*values(LT_B), *(key for key, _, _ in LT_B.device_parameters())}
    assert len(rows) == len({row.key for row in rows}) == len(keys)
    assert all(row.source.startswith(SOURCES[row.provenance]) for row in rows)
    assert all(row.value and row.doc for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_file_one_line_a_parameter(name: str) -> None:
    assert entries(f"{name}.yaml") == len(values(LT_B))


def test_is_the_file_of_devices_one_line_a_parameter() -> None:
    assert entries("devices/lt-estimator.yaml") == len(list(LT_B.device_parameters()))


def entries(file: str) -> int:
    """Lines that say all of a parameter."""
    entry = re.compile(r"  [a-z0-9_]+: \{value: [^,]+, provenance: [PRA], source: \".+\"\}")
    lines = (data_dir("arch") / file).read_text().splitlines()
    return len([line for line in lines if entry.fullmatch(line)])


@pytest.mark.parametrize("name", NAMES)
def test_does_an_architecture_written_and_read_again_stay_the_same(name: str, tmp_path: Path) -> None:
    arch = load_arch(name)
    path = tmp_path / "again.yaml"
    path.write_text(dump_arch(arch))
    assert load_arch(path) == arch
    assert dump_arch(load_arch(path)) == path.read_text() == spelled_out(name)


def spelled_out(name: str) -> str:
    """The text of the file, with the sections of the devices in place of their name."""
    folder = data_dir("arch")
    devices = (folder / "devices" / "lt-estimator.yaml").read_text()
    text = (folder / f"{name}.yaml").read_text().replace("devices: lt-estimator\n", "")
    return text + devices[devices.index("\nlaser:") :]


def test_may_an_architecture_have_devices_of_its_own_in_place_of_some_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    tia = 'tia:\n  power: {value: 2 mW, provenance: A, source: "mine"}\n  area: {value: 1 um2, provenance: A, source: "mine"}'
    path.write_text(f"{(data_dir('arch') / 'lt-b-4bit.yaml').read_text()}\n{tia}\n")
    arch = load_arch(path)
    changed = {key: value for key, _, value in arch.device_parameters()}.items() - {
        key: value for key, _, value in LT_B.device_parameters()
    }.items()
    assert dict(changed) == {"tia.power": 2, "tia.area": 1}
    assert {row.key for row in set(arch.device_assumptions) - set(LT_B.device_assumptions)} == set(
        dict(changed)
    )


def test_may_a_file_of_devices_stand_beside_an_architecture(tmp_path: Path) -> None:
    folder = data_dir("arch")
    text = (folder / "devices" / "lt-estimator.yaml").read_text().replace("value: 0.2,", "value: 0.3,")
    (tmp_path / "bright.yaml").write_text(text)
    path = tmp_path / "mine.yaml"
    path.write_text((folder / "lt-b-4bit.yaml").read_text().replace("lt-estimator", "bright.yaml"))
    assert load_arch(path).devices.laser.efficiency == Fraction(3, 10)


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
    kinds = {"core.kind", "core.reload", "core.passes"}  # which cannot change by themselves
    rows = [row for row in LT_B.describe() if row.key not in kinds]
    for row in rows:
        digests.add(LT_B.with_settings({row.key: others.get(row.key) or another(row.value)}).sha256)
    ring = {"core.kind": "mrr-bank", "core.columns": "1"}
    for of_kinds in ({}, {"core.kind": "mzi-mesh"}, {"core.reload": "1 us"}, {"core.passes": "2"}):
        digests.add(LT_B.with_settings(ring | of_kinds).sha256)
    assert len(digests) == len(rows) + 5


def test_does_every_value_of_a_device_count_in_its_own_digest_alone() -> None:
    rows = LT_B.describe_devices()
    changed = [
        LT_B.with_settings({row.key: "0.3" if row.key == "laser.efficiency" else twice(row.value)})
        for row in rows
    ]
    assert len({LT_B.devices_sha256, *(arch.devices_sha256 for arch in changed)}) == len(rows) + 1
    assert {arch.sha256 for arch in changed} == {LT_B.sha256}


def twice(value: str) -> str:
    """Another value that will do for a device."""
    number, *unit = value.split()
    return " ".join([f"{Decimal(number) * 2 + (number == '0')}", *unit])


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
    below = ("lsim.arch", "lsim.errors", "lsim.units", "lsim.widths", "lsim.data")
    assert [name for name in modules.split() if not name.startswith(below)] == []


def printed_by(script: str) -> str:
    """What a fresh Python, with another hash seed, prints."""
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
