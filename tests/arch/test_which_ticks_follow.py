"""Which bytes, ticks and slots follow from the parameters? Expected values are worked by hand."""

from math import ceil

import pytest

from lsim.arch import IDEALS, UNBOUNDED, UNBOUNDED_BYTES, Arch, load_arch
from lsim.errors import ArchError

LT_B = load_arch("lt-b-4bit")
NARROW = load_arch("lt-b-4bit-narrow")


def with_(settings: dict[str, str]) -> Arch:
    return LT_B.with_settings(settings)


@pytest.mark.parametrize(
    ("name", "macs"),
    [("lt-b-4bit", 4 * 2 * 12**3), ("lt-b-8bit", 13824), ("lt-l-4bit", 27648), ("lt-l-8bit", 8 * 2 * 12**3)],
)
def test_what_is_the_peak(name: str, macs: int) -> None:
    assert load_arch(name).peak_macs_per_tick == macs


def test_how_many_ticks_is_a_cycle_of_each_clock() -> None:
    assert (LT_B.sram_cycle, LT_B.dpu_cycle, LT_B.encoder_cycle) == (10, 10, 1)


@pytest.mark.parametrize(
    ("bits", "rows", "columns", "m1", "m2"),
    [(4, 12, 12, 144, 144), (8, 12, 12, 288, 288), (4, 6, 24, 72, 288), (3, 1, 1, 9, 9), (1, 1, 3, 3, 9)],
)
def test_how_many_bytes_is_a_step(bits: int, rows: int, columns: int, m1: int, m2: int) -> None:
    arch = with_({"core.rows": f"{rows}", "core.columns": f"{columns}"})
    assert (arch.m1_step_bytes(bits), arch.m2_step_bytes(bits)) == (m1, m2)


def test_how_many_bytes_are_the_partial_sums_of_a_block() -> None:
    assert LT_B.block_bytes == 12 * 12 * 2


def test_does_a_matched_port_feed_one_shot_a_tick() -> None:
    assert LT_B.feed_interval(4, 4) == 1


def test_what_does_a_64_byte_port_cost() -> None:
    assert NARROW.feed_interval(4, 4) == ceil(144 * 10 / 64) == 23
    assert NARROW.feed_interval(8, 8) == 45
    assert NARROW.feed_interval(4, 8) == NARROW.feed_interval(8, 4) == 45, "the wider one"


def test_does_an_operand_that_does_not_change_cost_no_feed() -> None:
    arch = with_({"m1_sram.port": "64 B", "m2_sram.port": "128 B"})
    both, m1, m2, neither = (arch.feed_interval(*changes) for changes in ((4, 4), (4, 0), (0, 4), (0, 0)))
    assert (both, m1, m2, neither) == (23, 23, ceil(144 * 10 / 128), 1)


def test_does_a_slow_encoder_hold_back_only_what_changes() -> None:
    arch = with_({"encoder.sample_rate": "1 GHz"})
    assert [arch.feed_interval(m1, 0) for m1 in (4, 0)] == [5, 1]
    assert arch.feed_interval(4, 4) == 5


