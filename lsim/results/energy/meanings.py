"""What each row of the energy of a run counts, by which formula, from which entries of the log; and what no row counts.

Energies per event follow Zhu et al., "Lightening-Transformer", HPCA 2024, and its released hardware estimator, from which a row
departs only where it says so. f is the photonic clock, b the width of an operand in bits, p that of a partial sum, T tiles of C
cores of Nh x Nv engines and Nλ wavelengths; a word is 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen
class Meaning:
    """One row: its definition, formula and the counters of `Label.amounts` (`entries`) that it is made of."""

    definition: str
    formula: str
    entries: tuple[str, ...] = ()
    unit: str = "pJ"


COMPONENTS: Mapping[str, Meaning] = {
    "laser": Meaning(
        "the lasers of all cores, lit all the time: they cannot be switched within a run",
        "laser power of the link budget · T·C · ticks / f",
    ),
    "tuning": Meaning(
        "holding the microdisks of all encoders on their wavelengths, two each, all the time; the released estimator "
        "charges it for the period of each encoding alone",
        "2 · microdisk power · Nλ·C·(Nh·T + Nv·streams) · ticks / f",
    ),
    "dac": Meaning(
        "converting operands that the encoders do not hold already",
        "DAC power at b and f / f, for each value",
        ("m1_encodings", "m2_encodings"),
    ),
    "modulator": Meaning(
        "driving the Mach-Zehnder modulators, a symbol for each value converted",
        "modulator.energy, for each value",
        ("m1_encodings", "m2_encodings"),
    ),
    "photodetector": Meaning(
        "two photodetectors of each engine that has a row and a column, in each shot; between shots they draw nothing",
        "2 · photodetector.power / f, for each shot of an engine",
        ("engine_shots",),
    ),
    "tia": Meaning(
        "the amplifier that integrates an output, in each shot that it integrates, the cores of a tile summed before it; the "
        "released estimator charges one shot of a group",
        "tia.power / f, for each shot of an output (engine_shots / C)",
        ("engine_shots",),
    ),
    "adc": Meaning(
        "sampling each group of integrated shots of each output",
        "ADC power at b and f / f, for each sample",
        ("conversions",),
    ),
    "adder": Meaning(
        "adding each sample to its sum, and sums of earlier K chunks that come back from the global SRAM",
        "adder.power / power_scaling / f, for each addition",
        ("conversions", "merged"),
    ),
    "registers": Meaning(
        "writing and reading the buffers beside the converters, b bits an encoding and p bits a sample (the released estimator: "
        "b bits); and their leakage",
        "2 · word.register · (b·encodings + p·samples) / 16, + buffer_macro.power · (2T + T·C + C) · ticks / f",
        ("m1_encodings", "m2_encodings", "conversions"),
    ),
    "interconnect": Meaning(
        "carrying each sample's sum from a converter towards the act SRAM, p bits (the released estimator: b bits)",
        "word.interconnect · p·samples / 16",
        ("conversions",),
    ),
    "m1_sram": Meaning(
        "filling the M1 SRAMs, and reading each value that is encoded; and their leakage, of one a tile",
        "word.local · (8·bytes in + b·encodings) / 16, + operand_sram_macro.power · T · ticks / f",
        ("m1_sram.in", "m1_encodings"),
    ),
    "m2_sram": Meaning(
        "filling the shared M2 SRAM, and reading each value that is encoded; and its leakage",
        "word.local · (8·bytes in + b·encodings) / 16, + operand_sram_macro.power · ticks / f",
        ("m2_sram.in", "m2_encodings"),
    ),
    "act_sram": Meaning(
        "writing sums to the act SRAMs, again and back for each K chunk that they wait for, and reading them out; and leakage",
        "word.local · 8·(bytes in + bytes out + 2 · bytes kept) / 16, + act_sram_macro.power · T · ticks / f",
        ("act_sram.in", "act_sram.out", "act_sram.kept"),
    ),
    "global_sram": Meaning(
        "reading and writing the global SRAM; and its leakage",
        "word.global_sram · 8·bytes / 16, + global_sram_macro.power · T · ticks / f",
        ("global_sram.in", "global_sram.out"),
    ),
    "hbm": Meaning("reading and writing HBM", "word.hbm · 8·bytes / 16", ("hbm.in", "hbm.out")),
    "dpu_buffers": Meaning(
        "filling and emptying the DPU's input and output buffers, priced as a local SRAM; the released estimator has none",
        "word.local · 8·bytes / 16",
        ("dpu_in.in", "dpu_in.out", "dpu_out.in", "dpu_out.out"),
    ),
    "dpu": Meaning(
        "operations of the DPU's lanes, by function; a row too long for a slot is swept twice and costs twice",
        "logic.operation · operations of an element; softmax: softmax_power / softmax_rate · b / 8 an element",
        (
            "dpu.softmax", "dpu.norm", "dpu.activation", "dpu.residual", "dpu.multiply", "dpu.rotary", "dpu.embedding",
        ),
    ),
}  # fmt: skip

SPLIT: Mapping[str, Meaning] = {
    "dynamic": Meaning("energy of events: nothing happens, nothing is spent", "events · energy of one"),
    "useful": Meaning(
        "static energy of the time in which MACs were done, as far as engines and wavelengths had work",
        "static power · ticks / f · MACs / (peak MACs a tick · ticks)",
        ("macs",),
    ),
    "dark": Meaning(
        "static energy of the rest, each tile having an equal share of all of it: by the root cause of the tile at that time",
        "static power / T · ticks of a cause / f, summed over tiles",
    ),
    "idle_engines": Meaning(
        "dark while a shot is fired: the share of engines without a row or a column",
        "(core_shots − engine_shots / (Nh·Nv)) / C, as ticks of a tile",
        ("core_shots", "engine_shots"),
    ),
    "idle_wavelengths": Meaning(
        "dark while a shot is fired: the share of wavelengths, and cores, beyond the depth",
        "(engine_shots − macs / Nλ) / (C·Nh·Nv), as ticks of a tile",
        ("engine_shots", "macs"),
    ),
    "compute": Meaning(
        "dark while the tile waits for the shots of another tile group",
        "(ticks of cause compute − shots) of a tile",
        ("shots",),
    ),
    "shared": Meaning(
        "energy of events that are no tile's own: M2 encoders, memories and DPU",
        "dynamic − dynamic of all tiles",
    ),
}

NOT_COUNTED: Mapping[str, str] = {
    "HBM background": "not published; the energy of a word is taken to hold its share of refresh and PHY [A]",
    "DPU leakage": "not published; the lanes' energy is an energy an operation",
    "controller, clock tree": "not published",
    "wires from the global SRAM": "not published; its word's energy is taken to hold them [A]",
    "optical switches": "no published energy of turning a broadcast stream",
    "warm-up": "a run begins with lasers lit and rings tuned",
    "cooling, voltage regulators": "outside the chip",
}
"""What no row counts, and why."""
