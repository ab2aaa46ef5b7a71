"""What is said, and of which line, when a file is not exactly as declared?"""

from pathlib import Path

import pytest

from lsim.arch import load_arch
from lsim.data import data_dir
from lsim.errors import InputError

LT_B = (data_dir("arch") / "lt-b-4bit.yaml").read_text()
PARTS = (
    "core, operands, global_sram, m1_sram, m2_sram, act_sram,"
    " encoder, broadcast, readout, dpu, hbm, controller"
)
DEVICES = (
    "laser, comb, modulator, microdisk, y_branch, phase_shifter, coupler, engine, microring, mzi, photodetector, dac, adc,"
    " tia, adder, word, global_sram_macro, operand_sram_macro, act_sram_macro, buffer_macro, logic"
)


def line_of(text: str) -> int:
    """The only line of the good file that has this text."""
    (number,) = (number for number, line in enumerate(LT_B.splitlines(), 1) if text in line)
    return number


def refusal(tmp_path: Path, text: str) -> str:
    """What is said of a file with this text, the folder left out."""
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_arch(path)
    return str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  tiles: {",
            "  tils: {",
            "core.tils: unknown key 'tils'; did you mean 'tiles'?;"
            " allowed: kind, tiles, cores, rows, columns, wavelengths, clock, reload, passes",
        ),
        (
            "hbm:",
            "hbn:",
            "hbn: unknown key 'hbn'; did you mean 'hbm'?;"
            f" allowed: name, description, {PARTS}, devices, {DEVICES}",
        ),
        (
            "tiles: {value: 4,",
            "tiles: {vale: 4,",
            "core.tiles.vale: unknown key 'vale'; did you mean 'value'?; allowed: value, provenance, source",
        ),
        ("tiles: {value: 4, ", "tiles: {", "core.tiles: missing: value"),
        ("tiles: {value: 4,", "tiles: {value: four,", "core.tiles: 'four' is not a whole number"),
        ("tiles: {value: 4,", "tiles: {value: 4.5,", "core.tiles: '4.5' is not a whole number of units"),
        ("tiles: {value: 4,", "tiles: {value: ,", "core.tiles: '' is not a whole number"),
        ("tiles: {value: 4,", "tiles: {value: [4],", "core.tiles.value: a list stands where a value belongs"),
        ("tiles: {value: 4,", "tiles: {value: 0,", "core.tiles: 0 is below the least, 1"),
        (
            "tiles: {value: 4, provenance: P",
            "tiles: {value: 4, provenance: X",
            "core.tiles.provenance: 'X' is not a provenance; allowed: P, R, A",
        ),
        (
            'latency: {value: 100 ns, provenance: A, source: "',
            'latency: {value: 100 ns, provenance: A, source: ""} # "',
            "hbm.latency.source: is empty",
        ),
        (
            "latency: {value: 100 ns,",
            "latency: {value: 100,",
            "hbm.latency: '100' has no unit; allowed: ps, ns, us, ms, s",
        ),
        (
            "latency: {value: 100 ns,",
            "latency: {value: 100 Ns,",
            "hbm.latency: 'Ns' is not a unit of time; did you mean 'ns'?; allowed: ps, ns, us, ms, s",
        ),
        (
            "kind: {value: dptc,",
            "kind: {value: dtpc,",
            "core.kind: 'dtpc' is not a choice; did you mean 'dptc'?; allowed: dptc, mrr-bank, mzi-mesh",
        ),
        ("name: lt-b-4bit", "name: ''", "name: is empty"),
        (
            "sample_rate: {value: 5 GHz,",
            "sample_rate: {value: 3 GHz,",
            "encoder.sample_rate: one period of 3 GHz is 5/3 ticks of the 5 GHz photonic clock,"
            " not a whole number",
        ),
        (
            "capacity: {value: 2 MiB,",
            "capacity: {value: 512 KiB,",
            "global_sram.capacity: the staging areas, 256 KiB + 128 KiB + 64 KiB + 64 KiB + 64 KiB = 576 KiB,"
            " leave nothing of 512 KiB",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_line_that_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert refusal(tmp_path, LT_B.replace(old, new)) == f"my.yaml:{line_of(old)}: {message}"


def test_what_is_said_of_a_parameter_that_is_missing(tmp_path: Path) -> None:
    kept = [line for line in LT_B.splitlines() if not line.startswith("  switch:")]
    message = "broadcast: missing: switch"
    assert refusal(tmp_path, "\n".join(kept)) == f"my.yaml:{line_of('  streams:')}: {message}"


def test_what_is_said_of_parts_that_are_missing(tmp_path: Path) -> None:
    text = "\n".join(LT_B.split("\nhbm:")[0].splitlines())
    assert refusal(tmp_path, text) == "my.yaml:1: missing: hbm, controller"


def test_what_is_said_of_a_key_that_stands_twice(tmp_path: Path) -> None:
    line, first = "  prefetch: {value: 2, provenance: A, source: twice}", line_of("  prefetch:")
    last = len(LT_B.splitlines()) + 1
    message = f"my.yaml:{last}: controller.prefetch: 'prefetch' stands twice, first in line {first}"
    assert refusal(tmp_path, LT_B + line) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "my.yaml: is empty"),
        (
            "name",
            f"my.yaml:1: a value stands where a mapping belongs; allowed: name, description, {PARTS}, devices, {DEVICES}",
        ),
        ("? [name]\n: 1", "my.yaml:1: a list stands where a value belongs"),
        ("name: {", "my.yaml:2: not YAML: did not find expected node content"),
        ("name: a\n---\nname: b", "my.yaml:2: not YAML: but found another document"),
        (
            "name: \x07",
            "my.yaml: not YAML: unacceptable character #x0007: control characters are not allowed",
        ),
    ],
)
def test_what_is_said_of_a_file_that_is_no_architecture(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_what_is_said_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_arch(str(tmp_path / "no.yaml"))
    assert str(error.value) == f"{tmp_path}/no.yaml: cannot be read: No such file or directory"


def test_what_is_said_of_a_name_that_no_architecture_has() -> None:
    with pytest.raises(InputError) as error:
        load_arch("lt-b-4bits")
    assert str(error.value) == (
        "no architecture is named 'lt-b-4bits'; did you mean 'lt-b-4bit'?;"
        " allowed: lt-b-4bit, lt-b-4bit-narrow, lt-b-8bit, lt-l-4bit, lt-l-8bit,"
        " mrr-bank-4bit, mrr-bank-8bit, mzi-mesh-4bit, mzi-mesh-8bit"
    )


def with_devices(tmp_path: Path, reference: str, library: str | None = None) -> str:
    """What is said of a good file that names these devices, beside a file of devices with this text."""
    if library is not None:
        (tmp_path / "mine.yaml").write_text(library)
    return refusal(tmp_path, LT_B.replace("devices: lt-estimator", reference))


LIBRARY = (data_dir("arch") / "devices" / "lt-estimator.yaml").read_text()


def test_what_is_said_of_devices_that_are_not_there(tmp_path: Path) -> None:
    line = line_of("devices: lt-estimator")
    assert with_devices(tmp_path, "devices: lt-estimater") == (
        f"my.yaml:{line}: devices: no file of devices is named 'lt-estimater'; did you mean 'lt-estimator'?;"
        " allowed: lt-estimator"
    )
    assert with_devices(tmp_path, "devices: no.yaml") == "no.yaml: cannot be read: No such file or directory"
    missing = f"my.yaml:1: missing: {DEVICES}; or devices, which names a file that has them"
    assert with_devices(tmp_path, "") == missing


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\nlaser:", "\nlazer:", "lazer: unknown key 'lazer'; did you mean 'laser'?; allowed: name, description, "),
        ("loss: {value: 1.2 dB,", "loss: {value: 1.2,", "modulator.loss: '1.2' has no unit; allowed: dB"),
        ("loss: {value: 1.2 dB,", "loss: {value: 1.2 mW,", "modulator.loss: 'mW' is not a unit of loss; allowed: dB"),
        ("loss: {value: 1.2 dB,", "loss: {value: -1 dB,", "modulator.loss: -1 dB is below the least, 0 dB"),
        ("loss: {value: 1.2 dB,", "loss: {value: nan dB,", "modulator.loss: 'nan dB' is not a number with a unit"),
        ("efficiency: {value: 0.2,", "efficiency: {value: 0,", "laser.efficiency: 0 is not above 0"),
        ("efficiency: {value: 0.2,", "efficiency: {value: 1.1,", "laser.efficiency: 1.1 is above the most, 1"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_device_that_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    line = LIBRARY[: LIBRARY.index(old) + 1].count("\n") + 1
    said = with_devices(tmp_path, "devices: mine.yaml", LIBRARY.replace(old, new))
    assert said.startswith(f"mine.yaml:{line}: {message}")
