"""Does the reference do what docs/machine.md says? Every expected tick is worked out by hand in a comment.

One tick is 1 ns. The tiny machine: T=2, C=1, Nh=Nv=Nλ=2, so R=4 rows a pass and a step is 2 deep; b=8, p=16.
Global SRAM: 8 B an SRAM cycle of 2 ticks; its ports are told apart only where a test says so. HBM: 2 channels
of 4 B a tick, 5 ticks of latency. M1 and M2 slots of 16 B (a chunk is 8 deep), act slots of 16 B (q=2
blocks). Samples at least 3 ticks apart; an act unit is full latency 4 + propagation 1 = 5 ticks after its
last sample. DPU: 4 lanes, cycles of 2 ticks, slots of 16 B. Issue takes 4 ticks.
"""

from collections.abc import Mapping, Sequence

import pytest

from lsim.arch import Arch, load_arch
from lsim.errors import Deadlock, PlanError
from lsim.trace.ir import Kind, Operator, Role, Tensor, Trace
from reference import ReferenceResult, run
from reference.layout import lay_out
from reference.ticks import Channel, Port, Steps, World, merged

TINY = {
    **{"core.tiles": "2", "core.cores": "1", "core.rows": "2", "core.columns": "2", "core.wavelengths": "2"},
    **{"core.clock": "1 GHz", "operands.bits": "8 bit", "operands.partial_sum_bits": "16 bit"},
    **{"global_sram.capacity": "1 KiB", "global_sram.banks": "2", "global_sram.line": "4 B"},
    **{"global_sram.clock": "500 MHz", "global_sram.groups": "1", "global_sram.ports": "1"},
    **{"global_sram.arbitration": "fifo", "global_sram.m1_staging": "64 B", "global_sram.m2_staging": "64 B"},
    **{
        "global_sram.out_staging": "64 B",
        "global_sram.dpu_staging": "64 B",
        "global_sram.psum_staging": "64 B",
    },
    **{"m1_sram.slot": "16 B", "m1_sram.slots": "2", "m1_sram.port": "matched"},
    **{"m2_sram.slot": "16 B", "m2_sram.slots": "2", "m2_sram.port": "matched"},
    **{"act_sram.slot": "16 B", "act_sram.slots": "2", "encoder.sample_rate": "1 GHz"},
    **{"broadcast.propagation": "1 tick", "broadcast.groups": "1"},
    **{"readout.integrate": "3", "readout.conversion": "3 ticks", "readout.latency": "4 ticks"},
    **{"dpu.lanes": "4", "dpu.clock": "500 MHz", "dpu.slot": "16 B", "dpu.slots": "2"},
    **{"controller.m1_ahead": "1 KiB", "controller.m2_ahead": "1 KiB"},
    **{"dpu.softmax": "2", "dpu.norm": "1", "dpu.activation": "1", "dpu.residual": "1"},
    **{"hbm.bandwidth": "8 GB/s", "hbm.channels": "2", "hbm.latency": "5 ns", "hbm.transaction": "16 B"},
    **{
        "hbm.outstanding": "4",
        "controller.window": "8",
        "controller.issue": "4 ticks",
        "controller.prefetch": "1",
    },
}
# A region of 1 byte: everything is spilled, and the staging areas are what they are set to.
NO_REGION = {"global_sram.capacity": "321 B"}


def tiny(settings: Mapping[str, str] | None = None, ideal: Sequence[str] = ()) -> Arch:
    return load_arch("lt-b-4bit").with_settings({**TINY, **(settings or {})}).with_ideal(ideal)


def trace(*operators: Operator, kv: Sequence[str] = ()) -> Trace:
    """A trace of operators; a tensor that starts with w is a weight, one that nobody writes an input.

    A tensor is as large as the first operand or output that it is alone in.
    """
    tensors: dict[str, Tensor] = {}
    for operator in operators:
        for names, elements in _sizes(operator):
            if len(names) == 1 and names[0] not in tensors:
                tensors[names[0]] = Tensor(names[0], (elements,), _role(names[0], operator, kv))
    return Trace("test", tensors, operators)


