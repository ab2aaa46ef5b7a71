"""What each number of a report means, in one line: causes, utilizations and parts."""

from __future__ import annotations

from collections.abc import Mapping

from lsim.kernel.labels import Cause

CAUSES: Mapping[Cause, str] = {
    Cause.COMPUTE: "the cores fire a shot",
    Cause.FEED: "a shot's operands take more than a tick through SRAM ports and encoders",
    Cause.ADC: "the next shot waits until the ADC has taken the last group of shots",
    Cause.RELOAD: "the cores write the operand that they hold",
    Cause.READOUT: "results are on their way through the ADC and the accumulator",
    Cause.M1_FILL: "M1 operands move from the global SRAM to the M1 SRAM",
    Cause.M2_FILL: "M2 operands move from the global SRAM to the M2 SRAM",
    Cause.PARTIAL_SUMS: "partial sums of a K chunk move to or from the global SRAM",
    Cause.DRAIN: "results move from the act SRAM to the global SRAM",
    Cause.DPU: "the DPU computes: softmax, norm, activation, …",
    Cause.DPU_READ: "the DPU reads its operands from the global SRAM",
    Cause.DPU_WRITE: "the DPU writes its results to the global SRAM",
    Cause.HBM_M1: "an HBM channel transfers M1 operands: weights, mostly",
    Cause.HBM_M2: "an HBM channel transfers M2 operands",
    Cause.HBM_DPU: "an HBM channel transfers operands of the DPU",
    Cause.HBM_OUT: "an HBM channel stores results",
    Cause.HBM_LATENCY: "a piece has left its HBM channel and has not arrived",
    Cause.STAGING: "pieces move between HBM's landing and the global SRAM",
    Cause.BROADCAST: "another tile group holds the optical broadcast",
    Cause.SWITCH: "the optical broadcast turns from one tile group to another",
    Cause.DISPATCH: "the controller issues an operator",
    Cause.EDGE: "the tile has no rows in a row pass that other tiles work on",
    Cause.DONE: "no work is left",
}

UTILIZATION: Mapping[str, str] = {
    "core_busy": "shots of all cores, over the ticks of all cores: one shot a tick is 100 %",
    "occupied": "shots of all dot-product engines that have a row and a column, over ticks of all engines",
    "useful_macs": "MACs of the trace, over the peak of all engines and wavelengths",
}
