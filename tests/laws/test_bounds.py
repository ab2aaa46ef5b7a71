"""Is a run at least as long as each part's work at its best rate, and as what must happen one after another?

The bounds are written here from the trace and the raw parameters: they know of no plan.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import evolve
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from reference.layout import byte_count, read_width, stored
from strategies import Machine, machines, traces

from lsim import load_arch, load_trace, simulate
from lsim.arch import IDEALS, Arch
from lsim.errors import InputError
from lsim.trace import Kind, Operator, Role, Trace

PICOSECONDS = 10**12
FUSIBLE = (Kind.ACTIVATION, Kind.RESIDUAL, Kind.MULTIPLY, Kind.ROTARY)


def up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


class Bounds:
    """Closed-form lower bounds on the ticks of a run, by what they count."""

    def __init__(self, trace: Trace, arch: Arch, lockstep: bool, barrier: bool) -> None:
        self.trace, self.arch, self.lockstep, self.barrier = trace, arch, lockstep, barrier
        self.gemms = [self.as_done(op) for op in trace.operators if op.is_gemm]

    def as_done(self, op: Operator) -> Operator:
        """Cores that hold an operand hold V of S·V: rows and columns exchanged."""
        makers = [self.trace.producer(name) for name in op.operands[0]]
        held = self.arch.core.kind != "dptc" and all(m and m.kind is Kind.SOFTMAX for m in makers)
        turned = (op.operands[1], op.operands[0])
        return evolve(op, rows=op.columns, columns=op.rows, operands=turned) if held else op

    def all(self) -> Mapping[str, int]:
        bounds = {
            "shots": self.shots(),
            "hbm": self.hbm(),
            "gb": self.gb(),
            "dpu": self.dpu(),
            "issue": self.issue(),
        }
        if self.lockstep:
            bounds["samples"] = self.samples()
        if self.lockstep and self.barrier:
            bounds["path"] = self.path()
        return bounds

    # -- cores -----------------------------------------------------------------------------------------------------
    def shots_of(self, op: Operator) -> int:
        """Ticks of all tiles in lockstep for one GEMM, at a shot a tick."""
        core = self.arch.core
        steps = up(op.depth, core.cores * core.wavelengths)
        return op.heads * up(op.rows, core.tiles * core.rows) * up(op.columns, core.columns) * steps

    def shots(self) -> int:
        """In lockstep one GEMM after another; else no tile idles: row blocks of single tiles, spread evenly."""
        if self.lockstep:
            return sum(self.shots_of(op) for op in self.gemms)
        core = self.arch.core
        blocks = sum(
            op.heads
            * up(op.rows, core.rows)
            * up(op.columns, core.columns)
            * up(op.depth, core.cores * core.wavelengths)
            for op in self.gemms
        )
        return up(blocks, core.tiles)

    def samples(self) -> int:
        """One conversion between any two samples; a block has at least one sample for every `integrate` steps."""
        core, readout = self.arch.core, self.arch.readout
        if "adc" in self.arch.ideal or not self.gemms:
            return 0
        count = sum(
            op.heads * up(op.rows, core.tiles * core.rows) * up(op.columns, core.columns)
            * up(up(op.depth, core.cores * core.wavelengths), readout.integrate)
            for op in self.gemms
        )  # fmt: skip
        return (count - 1) * readout.conversion

    # -- memories --------------------------------------------------------------------------------------------------
    def hbm_bytes(self) -> int:
        """What cannot stay out of HBM: weights of linear layers in; KV entries and what nobody reads, out."""
        linear = [op for op in self.gemms if self.trace.is_linear(op)]
        weights = sum(byte_count(self.read(op, 0), op.rows * op.depth) for op in linear)
        out = [
            [t for t in op.outputs if self.trace.tensors[t].role is Role.KV or not self.trace.consumers(t)]
            for op in self.trace.operators
        ]
        return weights + sum(byte_count(1, sum(map(self.bits, tensors))) for tensors in out)

    def bits(self, tensor: str) -> int:
        return self.trace.tensors[tensor].elements * stored(self.arch, self.trace.tensors[tensor])

    def read(self, op: Operator, operand: int) -> int:
        return read_width(self.trace, self.arch, op.operands[operand])

    def hbm(self) -> int:
        if "hbm" in self.arch.ideal:
            return 0
        return up(self.hbm_bytes() * self.arch.core.clock, self.arch.hbm.bandwidth)

    def gb(self) -> int:
        """Every HBM byte passes the global SRAM; M1 is read once, M2 in every row pass, results are written."""
        if "gb" in self.arch.ideal:
            return 0
        core, sram = self.arch.core, self.arch.global_sram
        moved = self.hbm_bytes() + sum(
            (
                op.heads * op.rows * op.depth * self.read(op, 0)
                + op.heads * op.depth * op.columns * up(op.rows, core.tiles * core.rows) * self.read(op, 1)
                + sum(map(self.bits, op.outputs))
            )
            // 8
            for op in self.gemms
        )
        return up(moved, sram.banks * sram.line * sram.ports) * (core.clock // sram.clock)

    # -- what is no GEMM -------------------------------------------------------------------------------------------
    def lanes(self, op: Operator) -> int:
        if "dpu" in self.arch.ideal:
            return 0
        cycles = up(op.elements * getattr(self.arch.dpu, op.kind.value), self.arch.dpu.lanes)
        return cycles * (self.arch.core.clock // self.arch.dpu.clock)

    def dpu(self) -> int:
        """All elements at the lanes' rate; fused or not, they add up, up to a cycle for each operator of a chain."""
        cycle = self.arch.core.clock // self.arch.dpu.clock
        vectors = [op for op in self.trace.operators if not op.is_gemm]
        return sum(max(0, self.lanes(op) - cycle) if op.kind in FUSIBLE else self.lanes(op) for op in vectors)

    def issue_ticks(self, op: Operator) -> int:
        """An element-wise operator may be issued together with the one before."""
        return 0 if "dispatch" in self.arch.ideal or op.kind in FUSIBLE else self.arch.controller.issue

    def issue(self) -> int:
        return sum(self.issue_ticks(op) for op in self.trace.operators)

    # -- one after another -----------------------------------------------------------------------------------------
    def alone(self, op: Operator) -> int:
        """The least time from an operator's issue to its last result in place."""
        if not op.is_gemm:
            return self.issue_ticks(op) + (0 if op.kind in FUSIBLE else self.lanes(op))
        readout = 0 if "adc" in self.arch.ideal else self.arch.readout.latency
        light = 0 if "broadcast" in self.arch.ideal else self.arch.broadcast.propagation
        return self.issue_ticks(op) + self.shots_of(self.as_done(op)) + readout + light

    def path(self) -> int:
        """The longest chain of operators each of which needs the one before complete."""
        end: dict[str, int] = {}
        for op in self.trace.operators:
            begin = max(
                (end[self.trace.producer(t).name] for t in op.reads if self.trace.producer(t)), default=0
            )  # type: ignore[union-attr]
            end[op.name] = begin + self.alone(op)
        return max(end.values())


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    traces(layers=2),
    machines(groups=("1", "2", "4")),
    st.sampled_from([None, "lockstep", "head-parallel", "m1-stationary"]),
    st.sampled_from(["barrier", "chunked"]),
)
def test_is_a_run_no_shorter_than_its_work(
    trace: Trace, machine: Machine, mapping: str | None, deps: str
) -> None:
    try:
        result = simulate(trace, machine.arch, mapping=mapping, deps=deps)
    except InputError:
        assume(False)
    lockstep = mapping != "head-parallel" or machine.arch.broadcast.groups == 1
    for name, ticks in Bounds(trace, machine.arch, lockstep, deps == "barrier").all().items():
        assert result.ticks >= ticks, name