def _sizes(operator: Operator) -> list[tuple[tuple[str, ...], int]]:
    whole = operator.heads * operator.rows * operator.columns
    m1, m2 = (
        operator.heads * operator.rows * operator.depth,
        operator.heads * operator.depth * operator.columns,
    )
    sizes = [m1, m2] if operator.is_gemm else [whole] * len(operator.operands)
    return [*zip(operator.operands, sizes, strict=True), (operator.outputs, whole)]


def _role(name: str, operator: Operator, kv: Sequence[str]) -> Role:
    if name in kv:
        return Role.KV
    if name in operator.outputs:
        return Role.ACTIVATION
    return Role.WEIGHT if name.startswith("w") else Role.INPUT


def gemm(m1: str, m2: str, out: str, rows: int, depth: int, columns: int, heads: int = 1) -> Operator:
    return Operator(f"make {out}", Kind.GEMM, ((m1,), (m2,)), (out,), heads, rows, depth, columns)


def vector(kind: Kind, operands: Sequence[str], out: str, rows: int, columns: int) -> Operator:
    read = tuple((name,) for name in operands)
    return Operator(f"make {out}", kind, read, (out,), 1, rows, 0, columns)


def busy(result: ReferenceResult, part: str) -> list[tuple[int, int]]:
    assert {label for _, _, label in result.intervals[part]} <= {"busy"}
    return [(start, end) for start, end, _ in result.intervals[part]]


def test_a_gemm_of_one_block() -> None:
    # M1 4x2 weights = 8 B, M2 2x2 = 4 B, O 4x2 = 8 B, read by nobody: spilled and copied.
    # t=0   prefetch token 0 is there: dma.m1 posts 8 B to hbm0, 8/4 = 2 ticks, [0, 2), arrives 2 + 5 = 7
    #       controller spends [0, 4), then gives go to dma.m2, m1, m2, core
    # t=4   dma.m2 posts 4 B to hbm0, [4, 5), arrives 10
    # t=7   dma.m1.land writes 8 B, one SRAM cycle, [7, 9): staged; m1 reads it [9, 11): full
    # t=10  dma.m2.land asks, the port is free at 11: [11, 13); m2 reads 4 B [13, 15): full
    # t=15  core: one step, F = 1: [15, 16), its sample at 16. The act unit is full at 16 + 5 = 21
    # t=21  drain writes 8 B [21, 23); dma.out reads them [23, 25), posts to hbm0 [25, 27). A write has no latency:
    #       ack at 27
    result = run(trace(gemm("w", "x", "o", rows=4, depth=2, columns=2)), tiny())
    assert result.ticks == 27
    assert result.operators == {"make o": (0, 27)}
    assert {part: busy(result, part) for part in result.intervals if busy(result, part)} == {
        "controller": [(0, 4)],
        "dma.m1.land": [(7, 9)],
        "dma.m2.land": [(11, 13)],
        "m1": [(9, 11)],
        "m2": [(13, 15)],
        "core": [(15, 16)],
        "drain": [(21, 23)],
        "dma.out": [(23, 25)],
        "gb0": [(7, 15), (21, 25)],
        "hbm0": [(0, 2), (4, 5), (25, 27)],
    }
    assert result.bytes == {
        **{"dma.m1": 8, "dma.m1.land": 8, "dma.m2": 4, "dma.m2.land": 4},
        **{"m1": 8, "m2": 4, "drain": 8, "dma.out": 8},
    }
    assert (result.macs, result.shots) == (4 * 2 * 2, 1)


def test_blocks_of_one_shot_run_at_one_shot_in_three() -> None:
    # N2 = 12: 6 blocks of one step; everything but the core takes no time. Samples at 1, then each 3 later
    # (the conversion): 4, 7, 10, 13, 16. Act units of 2 blocks: full at 4 + 5, 10 + 5, 16 + 5 = 21; the third
    # waits for the slot of the first, free at 9, before its first block at 10: no wait.
    ideal = ("hbm", "gb", "dispatch")
    result = run(trace(gemm("w", "x", "o", rows=4, depth=2, columns=12)), tiny(ideal=ideal))
    assert busy(result, "core") == [(0, 16)]
    assert (result.ticks, result.shots) == (21, 6)


