"""A lower bound on the ticks of a run: each part's work at its best rate, and what must happen one after another.

It knows the trace and the machine, and of the plan no more than the mapping and the policy it is asked about; no run that keeps to
`docs/machine.md` is shorter. The proof of each is in the docstring of its method.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from math import ceil

from attrs import frozen

from lsim.arch import Arch
from lsim.models.base import Estimate
from lsim.models.path import longest
from lsim.plan.orient import oriented, passes_of_signs
from lsim.plan.units import ELEMENT_WISE, ROW_WISE
from lsim.plan.widths import Bits, TensorWidths, packed
from lsim.trace import Operator, Role, Trace
from lsim.units import ceil_div

LOCKSTEP = ("lockstep", "m1-stationary")
BARRIER = "barrier"
ROUNDING = "whole ticks"

Shares = dict[str, Fraction]


class Bound:
    """The largest of the bounds below, as a model: each operator takes its share in the one that binds.

    `mapping`, `deps`: of the runs that it is a bound on; None for all there are, which is less sharp.
    """

    name = "bound"

    def __init__(self, mapping: str | None = None, deps: str | None = None) -> None:
        self.mapping, self.deps = mapping, deps

    @property
    def options(self) -> dict[str, object]:
        """Which runs it is a bound on, for reports."""
        return {"mapping": self.mapping or "any", "deps": self.deps or "any"}

    def bind(self, trace: Trace) -> BoundOfTrace:
        """The bound on runs of a trace."""
        return BoundOfTrace(trace, self.mapping, self.deps)


class BoundOfTrace:
    """The bounds on runs of one trace, worked out once for each architecture."""

    def __init__(self, trace: Trace, mapping: str | None, deps: str | None) -> None:
        self.trace, self.mapping, self.deps = trace, mapping, deps
        self._known: dict[Arch, Bounds] = {}

    def bounds(self, arch: Arch) -> Bounds:
        """All of the bounds."""
        if arch not in self._known:
            one_group = arch.holds_operand or arch.broadcast.groups == 1
            lockstep = one_group or self.mapping in LOCKSTEP
            self._known[arch] = Bounds(self.trace, arch, lockstep, self.deps == BARRIER)
        return self._known[arch]

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        """The operator's share in the bound that binds."""
        found = self.bounds(arch)
        share = found.all[found.binding].shares.get(operator.name, Fraction(0))
        return Estimate(share, compute=min(share, found.work(operator)))

    def terms(self, arch: Arch) -> dict[str, Estimate]:
        """What is missing to whole ticks."""
        binding = self.bounds(arch).all[self.bounds(arch).binding]
        rest = binding.ticks - sum(binding.shares.values())
        return {ROUNDING: Estimate(rest)} if rest else {}

    def notes(self, arch: Arch) -> list[str]:
        """Which bound binds, and how near the others come."""
        found = self.bounds(arch)
        others = ", ".join(f"{name} {bound.ticks:,}" for name, bound in found.all.items())
        return [
            f"{found.binding} binds: {WHAT[found.binding]}",
            f"bounds in ticks: {others}",
            "each operator is counted with its share in the bound that binds; no run is shorter than the sum",
        ]


WHAT: Mapping[str, str] = {
    "cores": "shots of all GEMMs, and writing the operands that cores hold",
    "converters": "a conversion between any two samples of the ADC",
    "hbm": "bytes that cannot stay out of HBM, over its bandwidth",
    "global_sram": "bytes that pass the global SRAM at least, over all its ports",
    "dpu": "elements of all vector operators, over the lanes",
    "controller": "issuing one operator after another",
    "path": "the longest chain of operators each of which needs the one before",
}


@frozen
class OneBound:
    """A bound in ticks, and each operator's share in it; the shares sum to `ticks`, less what rounds up to whole ticks."""

    ticks: int
    shares: Shares