@pytest.mark.parametrize(("size", "channels"), [(4096, 8), (1, 8), (0, 8), (4096, 1), (2**40, 1), (12345, 3)])
def test_how_long_does_a_piece_hold_its_hbm_channel(size: int, channels: int) -> None:
    arch = with_({"hbm.channels": str(channels)})
    assert arch.hbm_ticks(size) == -(-size * 5 * 10**9 * channels // 2**40)


def test_how_long_does_the_default_piece_hold_its_hbm_channel() -> None:
    assert LT_B.hbm_ticks(4096) == -(-4096 * 5_000_000_000 // 2**40)  # one channel of 1 TiB/s


@pytest.mark.parametrize(("latency", "ticks"), [("100 ns", 500), ("100.1 ns", 501), ("1 ps", 1), ("0 ns", 0)])
def test_is_the_hbm_latency_rounded_up_to_ticks(latency: str, ticks: int) -> None:
    assert with_({"hbm.latency": latency}).hbm_latency == ticks


@pytest.mark.parametrize(
    ("size", "groups", "ticks"),
    [(0, 1, 0), (1, 1, 10), (4096, 1, 10), (4097, 1, 20), (4096, 4, 40), (64, 64, 10)],
)
def test_how_long_does_a_transaction_hold_a_bank_group(size: int, groups: int, ticks: int) -> None:
    assert with_({"global_sram.groups": str(groups)}).global_sram_ticks(size) == ticks


def test_what_do_the_staging_areas_leave_for_activations() -> None:
    assert LT_B.live_capacity == (2048 - 256 - 128 - 64 - 64 - 64) * 1024


def test_how_long_does_the_dpu_take() -> None:
    assert LT_B.dpu_ticks(3) == 30
    assert with_({"dpu.clock": "250 MHz"}).dpu_ticks(3) == 60
    assert LT_B.with_ideal(["dpu"]).dpu_ticks(3) == 0


@pytest.mark.parametrize(
    ("kind", "settings", "ticks"),
    [
        ("mzi-mesh", {}, 10_000),  # 2 µs at 5 GHz
        ("mzi-mesh", {"core.reload": "1.1 ns"}, 6),  # 5.5 ticks
        ("mrr-bank", {}, 1),  # no time to write, but its way through a matched port
        ("mrr-bank", {"m1_sram.port": "64 B"}, 23),  # 2 · 12 · 12 · 4 bits = 144 B, at 64 B in 10 ticks
    ],
)
def test_how_long_does_it_take_to_write_what_a_core_holds(
    kind: str, settings: dict[str, str], ticks: int
) -> None:
    arch = load_arch(f"{kind}-4bit").with_settings(settings)
    assert arch.reload_ticks(4) == ticks
    assert arch.with_ideal(["reload"]).reload_ticks(4) == 0
    assert LT_B.reload_ticks(4) == 0


def contention(arch: Arch) -> dict[str, list[int]]:
    """What each source costs, by the name that idealises it."""
    return {
        "hbm": [arch.hbm_latency, arch.hbm_ticks(4096), arch.hbm_outstanding],
        "gb": [arch.global_sram_ticks(4096), arch.global_sram_ports],
        "capacity": [
            arch.live_capacity, arch.m1_staging, arch.m2_staging, arch.out_staging, arch.dpu_staging,
            arch.psum_staging,
        ],
        "feed": [arch.feed_interval(4, 4)],
        "reload": [arch.reload_ticks(4)],
        "adc": [arch.conversion_ticks, arch.readout_latency],
        "broadcast": [
            arch.switch_ticks, arch.propagation_ticks, arch.broadcast_streams, arch.broadcast_fan_out,
        ],
        "act": [arch.act_slots],
        "dpu": [arch.dpu_ticks(4)],
        "dispatch": [arch.issue_ticks],
        "m1": [arch.m1_slots],
        "m2": [arch.m2_slots],
    }  # fmt: skip


def test_what_does_every_source_cost_when_real() -> None:
    assert contention(NARROW.with_settings({"broadcast.fan_out": "2"})) == {
        "hbm": [500, 19, 32],
        "gb": [10, 1],
        "capacity": [1472 * 1024, 256 * 1024, 128 * 1024, 64 * 1024, 64 * 1024, 64 * 1024],
        "feed": [23],
        "reload": [0],
        "adc": [3, 10],
        "broadcast": [10, 1, 1, 2],
        "act": [2],
        "dpu": [40],
        "dispatch": [10],
        "m1": [2],
        "m2": [2],
    }


@pytest.mark.parametrize(
    ("source", "costs"),
    {
        "hbm": [0, 0, UNBOUNDED],
        "gb": [0, UNBOUNDED],
        "capacity": [UNBOUNDED_BYTES] * 6,
        "feed": [1],
        "reload": [0],
        "adc": [0, 0],
        "broadcast": [0, 0, 2, 4],
        "act": [UNBOUNDED],
        "dpu": [0],
        "dispatch": [0],
        "m1": [UNBOUNDED],
        "m2": [UNBOUNDED],
    }.items(),
)
def test_does_idealising_a_source_free_it_and_nothing_else(source: str, costs: list[int]) -> None:
    arch = NARROW.with_settings({"broadcast.fan_out": "2"})
    assert contention(arch.with_ideal([source])) == contention(arch) | {source: costs}


def test_can_every_source_be_idealised() -> None:
    assert set(contention(LT_B)) == set(IDEALS)
    assert LT_B.with_ideal(["hbm"]).with_ideal(IDEALS).ideal == frozenset(IDEALS)


def test_what_is_said_of_a_source_that_cannot_be_idealised() -> None:
    with pytest.raises(ArchError) as error:
        LT_B.with_ideal(["hbm", "brodcast"])
    assert str(error.value) == (
        "--ideal: 'brodcast' cannot be idealised; did you mean 'broadcast'?; allowed: hbm, gb, capacity,"
        " feed, reload, adc, broadcast, act, dpu, dispatch, m1, m2"
    )