def test_a_block_is_sampled_in_groups_of_up_to_three_shots() -> None:
    # D = 8: 4 steps, groups of 3 and 1: samples at 3 and at 3 + max(1, conversion 3) = 6. The second block
    # starts at 6: max(6 + 3, 6 + 3) = 9 and 12. Both fill one act unit: 12 + 5 = 17.
    ideal = ("hbm", "gb", "dispatch")
    result = run(trace(gemm("w", "x", "o", rows=4, depth=8, columns=4)), tiny(ideal=ideal))
    assert busy(result, "core") == [(0, 12)]
    assert (result.ticks, result.shots) == (17, 8)


def test_an_m1_port_too_narrow_is_paid_only_when_m1_changes() -> None:
    # A step has 1·2·2 = 4 B of M1, a port of 2 B a cycle takes 2 cycles = 4 ticks. One step a chunk: block 0
    # has F = 4, sample at 4; block 1 F = 1: max(4 + 1, 4 + 3) = 7. Two steps a chunk: F = 4 for all:
    # 8, then 16.
    narrow = tiny({"m1_sram.port": "2 B"}, ideal=("hbm", "gb", "dispatch"))
    one = run(trace(gemm("w", "x", "o", rows=4, depth=2, columns=4)), narrow)
    two = run(trace(gemm("w", "x", "o", rows=4, depth=4, columns=4)), narrow)
    assert (busy(one, "core"), busy(two, "core")) == ([(0, 7)], [(0, 16)])


@pytest.mark.parametrize(
    ("window", "lands"),
    [(24, [(0, 8)]), (23, [(0, 6), (7, 9)]), (16, [(0, 6), (7, 9)]), (2, [(0, 6), (7, 9)])],
)
def test_how_far_ahead_m1_is_fetched(window: int, lands: list[tuple[int, int]]) -> None:
    # N1 = 16: 4 row passes, each a load of 8 B of M1: 2 ticks to land, 2 to be read, no time for HBM or
    # issue. One M1 slot. Loads 0 and 1 land in [0, 4), m1 reads 0 in [2, 4), and its weight, 8 B or half the
    # window, is back. Load 2 lands in [4, 6). M2 is full at 4 too, so block 0 runs in [4, 5) and frees the
    # slot: m1 reads 1 in [5, 7), and load 3 lands in [7, 9). A window for three loads has it land in [6, 8).
    settings = {"controller.m1_ahead": f"{window} B", "m1_sram.slots": "1", "global_sram.ports": "8"}
    result = run(trace(gemm("w", "x", "o", rows=16, depth=2, columns=2)), tiny(settings, ("hbm", "dispatch")))
    assert busy(result, "dma.m1.land") == lands


def test_an_embedding_gathers_from_each_table() -> None:
    # Ids (an input) do not count; two tables do, each with the 8 B of the output: 16 B from HBM, 4 ticks.
    # Issue [0, 4); HBM [4, 8), 13; land 16 B [13, 17); read [17, 21); lanes 8/4 = 2 cycles [21, 25).
    tables = Operator("embed", Kind.EMBEDDING, (("ids",), ("w1",), ("w2",)), ("y",), 1, 4, 0, 2)
    sizes = {"ids": 4, "w1": 100, "w2": 20, "y": 8}
    roles = {"ids": Role.INPUT, "y": Role.ACTIVATION}
    tensors = {name: Tensor(name, (size,), roles.get(name, Role.WEIGHT)) for name, size in sizes.items()}
    result = run(Trace("test", tensors, (tables,)), tiny({"dpu.embedding": "1"}))
    assert busy(result, "dpu.lanes") == [(21, 25)]
    assert (result.bytes["dpu.dma"], result.bytes["dpu.read"], result.bytes["dpu.write"]) == (16, 16, 8)


