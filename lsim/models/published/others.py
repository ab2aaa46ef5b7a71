"""Softmax, norms, residuals and GELU, as the published model has them: from the sizes of an attention layer alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from lsim.arch import Arch
from lsim.models.base import Estimate
from lsim.models.published.workload import Layer
from lsim.trace import Kind, Trace

MODELLED = {Kind.GEMM, Kind.SOFTMAX, Kind.NORM, Kind.RESIDUAL, Kind.ACTIVATION}
PUBLISHED_BITS = 4
FFN = 4  # features of the hidden layer for each of the model
PICOJOULES_A_MILLIJOULE = 10**9


def others(layers: Sequence[Layer], arch: Arch, corrected: Collection[str], bandwidth: Fraction) -> Estimate:
    """Energy, and time to move all elements once at the bandwidth of the global SRAM in bits a second.

    A layer has n²·heads elements of softmax, n·(E + 1) of norms, 2·n·E of residuals and 4·n·E of GELU.
    """
    bits = arch.operands.bits if "others-bits" in corrected else PUBLISHED_BITS
    softmax = sum(layer.scores for layer in layers)
    norm = sum(layer.tokens * (layer.features + 1) for layer in layers)
    residual = sum(2 * layer.tokens * layer.features for layer in layers)
    activation = sum(FFN * layer.tokens * layer.features for layer in layers)
    elements = softmax + norm + residual + activation
    logic, word = arch.devices.logic, arch.devices.word
    operations = logic.activation * activation + logic.norm * norm + logic.residual * residual
    softmax_pj = logic.softmax_power / logic.softmax_rate * PICOJOULES_A_MILLIJOULE * softmax * bits / 8
    seconds = elements * bits / bandwidth
    if "others-seconds" not in corrected:
        seconds /= 1000
    energy = {
        "dpu": logic.operation * operations + softmax_pj,
        "global_sram": 2 * word.global_sram * elements * Fraction(bits, word.bits),
    }
    return Estimate(seconds * arch.core.clock, energy)


def notes_on_others(trace: Trace, layers: Sequence[Layer], all_layers: bool) -> list[str]:
    """What `others` stands for in a trace with these attention layers."""
    beyond = sorted({operator.kind.value for operator in trace.operators} - {kind.value for kind in MODELLED})
    left_out = [f"no term stands for the {', '.join(beyond)} operators of this trace"] if beyond else []
    if not layers:
        why = "no product that a softmax reads has queries which a linear layer makes"
        return [
            f"others is 0, as this trace has no attention layer that it could be read off: {why}",
            *left_out,
        ]
    first, counted = layers[0], "each" if all_layers else "the first"
    sizes = f"{first.tokens} tokens of {first.features} features, {first.scores} elements of softmax"
    return [
        f"others stands for {counted} of {len(layers)} attention layers; the first has {sizes}",
        *left_out,
    ]
