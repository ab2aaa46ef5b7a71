"""Does a broken part break a law, and does the error name it? Each fault is a mutation of one part, made once in a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from inspect import isfunction
from typing import Any

import pytest
from attrs import frozen
from small import attention, machine

from lsim import simulate
from lsim.errors import Deadlock, LawBroken
from lsim.kernel import fold
from lsim.kernel.flight import Delay
from lsim.kernel.port import Port
from lsim.kernel.process import Process
from lsim.kernel.server import Server
from lsim.kernel.tokens import Channel
from lsim.parts.broadcast import Broadcast
from lsim.parts.controller import Controller, Retirement
from lsim.parts.dma import DmaAck, DmaIssue, DmaLand, DmaOut
from lsim.parts.dptc import Core
from lsim.parts.dpu import DpuLanes
from lsim.parts.drain import Drainer
from lsim.parts.operand_sram import Filler
from lsim.results import folded, laws, states

Patch = pytest.MonkeyPatch
WORK = attention(tokens=8, heads=2, size=4, blocks=2)
MACHINE = machine(core__tiles="4", broadcast__groups="2")


def run(fold: bool = True) -> None:
    simulate(WORK, MACHINE, mapping="head-parallel", fold=fold)


class Silent:
    """A channel, port or other thing of which one verb does nothing."""

    def __init__(self, real: Any, verb: str) -> None:
        self._real, self._verb = real, verb

    def __getattr__(self, name: str) -> Any:
        if name == self._verb:
            return lambda *_, **__: ()
        return getattr(self._real, name)


def once(
    patch: Patch,
    cls: type[Process],
    part: str,
    faulty: Callable[[Any, Any, Callable[..., Any]], Any],
    item: int = 3,
) -> None:
    """At its `item`-th item, `part` does `faulty(process, item, work)` instead of its work."""
    work = cls.work

    def instead(self: Any, what: Any) -> Iterator[Any]:
        if self.name == part and self.cursor.n == item:
            return faulty(self, what, work)
        return work(self, what)

    patch.setattr(cls, "work", instead)


def without(verb: str, thing: str) -> Callable[[Any, Any, Callable[..., Any]], Any]:
    """The work of an item with one verb of one of the part's things left out."""

    def faulty(self: Any, item: Any, work: Callable[..., Any]) -> Iterator[Any]:
        real = getattr(self, thing)
        setattr(self, thing, Silent(real, verb))
        yield from work(self, item)
        setattr(self, thing, real)

    return faulty


def shots_cut_short(self: Any, item: Any, work: Callable[..., Any]) -> Iterator[Any]:
    real = self.block
    self.block = lambda *args: (real(*args)[0] - 1, real(*args)[1])
    yield from work(self, item)
    self.block = real


def shots_left_out(self: Any, item: Any, work: Callable[..., Any]) -> Iterator[Any]:
    self.shoot = lambda _: iter(())
    yield from work(self, item)
    del self.shoot


def counted_twice(self: Any, item: Any, work: Callable[..., Any]) -> Iterator[Any]:
    self.enter(self.piece(item)[1])
    yield from work(self, item)


def given_twice(thing: str) -> Callable[[Any, Any, Callable[..., Any]], Any]:
    def faulty(self: Any, item: Any, work: Callable[..., Any]) -> Iterator[Any]:
        yield from work(self, item)
        getattr(self, thing).give()

    return faulty


def replaced(
    owner: Any, name: str, faulty: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[Patch], None]:
    """`owner.name` in a faulty form, all through the run."""
    return lambda patch: patch.setattr(owner, name, faulty(getattr(owner, name)))


def port_with_a_server_too_many(patch: Patch) -> None:
    begin = Port.begin

    def twice(self: Port, server: Server, request: Any) -> None:
        begin(self, server, request)
        if self.name == "gb0" and len(self.serving) == 1:
            Server(self, 1)

    patch.setattr(Port, "begin", twice)


@frozen
class Fault:
    """What is broken, what the error must name, and the laws that find it (none: the run itself comes to a halt)."""

    what: str
    inject: Callable[[Patch], None]
    names: str
    laws: tuple[str, ...] = ()


def at(cls: type[Process], part: str, faulty: Callable[..., Any], item: int = 3) -> Callable[[Patch], None]:
    return lambda patch: once(patch, cls, part, faulty, item)