def test_an_opaque_operator_reads_all_before_it_writes() -> None:
    # 40 B are read, 8 B written: 32 B are read first, in two slots of 16 B; the lanes take no time.
    # Issue [0, 4); HBM 16 B [4, 8), lands at 13..17, and so on; of three pieces only the last, of 8 B, writes.
    tensors = {"x": Tensor("x", (40,), Role.INPUT), "y": Tensor("y", (8,))}
    what = Operator("what", Kind.OPAQUE, (("x",),), ("y",), 1, 4, 0, 2)
    result = run(Trace("test", tensors, (what,)), tiny())
    assert (result.bytes["dpu.dma"], result.bytes["dpu.read"], result.bytes["dpu.write"]) == (40, 40, 8)
    assert busy(result, "dpu.lanes") == []
    ((start, end),) = busy(result, "dpu.write")
    assert start >= busy(result, "dpu.read")[-1][1]
    assert end - start == 2


def test_an_opaque_operator_reads_again_what_it_writes_more() -> None:
    tensors = {"x": Tensor("x", (3,), Role.INPUT), "y": Tensor("y", (8,))}
    what = Operator("what", Kind.OPAQUE, (("x",),), ("y",), 1, 4, 0, 2)
    result = run(Trace("test", tensors, (what,)), tiny())
    assert (result.bytes["dpu.dma"], result.bytes["dpu.read"], result.bytes["dpu.write"]) == (8, 8, 8)


def test_partial_sums_that_spill() -> None:
    # D = 16: 2 chunks of 8; N2 = 8: 4 blocks. R·D = 64 B > m1_staging 32 B: refetch. HBM bytes: keep (2 inner
    # panels) 2·64 + 128 + 32 = 288, spill (64 // 16 = 4 blocks, 1 panel) 224. Global SRAM bytes: 288 + 2·64 +
    # 128 + 32 = 576, and 224 + 64 + 128 + 32 + 2·64 = 576: a tie at 144 ticks, and spill has fewer HBM bytes.
    # M2 streams. HBM takes no time, 8 ports of the global SRAM: 16 B 4 ticks, 32 B 8 ticks, nobody waits for
    # anybody's service.
    # m1    land 16 + 16 B [0, 8); m1 reads 32 B [8, 16), which frees the ring; land [16, 24), m1 [24, 32)
    # m2    go at 4; lands 16 B units 0… [4, 8), [8, 12), …; m2 reads unit 0 [8, 12), unit 1 [12, 16)
    # core  chunk 0: 4 steps a block, 3 + 3 ticks: [16, 22) [22, 28) [28, 34) [34, 40)
    # m2    units 2… once a slot is free: [22, 26) [28, 32) [34, 38) [40, 44), each before its block
    # drain unit 0 full at 28 + 5: 2 blocks of psum(4·2) = 16 B: 32 B [33, 41); unit 1 full at 45: [45, 53)
    # core  chunk 1 waits for the act slot until 41: [41, 47) [47, 53), unit 2 full at 58; for the other until
    #       53: [53, 59) [59, 65), unit 3 full at 70
    # m2    the last two: [47, 51) [53, 57)
    # drain unit 2: reads 32 B [58, 66), writes 16 B [66, 70); unit 3: [70, 78), [78, 82)
    # out   dma.out [70, 74) and [82, 86): done
    settings = {**NO_REGION, "global_sram.m1_staging": "32 B", "global_sram.capacity": "289 B"}
    arch = tiny({**settings, "global_sram.ports": "8"}, ideal=("hbm",))
    result = run(trace(gemm("w", "x", "o", rows=4, depth=16, columns=8)), arch)
    assert busy(result, "dma.m1.land") == [(0, 8), (16, 24)]
    assert busy(result, "m1") == [(8, 16), (24, 32)]
    assert busy(result, "m2")[:3] == [(8, 16), (22, 26), (28, 32)]
    assert busy(result, "m2")[3:] == [(34, 38), (40, 44), (47, 51), (53, 57)]
    assert busy(result, "core") == [(16, 40), (41, 65)]
    assert busy(result, "drain") == [(33, 41), (45, 53), (58, 82)]
    assert busy(result, "dma.out") == [(70, 74), (82, 86)]
    assert result.operators == {"make o": (0, 86)}
    assert result.bytes == {
        **{"dma.m1": 64, "dma.m1.land": 64, "dma.m2": 128, "dma.m2.land": 128},
        **{"m1": 64, "m2": 128, "drain": 64 + 64 + 32, "dma.out": 32},
    }
    assert (result.macs, result.shots) == (4 * 16 * 8, 8 * 4)


