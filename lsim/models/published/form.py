"""What the closed forms of the publication share: levels, corrections, memory cycles, and the terms of a whole trace.

Equations of the released LT hardware estimator, the one behind the evaluation of Zhu et al., Lightening-Transformer,
HPCA 2024. They are a model of a paper, not the truth; `corrections` name what is known to be wrong.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import ClassVar

from lsim.arch import Arch
from lsim.errors import InputError
from lsim.models.base import Charges, Estimate
from lsim.models.published.charges import charges
from lsim.models.published.events import global_sram_bits_a_second
from lsim.models.published.others import notes_on_others, others
from lsim.models.published.workload import Gemm, Layer, attention_layers, gemm_of
from lsim.trace import Operator, Trace

Energies = dict[str, Fraction]

OF_ALL: Mapping[str, str] = {
    "others-layers": "softmax, norms, residuals and GELU count in every attention layer, not in the first alone",
    "others-bits": "what softmax, norms, residuals and GELU move is as wide as an operand, not always 4 bits",
    "others-seconds": "the seconds of softmax, norms, residuals and GELU are added as seconds, not as if they were ms",
    "sram-access": "the global SRAM serves its banks once an SRAM cycle, not 2³⁰ times in 0.604 s",
}

ARITHMETIC = frozenset(
    {"others-layers", "others-bits", "others-seconds", "sram-access", "qkv-once", "attention-sram-energy"}
)
"""Faults by which the form does not say what it means to: a wrong unit, a sum over one layer of many, a layer or a price that
counts twice."""

FORMS: dict[str, type[ClosedForm]] = {}


class ClosedForm(ABC):
    """The published model of one kind of core, faithful but for what is `corrected`.

    A subclass is the model of its `kind` by being declared.
    """

    kind: ClassVar[str]
    levels: ClassVar[tuple[str, ...]]
    corrections: ClassVar[Mapping[str, str]]
    name: ClassVar[str] = "published"

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            FORMS[cls.kind] = cls

    def __init__(self, level: str | None = None, corrected: Iterable[str] = ()) -> None:
        self.level = self.levels[0] if level is None else level
        self.corrected = frozenset(corrected)
        whose = f"of the published model of a {self.kind}"
        if self.level not in self.levels:
            raise InputError(
                f"{level!r} is no level {whose}", place="--level", known=self.levels, given=level
            )
        for name in sorted(self.corrected - self.corrections.keys()):
            known = sorted(self.corrections)
            raise InputError(f"{name!r} is no fault {whose}", place="--correct", known=known, given=name)

    @property
    def options(self) -> dict[str, object]:
        """What was chosen, for reports."""
        return {"level": self.level, "corrected": sorted(self.corrected)}

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong and not corrected, each as it would be if it were."""
        return {name: text for name, text in self.corrections.items() if name not in self.corrected}

    @property
    def righted(self) -> ClosedForm | None:
        """The form without the faults of its own arithmetic; None if there are none left."""
        wrong = ARITHMETIC & self.faults.keys()
        return type(self)(self.level, self.corrected | wrong) if wrong else None

    def bind(self, trace: Trace) -> BoundForm:
        """The form for the operators of a trace."""
        return BoundForm(self, trace)

    @abstractmethod
    def ticks(self, gemm: Gemm, arch: Arch) -> Fraction:
        """Ticks of the photonic clock that a GEMM takes."""

    @abstractmethod
    def compute_ticks(self, gemm: Gemm, arch: Arch) -> int:
        """How many of them are shots: of one core, if all share the blocks evenly."""

    @abstractmethod
    def energy(self, gemm: Gemm, arch: Arch) -> Energies:
        """Energy of a GEMM, in pJ by component."""

    def covers(self, gemm: Gemm) -> bool:
        """Whether the machine can do it."""
        return True

    def more_terms(self, bound: BoundForm, arch: Arch) -> dict[str, Estimate]:
        """What else the form adds for the whole of a trace."""
        return {}

    def more_notes(self, bound: BoundForm) -> list[str]:
        """What else must be known to read its numbers."""
        return []

    def global_bandwidth(self, arch: Arch) -> Fraction:
        """Bits a second of the global SRAM."""
        return global_sram_bits_a_second(arch, each_cycle="sram-access" in self.corrected)

    def memory_ticks(self, gemm: Gemm, arch: Arch) -> int:
        """Ticks to bring the operands to the tiles, one row pass after the other, each in whole SRAM cycles.

        For a linear layer weights from HBM, which the tiles share; for a product of attention both operands, from the
        global SRAM.
        """
        core, clock = arch.core, arch.global_sram.clock
        passes = gemm.heads * -(-gemm.n1 // (core.tiles * core.rows))
        if gemm.linear:
            cycles = ceil(chunk_seconds(gemm, arch) * clock)
        else:
            bits = (core.rows * gemm.depth * core.tiles + gemm.depth * gemm.n2) * arch.operands.bits
            cycles = ceil(bits / self.global_bandwidth(arch) * clock)
        return passes * cycles * arch.sram_cycle


class BoundForm:
    """A closed form and the trace that it is asked about; GEMMs of equal sizes are worked out once."""

    def __init__(self, form: ClosedForm, trace: Trace) -> None:
        self.form, self.trace = form, trace
        self._known: dict[tuple[Gemm, Arch], Estimate] = {}

    @cached_property
    def layers(self) -> list[Layer]:
        """The attention layers of the trace."""
        return list(attention_layers(self.trace))

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        """0 for a vector operator, which `others` stands for, and for what the machine cannot do."""
        if arch.core.kind != self.form.kind:
            problem = f"is a {arch.core.kind}, and this is the published model of a {self.form.kind}"
            raise InputError(problem, file=arch.name, place="core.kind")
        gemm = gemm_of(self.trace, operator) if operator.is_gemm else None
        if gemm is None or not self.form.covers(gemm):
            return Estimate(0, {})
        if (gemm, arch) not in self._known:
            form = self.form
            ticks, shots = form.ticks(gemm, arch), form.compute_ticks(gemm, arch)
            self._known[gemm, arch] = Estimate(ticks, form.energy(gemm, arch), compute=shots)
        return self._known[gemm, arch]

    def terms(self, arch: Arch) -> dict[str, Estimate]:
        """`others`, and what the form adds."""
        return {"others": self.others(arch), **self.form.more_terms(self, arch)}

    def others(self, arch: Arch) -> Estimate:
        """Softmax, norms, residuals and GELU."""
        corrected = self.form.corrected
        layers = self.layers if "others-layers" in corrected else self.layers[:1]
        return others(layers, arch, corrected, self.form.global_bandwidth(arch))

    def charges(self, arch: Arch) -> Charges:
        """What the form charges for an event of the simulation."""
        return charges(arch, self.form.corrected)

    def notes(self, arch: Arch) -> list[str]:
        """What `others` stands for in this trace, and what the form has to say."""
        all_layers = "others-layers" in self.form.corrected
        others = notes_on_others(self.trace, self.layers, all_layers)
        return [*one_width(arch), *others, *self.form.more_notes(self)]


def one_width(arch: Arch) -> list[str]:
    """What is to be known where an architecture stores at other widths than its converters resolve."""
    operands = arch.operands
    if not operands.mixed:
        return []
    return [
        f"this model knows one width: it counts everything at {operands.bits} bit, operands.bits, not {operands.widths.spelled}"
    ]


def chunk_seconds(gemm: Gemm, arch: Arch) -> Fraction:
    """Seconds that a tile's share of HBM takes for the weights of a row pass."""
    bits = arch.core.rows * gemm.depth * arch.operands.bits
    return Fraction(bits * arch.core.tiles, 8 * arch.hbm.bandwidth)


def loads(elements: int, arch: Arch) -> Fraction:
    """How many slots of an M1 SRAM so many elements fill."""
    return Fraction(elements * arch.operands.bits, 8 * arch.m1_sram.slot)
