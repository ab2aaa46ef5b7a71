"""Does a machine of a single real part take the ticks that a formula says? Sizes divide evenly; the formulas are written here."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import gemm, layers, linear, machine, only, trace, vector

from lsim import Result, load_arch, load_trace, simulate
from lsim.arch import IDEALS
from lsim.trace import Kind

# The small machine: R = 4 rows a pass, Nv = 2 columns, 2 deep a step, 8 deep a chunk; times in ticks of 1 ns.
R, NV, STEP, CHUNK = 4, 2, 2, 8
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))


def up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def shots(rows: int, depth: int, columns: int) -> int:
    """Shots of one core: row passes × column blocks × steps, each chunk's rounded up."""
    chunks = [min(CHUNK, depth - at) for at in range(0, depth, CHUNK)]
    return up(rows, R) * up(columns, NV) * sum(up(k, STEP) for k in chunks)


def core_ticks(result: Result) -> int:
    return result.parts()["core"].busy


@given(SIZES)
@settings(max_examples=40)
def test_is_a_gemm_alone_as_long_as_its_shots(sizes: tuple[int, int, int]) -> None:
    assert simulate(linear(*sizes), machine(IDEALS)).ticks == shots(*sizes)


@pytest.mark.parametrize(
    ("heads", "rows", "depth", "columns"), [(1, 8, 8, 4), (3, 4, 16, 2), (2, 12, 24, 10)]
)
def test_do_heads_take_their_turns(heads: int, rows: int, depth: int, columns: int) -> None:
    """Sizes that divide evenly: ⌈N1/R⌉·⌈N2/Nv⌉·H·Σ⌈k/(C·Nλ)⌉."""
    result = simulate(trace(gemm("q", "k", "s", rows, depth, columns, heads)), machine(IDEALS))
    assert result.ticks == heads * (rows // R) * (columns // NV) * (depth // STEP)


@pytest.mark.parametrize("conversion", [1, 2, 3, 7])
def test_does_a_shot_that_is_not_integrated_take_a_conversion(conversion: int) -> None:
    """The first sample is taken after its shot; each next one a conversion later."""
    arch = only(
        "adc", readout__integrate="1", readout__conversion=f"{conversion} ticks", readout__latency="0 ticks"
    )
    assert core_ticks(simulate(linear(8, 8, 8), arch)) == 1 + (shots(8, 8, 8) - 1) * conversion


@pytest.mark.parametrize(("integrate", "conversion"), [(1, 5), (2, 3), (2, 5), (4, 3), (4, 9)])
def test_does_a_block_of_four_steps_take_its_samples(integrate: int, conversion: int) -> None:
    """Groups of A shots, one sample each: a group takes the longer of its shots and a conversion, the very first its shots."""
    arch = only(
        "adc",
        readout__integrate=str(integrate),
        readout__conversion=f"{conversion} ticks",
        readout__latency="0 ticks",
    )
    groups = shots(8, 8, 8) // integrate
    assert core_ticks(simulate(linear(8, 8, 8), arch)) == integrate + (groups - 1) * max(
        integrate, conversion
    )


@pytest.mark.parametrize(("port", "feed"), [("1 B", 8), ("2 B", 4), ("3 B", 3), ("4 B", 2), ("8 B", 1)])
@pytest.mark.parametrize("side", ["m1", "m2"])
def test_does_a_narrow_port_set_the_pace(side: str, port: str, feed: int) -> None:
    """A step's 2 × 2 operands of 1 B over a port of p B an SRAM cycle of 2 ticks: ⌈4·2/p⌉ ticks a shot."""
    arch = only("feed", **{f"{side}_sram__port": port})
    assert simulate(linear(8, 8, 8), arch).ticks == shots(8, 8, 8) * feed


def test_is_an_operand_that_stays_not_fed_again() -> None:
    """Chunks of one step: all blocks of a row pass but the first leave M1 out."""
    arch = only("feed", m1_sram__port="1 B")
    assert simulate(linear(8, 2, 8), arch).ticks == 2 * (8 + 3)


@pytest.mark.parametrize("readout", [0, 11])
@pytest.mark.parametrize("propagation", [0, 5])
def test_does_the_last_result_come_through_readout_and_waveguide(readout: int, propagation: int) -> None:
    arch = only(
        "adc",
        "broadcast",
        readout__latency=f"{readout} ticks",
        broadcast__propagation=f"{propagation} ticks",
        readout__conversion="1 tick",
    )
    assert simulate(linear(8, 8, 8), arch).ticks == shots(8, 8, 8) + readout + propagation


@given(st.integers(1, 30), st.integers(1, 12), st.sampled_from([1, 4, 16]), st.sampled_from([1, 3]))
@settings(max_examples=40)
def test_does_the_dpu_take_its_cycles(rows: int, columns: int, lanes: int, cycles: int) -> None:
    """A piece is the rows of a pass that fit a slot of 16 B; each takes ⌈elements·cycles/lanes⌉ DPU cycles of 2 ticks."""
    arch = only("dpu", dpu__lanes=str(lanes), dpu__softmax=str(cycles))
    fit = 16 // columns
    passes = [min(R, rows - at) for at in range(0, rows, R)]
    pieces = [min(fit, n - at) * columns for n in passes for at in range(0, n, fit)]
    expected = sum(2 * up(elements * cycles, lanes) for elements in pieces)
    assert simulate(trace(vector(Kind.SOFTMAX, ["x"], "y", rows, columns)), arch).ticks == expected


def test_does_a_row_longer_than_a_slot_take_two_sweeps() -> None:
    """40 elements: segments of 16, 16 and 8, each twice; 4 lanes, 2 ticks a cycle."""
    arch = only("dpu", dpu__softmax="1")
    assert simulate(trace(vector(Kind.SOFTMAX, ["x"], "y", 3, 40)), arch).ticks == 3 * 2 * (4 + 4 + 2) * 2


def test_does_each_operator_wait_for_its_issue() -> None:
    """Each layer is issued when the one before is done."""
    assert simulate(layers(5, 8, 8), only("dispatch", controller__issue="9 ticks")).ticks == 5 * (
        9 + shots(8, 8, 8)
    )


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_is_a_gemv_behind_its_weights_as_long_as_hbm_says(channels: int) -> None:
    """Weights of N1·D B at 1 B a tick, in pieces that take the channels in turn.

    All is asked for at tick 0, and x, a piece of D B, after the weights: it is served when the first channel has served its
    share of them, N1·D ticks. Then x takes D·channels ticks and the latency, and the passes their shots. The results of a pass,
    R B, take R·channels ticks of a channel, and as there are as many shots in a pass, R, nobody waits but for the last.
    """
    rows, depth, latency = 64, 8, 30
    passes, shots_a_pass = rows // R, depth // STEP
    arch = only(
        "hbm",
        hbm__bandwidth="1 GB/s",
        hbm__channels=str(channels),
        hbm__latency=f"{latency} ns",
        hbm__outstanding="64",
    )
    assert shots_a_pass == R and rows * depth % (16 * channels) == 0
    expected = rows * depth + depth * channels + latency + passes * shots_a_pass + R * channels
    assert simulate(linear(rows, depth, 1), arch).ticks == expected


@pytest.mark.parametrize(("rows", "depth"), [(4, 8), (64, 8), (128, 32)])
def test_is_a_stream_of_weights_bound_by_bandwidth(rows: int, depth: int) -> None:
    """One channel of 1 B a tick that never rests: four pieces of 16 B in flight are more than the latency of 30 ticks.

    x is made from an input of D B and stays, as does the result: the channel serves D + N1·D B. Then come, beside the
    bandwidth, the latency of the last piece and the 4 shots of the last chunk.
    """
    arch = only(
        "hbm",
        hbm__bandwidth="1 GB/s",
        hbm__latency="30 ns",
        hbm__outstanding="4",
        controller__m1_ahead="64 KiB",
    )
    work = trace(
        vector(Kind.ACTIVATION, ["i"], "x", depth, 1),
        gemm("w", "x", "y", rows, depth, 1),
        vector(Kind.SOFTMAX, ["y"], "z", 1, rows),
    )
    made = {operator.name: operator for operator in simulate(work, arch).operators}
    assert made["make y"].end == depth + rows * depth + 30 + CHUNK // STEP


@pytest.mark.parametrize("switch", [0, 3, 20])
@pytest.mark.parametrize(("groups", "streams"), [(2, 1), (4, 2), (4, 4)])
def test_do_groups_take_turns_on_the_streams(groups: int, streams: int, switch: int) -> None:
    """A head for each group, of as many blocks of 4 steps; whoever asked first comes first, so each group waits for all others.

    A stream serves groups/streams of them in turn: all their blocks, and a switch before each but the very first. With a stream
    for each group nobody waits or switches.
    """
    arch = only("broadcast", core__tiles="4", broadcast__groups=str(groups), broadcast__streams=str(streams),
                broadcast__switch=f"{switch} ticks", broadcast__propagation="0 ticks", m2_sram__slot=f"{16 * groups} B")  # fmt: skip
    result = simulate(trace(gemm("q", "k", "s", 8, 8, 8, groups)), arch, mapping="head-parallel")
    blocks = up(8, 4 // groups * 2) * 4 * groups // streams
    switches = 0 if groups == streams else blocks - 1
    assert result.ticks == blocks * 4 + switches * switch


@pytest.mark.parametrize(("lanes", "softmax"), [(2, 32), (4, 16), (8, 8), (16, 4)])
def test_does_a_softmax_follow_its_gemm_pass_by_pass(lanes: int, softmax: int) -> None:
    """4 passes of 16 shots, and the DPU's time for the 32 elements of each: under barriers one after the other, chunked as a
    pipeline, in which the slower sets the pace."""
    arch = only("dpu", dpu__lanes=str(lanes))
    work = trace(gemm("w", "x", "s", 16, 8, 8), vector(Kind.SOFTMAX, ["s"], "p", 16, 8))
    assert simulate(work, arch).ticks == 4 * 16 + 4 * softmax
    assert simulate(work, arch, deps="chunked").ticks == 16 + 3 * max(16, softmax) + softmax


@pytest.mark.parametrize("name", ["deit-tiny", "bert-base"])
def test_is_the_published_machine_with_all_contention_ideal_its_shots(name: str) -> None:
    """The ideal ladder's last step: LT-B, 4 tiles of 2 cores of 12 × 12 × 12, takes for each GEMM
    H·⌈N1/48⌉·⌈N2/12⌉·⌈D/24⌉ ticks, one after another (a chunk of 4 KiB is 672 deep, a whole number of steps of 24)."""
    work = load_trace(name)
    gemms = [op for op in work.operators if op.is_gemm]
    expected = sum(op.heads * up(op.rows, 48) * up(op.columns, 12) * up(op.depth, 24) for op in gemms)
    result = simulate(work, load_arch("lt-b-4bit"), ideal=IDEALS)
    assert result.ticks == expected
    assert result.utilization()["core_busy"] <= 1


HOLDING = {"core__kind": "mrr-bank", "core__columns": "1"}


@pytest.mark.parametrize("passes", [1, 2])
@given(SIZES)
@settings(max_examples=30)
def test_does_a_core_that_holds_an_operand_take_a_shot_a_column(
    passes: int, sizes: tuple[int, int, int]
) -> None:
    """Row passes × steps × columns, times the signs of what passes by."""
    rows, depth, columns = sizes
    arch = machine(IDEALS, core__passes=str(passes), **HOLDING)
    assert simulate(linear(*sizes), arch).ticks == up(rows, R) * up(depth, STEP) * columns * passes


@pytest.mark.parametrize("reload", [3, 50])
def test_is_what_a_core_holds_written_once_for_all_columns(reload: int) -> None:
    """With room for all partial sums: 2 row passes × 4 steps, each written once for 8 columns."""
    arch = only("reload", core__reload=f"{reload} ns", **HOLDING)
    assert simulate(linear(8, 8, 8), arch).ticks == 2 * 4 * (reload + 8)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_is_it_written_again_for_each_panel_of_partial_sums(slots: int) -> None:
    """An act slot of 4 B a column (2 rows of 16 bits) holds the sums of `slots` columns: 8 / slots panels."""
    arch = only(
        "reload", "capacity", "act", core__reload="9 ns", act_sram__slot=f"{4 * slots} B", global_sram__psum_staging="1 B",
        **HOLDING,
    )  # fmt: skip
    assert simulate(linear(8, 8, 8), arch).ticks == 2 * 4 * (9 * (8 // slots) + 8)


@pytest.mark.parametrize(("arch", "tiles"), [("mrr-bank-4bit", 7), ("mzi-mesh-8bit", 4)])
def test_is_a_baseline_with_all_contention_ideal_its_shots(arch: str, tiles: int) -> None:
    """H·⌈N1/(T·12)⌉·⌈D/24⌉·N2·F for each GEMM: the cycles that the released estimator counts, whole row passes and steps.

    F = 2 for a microring bank, but 1 for S·V, in which V stands still and the softmax passes by.
    """
    work, signs = load_trace("deit-tiny"), 2 if arch.startswith("mrr") else 1
    expected = 0
    for op in work.operators:
        if op.is_gemm:
            softmax = op.label == "S·V" or op.name.endswith(".sv")
            rows, columns = (op.columns, op.rows) if softmax else (op.rows, op.columns)
            expected += (
                op.heads * up(rows, tiles * 12) * up(op.depth, 24) * columns * (1 if softmax else signs)
            )
    assert simulate(work, load_arch(arch), ideal=IDEALS).ticks == expected


@pytest.mark.parametrize(("kind", "early"), [(Kind.OPAQUE, False), (Kind.SOFTMAX, True)])
def test_waits_an_opaque_operator_for_all_of_its_operand(kind: Kind, early: bool) -> None:
    """Chunked: what is not known may need any of what came before; a softmax of the same sizes begins with the first rows."""
    work = trace(gemm("w", "x", "s", 16, 8, 8), vector(kind, ["s"], "p", 16, 8))
    first, second = simulate(work, only("dpu", dpu__lanes="4"), deps="chunked").operators
    assert (second.start < first.end) == early
