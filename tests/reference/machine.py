"""Sections 3 to 8: a machine that replays a trace, on the loop of `ticks`, as `gemms` and `vectors` planned.

Default mapping only: one tile group of all tiles in lockstep, `barrier` dependencies. Every timing is worked
out here from the raw parameters of the architecture.
"""

from dataclasses import dataclass

from lsim.arch import Arch
from lsim.trace.ir import Trace
from reference import controller, dpu, moving
from reference.board import Board
from reference.cores import Cores, drain
from reference.memories import PARTS
from reference.ticks import Steps, merged


@dataclass(frozen=True)
class ReferenceResult:
    """What a run came to.

    `operators` has the tick at which the controller begins to spend issue ticks for an operator's unit, and
    the tick at which that is done. `intervals` has the ticks [start, end) in which a part or port (`gb0`,
    `hbm0`, …) is busy. `bytes` has, by part, the bytes it moves: `dma.m1`, `dma.m2` and `dpu.dma` from HBM,
    all others to or from the global SRAM (`dma.out` and `dpu.out` read there what they write to HBM). `shots`
    are those of one core.
    """

    ticks: int
    operators: dict[str, tuple[int, int]]
    intervals: dict[str, list[tuple[int, int, str]]]
    bytes: dict[str, int]
    macs: int
    shots: int


def run(trace: Trace, arch: Arch, every_tick: bool = False) -> ReferenceResult:
    """Simulate a trace; raises PlanError if the machine cannot hold it, Deadlock if it comes to a halt."""
    board = Board(trace, arch)
    cores = Cores(board)
    programs = _programs(board, cores)
    for name in PARTS:
        board.world.start(name, programs[name])
    board.world.loop(every_tick)
    board.check_conserved()
    return _result(board, cores)


def _programs(board: Board, cores: Cores) -> dict[str, Steps]:
    """The process of each part."""
    return {
        "controller": controller.issue(board),
        "retire": controller.retire(board),
        "dma.m1": moving.fetch(board, "dma.m1", moving.fetches_m1(board)),
        "dma.m1.land": moving.land(board, "dma.m1", moving.fetches_m1(board)),
        "dma.m2": moving.fetch(board, "dma.m2", moving.fetches_m2(board)),
        "dma.m2.land": moving.land(board, "dma.m2", moving.fetches_m2(board)),
        "m1": moving.fill_m1(board),
        "m2": moving.fill_m2(board),
        "core": cores.work(),
        "drain": drain(board),
        "dma.out": moving.send(board, "dma.out", moving.sent_results(board)),
        "dma.out.ack": moving.acknowledge(board, "dma.out", moving.sent_results(board)),
        "dpu.dma": moving.fetch(board, "dpu.dma", moving.fetches_dpu(board)),
        "dpu.dma.land": moving.land(board, "dpu.dma", moving.fetches_dpu(board)),
        "dpu.read": dpu.read(board),
        "dpu.lanes": dpu.lanes(board),
        "dpu.write": dpu.write(board),
        "dpu.out": moving.send(board, "dpu.out", moving.sent_pieces(board)),
        "dpu.out.ack": moving.acknowledge(board, "dpu.out", moving.sent_pieces(board)),
    }


def _result(board: Board, cores: Cores) -> ReferenceResult:
    """The outcome of a finished run."""
    spans = {name: part.busy for name, part in board.parts.items()}
    spans |= {port.name: port.services for port in board.world.ports}
    operators = {
        operator.name: (board.started[unit.index], board.done[unit.index])
        for unit in board.layout.units
        for operator in unit.operators
    }
    intervals = {name: [(*span, "busy") for span in merged(busy)] for name, busy in spans.items()}
    moved = {name: part.bytes for name, part in board.parts.items() if part.bytes}
    return ReferenceResult(board.retired, operators, intervals, moved, cores.macs, cores.shots)