WORKS, BYTES, TOKENS, TIMES, BLOCKS = (
    "_work_is_done",
    "_bytes_are_conserved",
    "_tokens_are_home",
    "_time_is_complete",
    "_blocks_take_their_time",
)
FAULTS = (
    Fault("m1 skips a transaction", at(Filler, "m1", without("access", "sram")), "m1_sram", (BYTES,)),
    Fault("m2 skips a transaction", at(Filler, "m2", without("access", "sram")), "m2_sram", (BYTES,)),
    Fault("the DPU's reader skips a transaction", at(Filler, "dpu.read", without("access", "sram")), "dpu_in", (BYTES,)),
    Fault("the drain skips a transaction", at(Drainer, "drain", without("access", "sram")), "act_sram", (BYTES,)),
    Fault("the DPU's writer skips a transaction", at(Drainer, "dpu.write", without("access", "sram")), "dpu_out", (BYTES,)),
    Fault("landing skips a transaction", at(DmaLand, "dma.m1.land", without("access", "sram")), "hbm", (BYTES,)),
    Fault("dma.out reads nothing", at(DmaOut, "dma.out", without("access", "sram"), 1), "hbm", (BYTES,)),
    Fault("a DPU piece is counted twice", at(DpuLanes, "dpu.lanes", counted_twice), "dpu_in", (BYTES,)),
    Fault("the core skips a block", at(Core, "core", shots_left_out), "core", (WORKS, BYTES)),
    Fault("the core ends a block early", at(Core, "core", shots_cut_short), "core", (BLOCKS,)),
    Fault("a group's core skips a block", at(Core, "g1.core", shots_left_out), "core", (WORKS, BYTES)),
    Fault("the drain keeps an act slot", at(Drainer, "drain", without("give", "free")), "drain", (TOKENS,)),
    Fault("the drain gives an act slot twice", at(Drainer, "drain", given_twice("free")), "drain", (TOKENS,)),
    Fault("the core keeps an M2 slot", at(Core, "core", without("give", "m2_free"), 7), "core", (TOKENS,)),
    Fault("the core frees an M1 slot twice", at(Core, "core", given_twice("m1_free")), "core", (TOKENS,)),
    Fault("landing keeps a credit", at(DmaLand, "dma.m1.land", without("give", "credits")), "dma.m1.land", (TOKENS,)),
    Fault("m1 keeps staging bytes", at(Filler, "m1", without("give", "ring")), "m1", (TOKENS,)),
    Fault("m1 keeps the window's bytes", at(Filler, "m1", without("give", "ahead")), "m1", (TOKENS,)),
    Fault("ack keeps a credit", at(DmaAck, "dma.out.ack", without("give", "credits"), 1), "dma.out.ack", (TOKENS,)),
    Fault("retire forgets region bytes", at(Retirement, "retire", without("give", "region"), 17), "retire", (TOKENS,)),
    Fault("retire keeps a window credit", at(Retirement, "retire", without("give", "window")), "retire", (TOKENS,)),
    Fault("the DPU's lanes keep an input slot", at(DpuLanes, "dpu.lanes", without("give", "in_free")), "dpu.lanes", (TOKENS,)),
    Fault("the DMA drops a piece", at(DmaIssue, "dma.m1", without("send", "flights")), "dma.m1.land, "),
    Fault("the DPU's DMA drops a piece", at(DmaIssue, "dpu.dma", without("send", "flights"), 1), "dpu.dma.land, "),
    Fault("dma.out drops a piece", at(DmaOut, "dma.out", without("send", "flights"), 1), "dma.out.ack, "),
    Fault("landing forgets that a unit is complete", at(DmaLand, "dma.m2.land", without("give", "staged"), 1), "waits for dma.m2.land"),
    Fault("m2 forgets that a slot is full", at(Filler, "m2", without("give", "full")), "core, at item "),
    Fault("the core loses a result", at(Core, "core", without("send", "readout"), 1), "waits for readout"),
    Fault("the controller never says go", lambda patch: patch.setattr(Controller, "work", lambda self, item: self.take(self.window)), "gives it work"),
    Fault("the broadcast is never released", replaced(Broadcast, "release", lambda _: lambda *_: None), "waits for broadcast"),
    Fault("results stay in the readout", replaced(Delay, "_deliver", lambda _: lambda *_: None), "waits for readout"),
    Fault("a port grants two at once", port_with_a_server_too_many, "gb0"),
    Fault("two states of the machine are taken for one", replaced(states, "_signatures", lambda real: lambda t: real(t) % 64), "", (TIMES,)),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_does_a_fault_break_a_law_that_names_the_part(fault: Fault, monkeypatch: Patch) -> None:
    fault.inject(monkeypatch)
    with pytest.raises(LawBroken) as broken:
        run()
    assert fault.names in str(broken.value)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.laws], ids=lambda fault: fault.what)