# A softmax after an activation does not fuse: x goes through memory.
TWO_STEPS = trace(
    vector(Kind.ACTIVATION, ["i"], "x", rows=4, columns=2),
    vector(Kind.SOFTMAX, ["x"], "y", rows=4, columns=2),
)


def test_an_activation_that_spills_goes_through_hbm() -> None:
    # Both in one piece of 8 elements = 8 B: 2 ticks of the global SRAM, 2 of an HBM channel.
    # make x: issue [0, 4); dpu.dma [4, 6) + 5 = 11; land [11, 13); read [13, 15); lanes 8/4 = 2 cycles
    #   [15, 19); write [19, 21); dpu.out reads [21, 23), posts [23, 25), which is when it is done
    # make y: issue [25, 29); HBM [29, 31), 36; land [36, 38); read [38, 40); lanes 16/4 = 4 cycles [40, 48);
    #   write [48, 50); out [50, 52); HBM [52, 54): done
    result = run(TWO_STEPS, tiny(NO_REGION))
    assert result.operators == {"make x": (0, 25), "make y": (25, 54)}
    assert busy(result, "dpu.lanes") == [(15, 19), (40, 48)]
    assert busy(result, "hbm0") == [(4, 6), (23, 25), (29, 31), (52, 54)]
    assert result.bytes == dict.fromkeys(("dpu.dma", "dpu.dma.land", "dpu.read", "dpu.write", "dpu.out"), 16)
    assert result.ticks == 54


def test_an_activation_that_stays_is_not_copied() -> None:
    # make x as above, but done once written, at 21. make y: issue [21, 25), read [25, 27), lanes [27, 35),
    # write [35, 37), out [37, 39), HBM [39, 41): done.
    result = run(TWO_STEPS, tiny())
    assert result.operators == {"make x": (0, 21), "make y": (21, 41)}
    assert (result.bytes["dpu.dma"], result.bytes["dpu.out"]) == (8, 8)


def test_a_softmax_whose_row_is_longer_than_a_slot_is_swept_twice() -> None:
    # A row of 20 B > 16 B: segments of 16 and 4, twice. No time for HBM or issue, ports enough. 16 B take 4
    # ticks of the global SRAM, 4 B 2; lanes 16·2/4 = 8 cycles = 16 ticks, and 4·2/4 = 2 cycles = 4 ticks.
    # land  [0, 4) [4, 6) [6, 10) [10, 12)
    # read  [4, 8) [8, 10); both slots taken until the lanes are done: [24, 28) [28, 30)
    # lanes [8, 24) [24, 28) [28, 44) [44, 48)
    # write second sweep only: [44, 48) [48, 50); dpu.out [48, 52) [52, 54): done
    arch = tiny({"global_sram.ports": "8"}, ideal=("hbm", "dispatch"))
    result = run(trace(vector(Kind.SOFTMAX, ["i"], "y", rows=1, columns=20)), arch)
    assert busy(result, "dpu.dma.land") == [(0, 12)]
    assert busy(result, "dpu.read") == [(4, 10), (24, 30)]
    assert busy(result, "dpu.lanes") == [(8, 48)]
    assert busy(result, "dpu.write") == [(44, 50)]
    assert busy(result, "dpu.out") == [(48, 54)]
    assert (result.ticks, result.bytes["dpu.read"], result.bytes["dpu.write"]) == (54, 40, 20)


def test_a_chain_is_one_unit_and_stores_nothing_within() -> None:
    # activation then residual: operands i and j from outside, I = 2, pieces of 16·8/(8·2) = 8 elements: one;
    # 2 cycles an element. HBM 16 B: one piece, 4 ticks: [4, 8), 13; land 16 B, 4 ticks [13, 17); read
    # [17, 21); lanes 8·2/4 = 4 cycles [21, 29); write 8 B [29, 31); out [31, 33); HBM [33, 35): done.
    chain = trace(
        vector(Kind.ACTIVATION, ["i"], "x", rows=4, columns=2),
        vector(Kind.RESIDUAL, ["x", "j"], "y", rows=4, columns=2),
    )
    result = run(chain, tiny())
    assert result.operators == {"make x": (0, 35), "make y": (0, 35)}
    assert (result.bytes["dpu.read"], result.bytes["dpu.write"]) == (16, 8)