@pytest.mark.parametrize(
    ("real", "bound"),
    [
        ("hbm", "hbm"),
        ("gb", "gb"),
        ("adc", "samples"),
        ("dpu", "dpu"),
        ("dispatch", "issue"),
        ("adc", "path"),
    ],
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(trace=traces(layers=2), machine=machines())
def test_is_a_run_with_one_real_part_no_shorter_than_its_work(
    real: str, bound: str, trace: Trace, machine: Machine
) -> None:
    """With nothing else in the way the bound is near, and a part that is a little too fast is found out."""
    alone = Machine(machine.settings, frozenset(IDEALS.keys() - {real}))
    try:
        result = simulate(trace, alone.arch)
    except InputError:
        assume(False)
    assert result.ticks >= Bounds(trace, alone.arch, True, True).all()[bound]


@pytest.mark.parametrize("arch", ["lt-b-4bit", "lt-l-8bit"])
@pytest.mark.parametrize("name", ["deit-tiny", "bert-base", "gpt2-small"])
def test_are_real_models_near_their_bounds(name: str, arch: str) -> None:
    """Bounds that nobody comes near would be no test: the best of them explains a third of each of these runs."""
    result = simulate(load_trace(name), load_arch(arch))
    best = max(Bounds(result.trace, result.arch, True, True).all().values())
    assert best <= result.ticks <= 3 * best


def test_does_each_bound_bind_somewhere() -> None:
    """Every bound is the largest of some random run: none of them is idle."""
    binding: set[str] = set()

    @settings(max_examples=300, database=None, derandomize=True)
    @given(traces(layers=2), machines())
    def look(trace: Trace, machine: Machine) -> None:
        bounds = Bounds(trace, machine.arch, True, True).all()
        binding.add(max(bounds, key=lambda name: bounds[name]))

    look()
    assert binding >= {"shots", "hbm", "gb", "dpu", "samples", "path"}
