"""What is known to be wrong with the published model, with its size where somebody worked it out.

Source of the figures: recomputed from the released LT hardware estimator, whose equations `lsim.models.published` has. Those that are
exact change one rule of the estimator; the others are scenarios, rounded as they were written down.
"""

from __future__ import annotations

from attrs import frozen

SOURCE = "recomputed from the released LT hardware estimator"
TIME, ENERGY = "T", "E"


@frozen
class Figure:
    """How much more time (T) or energy (E) a workload takes without a fault, in percent of what the model says.

    `exact`: recomputed, else a scenario, which `how` tells. `settings`: what of the architecture is changed for it.
    """

    quantity: str
    trace: str
    arch: str
    percent: float
    exact: bool = False
    how: str = ""
    settings: tuple[tuple[str, str], ...] = ()


@frozen
class Fault:
    """One fault. `corrections`: switches of the model that correct it. `rows`: where a ledger shows it, of any owner."""

    number: str
    text: str
    corrections: tuple[str, ...]
    rows: tuple[str, ...]
    figures: tuple[Figure, ...]


DEIT, BERT, MZI = "deit-tiny", "bert-large", "mzi-mesh-4bit"
FOUR, EIGHT = "lt-b-4bit", "lt-b-8bit"
_NARROW = (("m1_sram.port", "64 B"), ("m2_sram.port", "64 B"))


def _exact(quantity: str, deit: float, bert: float, arch: str = FOUR) -> tuple[Figure, ...]:
    return Figure(quantity, DEIT, arch, deit, True), Figure(quantity, BERT, arch, bert, True)


def _both(quantity: str, deit: float, bert: float, how: str) -> tuple[Figure, ...]:
    return Figure(quantity, DEIT, FOUR, deit, how=how), Figure(quantity, BERT, FOUR, bert, how=how)


FAULTS = (
    Fault("1", "operands reach the cores at 100 TiB/s and in no cycles, where a tile needs 720 GB/s at 4 bits", (), ("feed",),
          (Figure(TIME, DEIT, FOUR, 2150, how="64 B ports, once an SRAM cycle", settings=_NARROW),)),
    Fault("2", "softmax, norms, GELU and residuals take no compute time", (), ("dpu_work", "overlap", "dpu_read", "dpu_write"),
          _both(TIME, 51, 13, "1024 lanes")),
    Fault("3", "compute overlaps even the first weights of a layer", ("first-fill",), ("hbm_m1", "hbm_latency", "staging"),
          _exact(TIME, 1.93, 0.25)),
    Fault("3", "HBM has no latency", (), ("hbm_latency",), _both(TIME, 25.8, 0.64, "100 ns for each linear layer")),
    Fault("4", "blocks are shared over tiles, cores and heads as fractions", ("whole-blocks",), ("mapping",),
          _exact(TIME, 3.39, 1.41)),
    Fault("5", "softmax, norms, GELU and residuals: of one layer, always 4 bits, seconds added to ms",
          ("others-layers", "others-bits", "others-seconds"), (), _exact(TIME, 1.62, 0.43) + _exact(ENERGY, 1.52, 0.45)),
    Fault("6", "the global SRAM serves an access each 0.604 ns, not each cycle of its 500 MHz", ("sram-access",), (),
          _exact(TIME, 0, 0) + _exact(TIME, 3.1, 0.42, EIGHT)),
    Fault("7", "attention multiplies the energy of the global SRAM twice: its operands are free", ("attention-sram-energy",), (),
          _exact(ENERGY, 0.6, 0.2)),
    Fault("8", "activations are never checked against 2 MB", (), ("hbm_out", "hbm_m2"),
          (Figure(TIME, BERT, EIGHT, 2.5, how="spilled activations to HBM and back"),)),
    Fault("9", "partial sums move as wide as operands", ("partial-sum-width",), (), (Figure(ENERGY, DEIT, FOUR, 8, how="rounded"),)),
    Fault("9", "a TIA is billed one cycle of three", ("tia-cycles",), (), (Figure(ENERGY, DEIT, FOUR, 6, how="rounded"),)),
    Fault("9", "the leakage of SRAMs is missing", ("leakage",), (), (Figure(ENERGY, DEIT, FOUR, 1.6, how="rounded"),)),
    Fault("10", "the MZI mesh counts the layers before attention again in its place", ("qkv-once",), (),
          (Figure(TIME, DEIT, MZI, -20, how="rounded"),)),
)  # fmt: skip
