"""Section 6: the controller issues units in the order of the trace and retires them."""

from collections.abc import Iterator

from reference.board import Board, Plan
from reference.gemms import GemmPlan
from reference.layout import Unit
from reference.ticks import Steps
from reference.vectors import VectorPlan


def issue(board: Board) -> Steps:
    ticks = 0 if "dispatch" in board.arch.ideal else board.arch.controller.issue
    number = 0  # of the next GEMM with weights
    for plan in board.plans:
        unit = plan.unit
        yield from board.window.take()
        for source in _sources(board, unit):
            yield from board.until_done(source)
        yield from board.region.take(unit.takes)
        board.started[unit.index] = board.world.now
        yield from board.spend("controller", ticks)
        for name in _takers_of_go(plan):
            board.go[name].give()
        if isinstance(plan, GemmPlan) and plan.m1_weight:
            if number + board.arch.controller.prefetch < board.weights:
                board.prefetch.give()
            number += 1


def _sources(board: Board, unit: Unit) -> list[Unit]:
    """The units whose output a unit reads."""
    producer = board.layout.producer
    return [producer[tensor] for tensor in unit.reads if tensor in producer]


def retire(board: Board) -> Steps:
    places = {unit.index: unit.place for unit in board.layout.units if unit.takes and unit.place}
    for unit in board.layout.units:
        yield from board.until_done(unit)
        board.window.give()
        for place in places.values():
            if place.last == unit.index:
                board.region.give(place.size)
        board.retired = board.world.now


def _takers_of_go(plan: Plan) -> Iterator[str]:
    """The processes of a unit that take its go."""
    if isinstance(plan, VectorPlan):
        yield from ("dpu.dma", "dpu.read") if plan.hbm_operands else ("dpu.read",)
        return
    if plan.m1 != "resident" and not plan.m1_weight:
        yield "dma.m1"
    if plan.m2 != "resident":
        yield "dma.m2"
    yield from ("m1", "m2", "core")