def test_a_vector_operator_overwrites_what_nobody_reads_later() -> None:
    # x and y are one place of 8 B, from unit 0 to unit 2; z has none.
    three = trace(*TWO_STEPS.operators, vector(Kind.NORM, ["y"], "z", rows=4, columns=2))
    layout = lay_out(three, tiny())
    x, y, z = layout.units
    assert x.place is y.place and x.place is not None
    assert (x.place.size, x.place.first, x.place.last) == (8, 0, 2)
    assert (x.takes, y.takes, z.takes, z.spilled, layout.peak) == (8, 0, 0, True, 8)


def test_the_region_that_nobody_uses_becomes_staging() -> None:
    # 1024 - 5·64 = 704, 8 used, 696 left: 348 each.
    layout = lay_out(TWO_STEPS, tiny())
    assert (layout.peak, layout.m1_staging, layout.m2_staging) == (8, 64 + 348, 64 + 348)


@pytest.mark.parametrize(
    ("policy", "order"),
    [("fifo", [3, 3, 1, 5]), ("priority", [3, 1, 3, 5]), ("round-robin", [3, 5, 1, 3])],
)
def test_whom_a_port_serves_next(policy: str, order: list[int]) -> None:
    # Rank 3 asks at tick 0 and is served alone until 10. Ranks 3, 1 and 5 ask meanwhile, in this order.
    port = Port("port", 1, policy)
    for tick, rank in ((0, 3), (1, 3), (2, 1), (3, 5)):
        port.post(tick, rank, 10)
        port.arbitrate(tick)
    waiting = list(port.waiting)
    for tick in range(4, 40):
        port.arbitrate(tick)
    served = sorted(waiting, key=lambda request: request.start or 0)
    assert [3, *(request.rank for request in served)] == order
    assert port.services == [(0, 10), (10, 20), (20, 30), (30, 40)]


def test_a_deadlock_says_who_waits_for_whom() -> None:
    world = World()
    pen, paper = Channel("a pen", "bob"), Channel("paper", "alice")

    def take_then_give(wanted: Channel, given: Channel) -> Steps:
        yield from wanted.take()
        given.give()

    world.start("alice", take_then_give(pen, paper))
    world.start("bob", take_then_give(paper, pen))
    with pytest.raises(Deadlock, match=r"alice waits for bob to give a pen: it needs 1 and there are 0"):
        world.loop(every_tick=False)


def test_a_unit_larger_than_its_ring_is_refused() -> None:
    with pytest.raises(PlanError, match="m1_staging"):
        settings = {**NO_REGION, "global_sram.m1_staging": "7 B", "global_sram.capacity": "264 B"}
        run(trace(gemm("w", "x", "o", rows=4, depth=2, columns=2)), tiny(settings))


ATTENTION = trace(
    gemm("wq", "x", "q", rows=6, depth=6, columns=5),
    gemm("wk", "x", "k", rows=6, depth=6, columns=5),
    gemm("q", "k", "s", rows=5, depth=6, columns=5),
    vector(Kind.SOFTMAX, ["s"], "p", rows=5, columns=5),
    gemm("p", "k", "a", rows=5, depth=5, columns=6),
    vector(Kind.RESIDUAL, ["a", "x"], "y", rows=6, columns=5),
    gemm("wo", "y", "o", rows=10, depth=6, columns=5),
    kv=["k"],
)


@pytest.mark.parametrize("settings", [{}, NO_REGION])
def test_jumping_over_quiet_ticks_changes_nothing(settings: dict[str, str]) -> None:
    arch = tiny(settings)
    jumped, stepped = run(ATTENTION, arch), run(ATTENTION, arch, every_tick=True)
    assert jumped == stepped
    assert jumped.macs == ATTENTION.macs


def test_merged_spans_neither_touch_nor_overlap() -> None:
    assert merged([(5, 7), (0, 2), (2, 3), (6, 6), (5, 6)]) == [(0, 3), (5, 7)]
