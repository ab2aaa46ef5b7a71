"""Section 5: the DPU reads pieces, computes them in its lanes and writes them."""

from reference.board import Board
from reference.layout import up
from reference.ticks import Steps


def read(board: Board) -> Steps:
    part = board.parts["dpu.read"]
    for plan in board.vectors:
        yield from board.go["dpu.read"].take()
        for piece in plan.pieces():
            if piece.starts:
                part.reset()
            if plan.hbm_operands:
                yield from board.staged["dpu.dma"].take()
            yield from board.free["dpu in"].take()
            yield from board.memories.access(part, plan.read(piece.elements))
            board.full["dpu in"].give()
            if plan.hbm_operands:
                board.rings["dpu.dma"].give(plan.fetched(piece.elements))


def lanes(board: Board) -> Steps:
    for plan in board.vectors:
        for piece in plan.pieces():
            yield from board.full["dpu in"].take()
            if piece.writes:
                yield from board.free["dpu out"].take()
            yield from board.spend("dpu.lanes", _lane_ticks(board, piece.elements, plan.cycles))
            board.free["dpu in"].give()
            if piece.writes:
                board.full["dpu out"].give()


def write(board: Board) -> Steps:
    part = board.parts["dpu.write"]
    for plan in board.vectors:
        for piece in plan.pieces():
            if piece.starts:
                part.reset()
            if not piece.writes:
                continue
            size = plan.written(piece.elements)
            yield from board.full["dpu out"].take()
            if plan.unit.spilled:
                yield from board.rings["dpu.out"].take(size)
            yield from board.memories.access(part, size)
            board.free["dpu out"].give()
            if plan.unit.copied:
                board.out["dpu.out"].give()
        if not plan.unit.copied:
            board.finish(plan.unit)


def _lane_ticks(board: Board, elements: int, cycles: int) -> int:
    if "dpu" in board.arch.ideal:
        return 0
    return up(elements * cycles, board.arch.dpu.lanes) * (board.arch.core.clock // board.arch.dpu.clock)