def test_would_the_fault_pass_without_its_law(fault: Fault, monkeypatch: Patch) -> None:
    """Else some other law had found it, and this one is not known to find anything."""
    fault.inject(monkeypatch)
    for law in fault.laws:
        monkeypatch.setattr(laws, law, lambda *_: None)
    run()


def test_is_there_a_fault_for_every_law() -> None:
    assert {law for fault in FAULTS for law in fault.laws} == {
        name for name, law in vars(laws).items() if isfunction(law) and name.startswith("_")
    }


def test_does_the_machine_without_a_fault_pass() -> None:
    run()


# -- folding -----------------------------------------------------------------------------------------------------------
FOLDING = attention(tokens=24, heads=3, size=8, blocks=3)


def test_does_a_fold_of_one_period_too_many_break_a_law(monkeypatch: Patch) -> None:
    ahead = fold._periods_ahead
    monkeypatch.setattr(fold, "_periods_ahead", lambda moved: ahead(moved) + 1 if ahead(moved) else 0)
    with pytest.raises(LawBroken):
        simulate(FOLDING, machine())


def test_does_a_fold_counted_once_too_often_break_a_law(monkeypatch: Patch) -> None:
    counted = folded.FoldedLog._counted

    def too_often(self: folded.FoldedLog) -> folded.Ints:
        times = counted(self)
        return times + (times > 1)

    monkeypatch.setattr(folded.FoldedLog, "_counted", too_often)
    with pytest.raises(LawBroken):
        simulate(FOLDING, machine())


def test_does_a_fold_that_forgets_a_clock_break_a_law(monkeypatch: Patch) -> None:
    """Time is told by the log: a fold that moves the clock by less than it repeats is found there."""
    shift = fold.Folder._shift
    monkeypatch.setattr(fold.Folder, "_shift", lambda self, ticks: shift(self, ticks - 1))
    with pytest.raises(LawBroken):
        simulate(FOLDING, machine())


# -- deadlock ----------------------------------------------------------------------------------------------------------
def test_does_a_blocked_machine_say_who_waits_for_whom(monkeypatch: Patch) -> None:
    """A piece of the weights never leaves: landing is one short in the end, and M1, the cores and everybody after them wait,
    each for the one before."""
    once(monkeypatch, DmaIssue, "dma.m1", without("send", "flights"), item=2)
    with pytest.raises(Deadlock) as blocked:
        simulate(WORK, machine())
    whom = {line.split(",")[0]: line.split()[-1] for line in blocked.value.waits}
    assert (whom["retire"], whom["drain"]) == ("drain", "readout")
    assert (whom["core"], whom["m1"], whom["dma.m1.land"]) == ("m1", "dma.m1.land", "dma.m1")
    assert "dma.m1" not in whom, "it has finished"
    done, items = re.search(r"dma.m1.land, at item (\d+) of (\d+)", str(blocked.value)).groups()  # type: ignore[union-attr]
    assert int(done) == int(items) - 1
    assert all(line in str(blocked.value) for line in blocked.value.waits)
    assert blocked.value.exit_code == 1


def test_is_a_token_lost_while_nobody_waits_found(monkeypatch: Patch) -> None:
    """The last token of a run, which no one would miss."""
    give, given = Channel.give, []

    def lossy(self: Channel, count: int = 1) -> None:
        given.append(self)
        give(self, count)

    monkeypatch.setattr(Channel, "give", lossy)
    run()
    last = len(given)
    given.clear()
    monkeypatch.setattr(
        Channel,
        "give",
        lambda self, count=1: lossy(self, count) if len(given) < last - 1 else given.append(self),
    )
    with pytest.raises(LawBroken):
        run()
