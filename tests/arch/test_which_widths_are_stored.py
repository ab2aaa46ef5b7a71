"""How wide is what a machine stores, and when is it another machine for that?"""

from __future__ import annotations

from pathlib import Path

import pytest

from lsim.arch import Arch, dump_arch, load_arch
from lsim.errors import ArchError, InputError

LT_B = load_arch("lt-b-8bit")
KEYS = ("operands.weight_bits", "operands.activation_bits", "operands.kv_bits")


def widths(*given: str) -> Arch:
    return LT_B.with_settings({key: f"{bits} bit" for key, bits in zip(KEYS, given, strict=True) if bits})


def test_is_everything_as_wide_as_operands_if_nothing_is_said() -> None:
    assert tuple(LT_B.operands.widths) == (8, 8, 8)
    assert not LT_B.operands.mixed
    assert not set(KEYS) & {key for key, _, _ in LT_B.parameters()}
    assert not set(KEYS) & LT_B.provenance.keys()


def test_is_each_as_wide_as_it_is_said() -> None:
    arch = widths("4", "", "16")
    assert tuple(arch.operands.widths) == (4, 8, 16)
    assert arch.operands.mixed
    assert {key: value for key, _, value in arch.parameters() if key in KEYS} == {KEYS[0]: 4, KEYS[2]: 16}


def test_says_python_it_as_the_command_line_does() -> None:
    assert load_arch("lt-b-8bit", widths="W4A8KV16") == LT_B.with_widths("W4A8KV16") == widths("4", "8", "16")
    with pytest.raises(ArchError, match="--widths: 'W5'"):
        load_arch("lt-b-8bit", widths="W5")


def test_is_it_the_same_machine_if_a_width_is_given_that_it_had() -> None:
    """Ticks follow from how wide things are, not from who says so; at another width it is another machine."""
    assert widths("8", "8", "8").sha256 == widths("8", "", "").sha256 == LT_B.sha256
    digests = [
        widths(*given).sha256 for given in (("4", "", ""), ("", "4", ""), ("", "", "4"), ("4", "4", "4"))
    ]
    assert len({*digests, LT_B.sha256}) == 5


def test_says_a_width_that_was_given_what_converters_do_with_it() -> None:
    (found,) = [row for row in widths("4", "", "").replaced if row.key == KEYS[0]]
    assert (found.value, found.provenance) == ("4 bit", "A")
    assert found.source == (
        "--set in place of operands.bits: converters still resolve that, round what is stored wider and take what is stored narrower"
    )
    again = widths("4", "", "").with_settings({KEYS[0]: "16 bit"})
    assert again.provenance[KEYS[0]].source.startswith(
        "--set in place of 4 bit [A] --set in place of operands.bits"
    )


@pytest.mark.parametrize("given", [("4", "", ""), ("", "16", "4"), ("", "", "")])
def test_is_a_machine_with_widths_the_same_after_a_file(tmp_path: Path, given: tuple[str, ...]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(dump_arch(widths(*given)), encoding="utf-8")
    again = load_arch(path)
    assert (again.operands, again.sha256) == (widths(*given).operands, widths(*given).sha256)
    assert again.provenance == widths(*given).provenance


def test_is_a_width_in_a_file_refused_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        dump_arch(widths("4", "", "")).replace("weight_bits: {value: 4 bit", "weight_bits: {value: 5 bit")
    )
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "weight_bits" in text)
    with pytest.raises(InputError) as error:
        load_arch(path)
    assert (
        str(error.value)
        == f"{path}:{line}: operands.weight_bits: cannot be 5 bit; allowed: 4 bit, 8 bit, 16 bit"
    )


@pytest.mark.parametrize("key", KEYS[1:])
def test_is_a_result_refused_that_is_wider_than_its_sum(key: str) -> None:
    with pytest.raises(ArchError, match="12 bit is narrower than a result, 16 bit"):
        LT_B.with_settings({key: "16 bit", "operands.partial_sum_bits": "12 bit"})
    LT_B.with_settings({KEYS[0]: "16 bit", "operands.partial_sum_bits": "12 bit"})  # weights are no sums


@pytest.mark.parametrize("key", KEYS)
def test_must_a_step_of_the_widest_fit_a_slot(key: str) -> None:
    """2 cores · 12 · 12 values are 288 B at 8 bit and 576 B at 16."""
    slot = {"m1_sram.slot": "300 B"}
    LT_B.with_settings(slot)
    with pytest.raises(ArchError, match=r"300 B cannot hold one step: .* x 16 bit = 576 B"):
        LT_B.with_settings({**slot, key: "16 bit"})
