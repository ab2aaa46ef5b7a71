"""Section 4 and the ways out of section 5: units come in from HBM and go out to it, and SRAMs are filled."""

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from reference.board import Board
from reference.gemms import Transfer
from reference.layout import Unit
from reference.ticks import Channel, Steps


class Fetch(NamedTuple):
    """A unit to bring in from HBM; `go` is the channel of the token to take first, if any."""

    size: int
    starts: bool
    window_takes: int
    go: Channel | None


class Sent(NamedTuple):
    """A unit to send out to HBM; `last` of its operator."""

    unit: Unit
    size: int
    starts: bool
    last: bool


def fetches_m1(board: Board) -> Iterator[Fetch]:
    """What dma.m1 brings in, in order."""
    for plan in board.gemms:
        go = board.prefetch if plan.m1_weight else board.go["dma.m1"]
        first = True
        for unit in plan.m1_units():
            if unit.fetched:
                yield Fetch(unit.size, unit.starts, unit.window_takes, go if first else None)
                first = False


def fetches_m2(board: Board) -> Iterator[Fetch]:
    """What dma.m2 brings in, in order."""
    for plan in board.gemms:
        first = True
        for unit in plan.m2_units():
            if unit.fetched:
                go = board.go["dma.m2"] if first else None
                yield Fetch(unit.size, unit.starts, unit.window_takes, go)
                first = False


def fetches_dpu(board: Board) -> Iterator[Fetch]:
    """What dpu.dma brings in, in order."""
    for plan in filter(attrgetter("hbm_operands"), board.vectors):
        first = True
        for piece in plan.pieces():
            size = plan.fetched(piece.elements)
            yield Fetch(size, piece.starts, 0, board.go["dpu.dma"] if first else None)
            first = False


def fetch(board: Board, name: str, fetches: Iterator[Fetch]) -> Steps:
    """The issuing process of a dma."""
    part, flight = board.parts[name], board.flights[name]
    for fetch in fetches:
        if fetch.go is not None:
            yield from fetch.go.take()
        if fetch.starts:
            part.reset()
        if fetch.window_takes:
            yield from board.ahead[name].take(fetch.window_takes)
        yield from board.rings[name].take(fetch.size)
        pieces = board.memories.pieces(fetch.size)
        for at, size in enumerate(pieces):
            yield from flight.credits.take()
            part.bytes += size
            flight.pieces.append(board.memories.post(part, size, at == len(pieces) - 1))
            flight.posted.give()


def land(board: Board, name: str, fetches: Iterator[Fetch]) -> Steps:
    """The landing process of a dma."""
    part, flight = board.parts[f"{name}.land"], board.flights[name]
    for fetch in fetches:
        if fetch.starts:
            part.reset()
        for _ in board.memories.pieces(fetch.size):
            yield from flight.posted.take()
            moved = flight.pieces.popleft()
            yield from board.memories.arrival(moved)
            yield from board.memories.access(part, moved.size)
            flight.credits.give()
            if moved.last:
                board.staged[name].give()


def fill_m1(board: Board) -> Steps:
    for plan in board.gemms:
        yield from _fill(board, "m1", plan.m1_units)


def fill_m2(board: Board) -> Steps:
    for plan in board.gemms:
        yield from _fill(board, "m2", plan.m2_units)


def _fill(board: Board, name: str, units: Callable[[], Iterator[Transfer]]) -> Steps:
    """The m1 or m2 filler, for one GEMM."""
    part, dma = board.parts[name], f"dma.{name}"
    yield from board.go[name].take()
    for unit in units():
        if unit.starts:
            part.reset()
        if unit.fetched:
            yield from board.staged[dma].take()
        yield from board.free[name].take()
        yield from board.memories.access(part, unit.size)
        board.full[name].give()
        if unit.released:
            board.rings[dma].give(unit.size)
        if unit.window_gives:
            board.ahead[dma].give(unit.window_gives)


def sent_results(board: Board) -> Iterator[Sent]:
    """What dma.out sends, in order."""
    for plan in board.gemms:
        if plan.unit.copied:
            results = ((r.starts, r.written if r.final else 0) for r in plan.results())
            yield from _sent(plan.unit, results)


def sent_pieces(board: Board) -> Iterator[Sent]:
    """What dpu.out sends, in order."""
    for plan in board.vectors:
        if plan.unit.copied:
            pieces = ((p.starts, plan.written(p.elements) if p.writes else 0) for p in plan.pieces())
            yield from _sent(plan.unit, pieces)


def send(board: Board, name: str, units: Iterator[Sent]) -> Steps:
    """dma.out or dpu.out: from the global SRAM to HBM."""
    part, flight = board.parts[name], board.flights[name]
    for unit in units:
        yield from board.out[name].take()
        if unit.starts:
            part.reset()
        pieces = board.memories.pieces(unit.size)
        for at, size in enumerate(pieces):
            yield from board.memories.access(part, size)
            yield from flight.credits.take()
            flight.pieces.append(board.memories.post(part, size, at == len(pieces) - 1))
            flight.posted.give()


def acknowledge(board: Board, name: str, units: Iterator[Sent]) -> Steps:
    """dma.out.ack or dpu.out.ack: what was written is in HBM."""
    flight = board.flights[name]
    for unit in units:
        for _ in board.memories.pieces(unit.size):
            yield from flight.posted.take()
            yield from board.memories.written(flight.pieces.popleft())
            flight.credits.give()
        if unit.unit.spilled:
            board.rings[name].give(unit.size)
        if unit.last:
            board.finish(unit.unit)


def _sent(unit: Unit, made: Iterable[tuple[bool, int]]) -> Iterator[Sent]:
    """What goes out for a unit, of what is made: whether it starts a row pass, and its bytes, 0 for what stays."""
    sizes, starts = [], False
    for begins, size in made:
        starts = starts or begins
        if size:
            sizes.append((size, starts))
            starts = False
    for at, (size, first) in enumerate(sizes):
        yield Sent(unit, size, first, at == len(sizes) - 1)