class Bounds:
    """Lower bounds on the ticks of a run by what they count.

    `lockstep`: all tiles do each GEMM together. `barrier`: operators wait for the whole of what they read.
    """

    def __init__(self, trace: Trace, arch: Arch, lockstep: bool, barrier: bool) -> None:
        self.trace, self.arch, self.lockstep, self.barrier = trace, arch, lockstep, barrier
        self.gemms = {op.name: oriented(trace, op, arch) for op in trace.operators if op.is_gemm}
        self.widths = TensorWidths(trace, arch)

    @cached_property
    def all(self) -> dict[str, OneBound]:
        """Every bound, by the name of what binds."""
        cycle = self.arch.dpu_cycle
        found = {
            "cores": _whole({name: self.core_ticks(op) for name, op in self.gemms.items()}),
            "hbm": _whole(self.hbm()),
            "global_sram": _whole(self.global_sram(), self.arch.sram_cycle),
            "dpu": _whole({op.name: self.lanes(op) for op in self.trace.operators}, cycle),
            "controller": _whole({op.name: Fraction(self.issue(op)) for op in self.trace.operators}),
            "path": _path(self),
        }
        if self.lockstep:
            found["converters"] = _whole(self.converters())
        return found

    @property
    def binding(self) -> str:
        """The largest, of equal ones the first."""
        return max(self.all, key=lambda name: self.all[name].ticks)

    # -- cores -----------------------------------------------------------------------------------------------------
    def work(self, op: Operator) -> Fraction:
        """Ticks of its shots, one a tick, or of the lanes: what of a share is no more than the work itself."""
        if not op.is_gemm:
            return self.lanes(op)
        return self._fired(
            self.gemms[op.name], passes_of_signs(self.trace, self.gemms[op.name], self.arch), 0
        )

    def core_ticks(self, op: Operator) -> Fraction:
        """Ticks of the cores for a GEMM as it is done.

        A row pass has at most a row block for each tile, a block at most `columns` columns, a step `cores`·`wavelengths` of depth; a
        shot takes its feed interval at least, and what is held is written once a row pass and step at least. In lockstep one core
        process does all of it. Else a tile is never in two groups at once, so all tiles together need the sum over row blocks.
        """
        m1, m2 = (self.widths.operand(operand) for operand in op.operands[:2])
        shot = self.arch.feed_interval(0, m2)
        return self._fired(op, passes_of_signs(self.trace, op, self.arch) * shot, self.arch.reload_ticks(m1))

    def _fired(self, op: Operator, shots: int, reload: int) -> Fraction:
        """Ticks of all steps, each of so many for a block and so many before the first of a row pass."""
        core = self.arch.core
        each = ceil_div(op.columns, core.columns) * shots + reload
        ticks = op.heads * ceil_div(op.depth, core.cores * core.wavelengths) * each
        if self.lockstep:
            return Fraction(ticks * ceil_div(op.rows, core.tiles * core.rows))
        return Fraction(ticks * ceil_div(op.rows, core.rows), core.tiles)

    def converters(self) -> Shares:
        """The one group samples a block once for every `integrate` shots at least, and two samples are a conversion apart."""
        core, arch = self.arch.core, self.arch
        samples = {
            name: op.heads * ceil_div(op.rows, core.tiles * core.rows) * ceil_div(op.columns, core.columns)
            * ceil_div(ceil_div(op.depth, core.cores * core.wavelengths) * passes_of_signs(self.trace, op, arch), arch.readout.integrate)
            for name, op in self.gemms.items()
        }  # fmt: skip
        for name in list(samples)[:1]:
            samples[name] -= 1  # nothing comes before the first
        return {name: Fraction(count * arch.conversion_ticks) for name, count in samples.items()}

    # -- memories --------------------------------------------------------------------------------------------------
    def hbm_bytes(self, op: Operator) -> int:
        """What an operator must bring from HBM or take there.

        What nobody in the trace writes is never resident, so a GEMM fetches such an operand at least once; KV entries, and what
        nobody reads, are copied out, side by side with what else the operator writes.
        """
        fetched = 0
        for operand, size in zip(op.operands, (op.rows, op.columns), strict=False):
            if op.is_gemm and any(self.trace.producer(name) is None for name in operand):
                fetched += packed(op.heads * op.depth * size, self.widths.operand(operand))
        out = [self.trace.tensors[name] for name in op.outputs]
        stored = (t for t in out if t.role is Role.KV or not self.trace.consumers(t.name))
        bits = sum(t.elements * self.widths.tensor(t.name) for t in stored)
        return fetched + packed(bits, 1)

    def hbm(self) -> Shares:
        """All channels together move the bandwidth at most."""
        if "hbm" in self.arch.ideal:
            return {}
        rate = Fraction(self.arch.core.clock, self.arch.hbm.bandwidth)
        return {op.name: self.hbm_bytes(op) * rate for op in self.trace.operators}

    def global_sram_bytes(self, op: Operator) -> int:
        """What an operator must move through the global SRAM: every byte to or from HBM; of a GEMM M1 once, M2 in every row pass,
        and the result; a row-wise vector operator reads a row and writes one. (A fused chain may pass its results on.)"""
        moved, tiles = self.hbm_bytes(op), self.arch.core.tiles * self.arch.core.rows
        if op.is_gemm:
            done = self.gemms[op.name]
            widths = self.widths.gemm(done.operands, done.outputs)
            m2 = done.depth * done.columns * ceil_div(done.rows, tiles)
            each: Bits = (
                done.rows * done.depth * widths.m1 + m2 * widths.m2 + done.rows * done.columns * widths.out
            )
            return moved + int(op.heads * each // 8)
        if op.kind not in ROW_WISE:
            return moved
        both = self.widths.operand(op.operands[0]), self.widths.result(op.outputs)
        return moved + sum(packed(op.elements, bits) for bits in both)

    def global_sram(self) -> Shares:
        """All ports together move a line of each of their banks in an SRAM cycle, and each serves whole cycles."""
        sram = self.arch.global_sram
        if "gb" in self.arch.ideal:
            return {}
        rate = Fraction(self.arch.sram_cycle, sram.banks * sram.line * sram.ports)
        return {op.name: self.global_sram_bytes(op) * rate for op in self.trace.operators}

    # -- what is no GEMM -------------------------------------------------------------------------------------------
    def lanes(self, op: Operator) -> Fraction:
        """Ticks of the DPU's lanes: pieces round up to whole cycles, and a chain's cycles for an element add up."""
        if op.is_gemm or "dpu" in self.arch.ideal:
            return Fraction(0)
        cycles: int = getattr(self.arch.dpu, op.kind.value)
        return Fraction(op.elements * cycles * self.arch.dpu_cycle, self.arch.dpu.lanes)

    def issue(self, op: Operator) -> int:
        """The controller issues one operator after another; an element-wise one may come with the one before."""
        return 0 if op.kind in ELEMENT_WISE else self.arch.issue_ticks

    # -- one after another -----------------------------------------------------------------------------------------
    def alone(self, op: Operator) -> Fraction:
        """From the beginning of an operator's issue to its last result: issue, its core's or lanes' ticks, and readout."""
        if not op.is_gemm:
            return self.issue(op) + self.lanes(op)
        readout = self.arch.readout_latency + self.arch.propagation_ticks
        return self.issue(op) + self.core_ticks(self.gemms[op.name]) + readout


def _whole(shares: Shares, cycle: int = 1) -> OneBound:
    """The sum, as so many whole cycles."""
    return OneBound(ceil(sum(shares.values(), Fraction(0)) / cycle) * cycle, shares)


def _path(of: Bounds) -> OneBound:
    ticks, operators = longest(of.trace, of.alone, of.barrier)
    return OneBound(ceil(ticks), {op.name: of.alone(op) for op in operators})
