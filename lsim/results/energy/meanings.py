"""What each row of the energy of a run counts, by which formula, from which entries of the log; and what no row counts.

Energies per event follow Zhu et al., "Lightening-Transformer", HPCA 2024, and its released hardware estimator, from which a row
departs only where it says so. f is the photonic clock, b the width of an operand in bits, which converters resolve, p that of a
partial sum, T tiles of C cores of Nh x Nv engines and Nλ wavelengths; a word is 16 bits. Entries are counters of
`lsim.kernel.labels.Label.amounts`.
"""

from __future__ import annotations

from collections.abc import Mapping

from lsim.results.meaning import Meaning

UNIT = "pJ"


def _shown(*paths: str) -> tuple[str, ...]:
    """Where the number is, in a run's JSON and in that of its energy alone."""
    return tuple(f"{where}{path}" for path in paths for where in ("run: energy.", "inspect --energy: "))


def _of(name: str, definition: str, formula: str, *entries: str) -> tuple[str, Meaning]:
    paths = _shown(f"components.{name}.*", f"components.{name}.dark.*")
    told = ", ".join(entries)
    return name, Meaning(f"energy.components.{name}.*", definition, UNIT, "", formula, told, paths[1:])


COMPONENTS: Mapping[str, Meaning] = dict(
    (
        _of(
            "laser", "the lasers of all cores, lit all the time: they cannot be switched within a run",
            "laser power of the link budget · T·C · ticks / f",
        ),
        _of(
            "tuning", "holding the microdisks or microrings of all encoders on their wavelengths, all the time; the released "
            "estimator charges it for the period of each encoding alone",
            "dptc: 2 · microdisk.power · Nλ·C·(Nh·T + Nv·streams) · ticks / f; mrr-bank: microring.power · Nλ·C·T · ticks / f",
        ),
        _of(
            "dac", "converting operands that the encoders do not hold already, and what is written to be held",
            "DAC power at b and f / f, for each value",
            "m1_encodings", "m2_encodings", "inputs", "held", "phases", "diagonals",
        ),
        _of(
            "modulator", "driving the Mach-Zehnder modulators, of an mrr-bank the microrings, a symbol for each value that passes",
            "modulator.energy, of an mrr-bank microring.energy, for each value",
            "m1_encodings", "m2_encodings", "inputs",
        ),
        _of(
            "weights", "what cores hold: microrings written, and on their resonance all the time (the released estimator: in each "
            "shot alone); phases of a mesh, which need no power once written, and its diagonal",
            "microring.energy, mzi.energy, or modulator.energy (diagonal), for each value written; mrr-bank: + microring.power · "
            "Nh·Nλ·C·T · ticks / f",
            "held", "phases", "diagonals",
        ),
        _of(
            "photodetector", "two photodetectors of each engine that has a row and a column, in each shot; between shots they draw nothing",
            "2 · photodetector.power / f, for each shot of an engine",
            "engine_shots",
        ),
        _of(
            "tia", "the amplifier that integrates an output, in each shot that it integrates, the cores of a tile summed before it; the "
            "released estimator charges one shot of a group",
            "tia.power / f, for each shot of an output (engine_shots / C)",
            "engine_shots",
        ),
        _of(
            "adc", "sampling each group of integrated shots of each output, the cores of a tile summed before",
            "ADC power at b and f / f, for each sample",
            "conversions",
        ),
        _of(
            "adder", "adding each sample to its sum, and sums of earlier K chunks that come back from the global SRAM",
            "adder.power / power_scaling / f, for each addition",
            "conversions", "merged",
        ),
        _of(
            "registers", "writing and reading the buffers beside the converters, b bits a value, however wide it was stored, and p bits a sample (the released "
            "estimator: b bits); and their leakage: two buffers a tile, one a core for M1, and for M2 one for each of C cores (where "
            "cores hold an operand, for each of T·C) [A]",
            "2 · word.register · (b·values + p·samples) / 16, + buffer_macro.power · buffers · ticks / f",
            "m1_encodings", "m2_encodings", "inputs", "held", "phases", "diagonals", "conversions",
        ),
        _of(
            "interconnect", "carrying each sample's sum from a converter towards the act SRAM, p bits (the released estimator: b bits)",
            "word.interconnect · p·samples / 16",
            "conversions",
        ),
        _of(
            "m1_sram", "filling the M1 SRAMs, and reading each value that is encoded or written to be held, as wide as it is stored (a mesh: before it is "
            "factorised); and their leakage, of one a tile",
            "word.local · (8·bytes in + bits fed) / 16, + operand_sram_macro.power · T · ticks / f",
            "m1_sram.in", "m1_fed_bits",
        ),
        _of(
            "m2_sram", "filling the shared M2 SRAM, and reading each value that is fed, as wide as it is stored, once for all tiles; and its leakage",
            "word.local · (8·bytes in + bits fed) / 16, + operand_sram_macro.power · ticks / f",
            "m2_sram.in", "m2_fed_bits",
        ),
        _of(
            "act_sram", "writing sums to the act SRAMs, again and back for each K chunk that they wait for, and reading them out; and leakage",
            "word.local · 8·(bytes in + bytes out + 2 · bytes kept) / 16, + act_sram_macro.power · T · ticks / f",
            "act_sram.in", "act_sram.out", "act_sram.kept",
        ),
        _of(
            "global_sram", "reading and writing the global SRAM; and its leakage",
            "word.global_sram · 8·bytes / 16, + global_sram_macro.power · T · ticks / f",
            "global_sram.in", "global_sram.out",
        ),
        _of("hbm", "reading and writing HBM", "word.hbm · 8·bytes / 16", "hbm.in", "hbm.out"),
        _of(
            "dpu_buffers", "filling and emptying the DPU's input and output buffers, priced as a local SRAM; the released estimator has none",
            "word.local · 8·bytes / 16",
            "dpu_in.in", "dpu_in.out", "dpu_out.in", "dpu_out.out",
        ),
        _of(
            "dpu", "operations of the DPU's lanes, by function; a row too long for a slot is swept twice and costs twice",
            "logic.operation · operations of an element; softmax: softmax_power / softmax_rate · bits of a stored activation / 8 an element",
            "dpu.softmax", "dpu.norm", "dpu.activation", "dpu.residual", "dpu.multiply", "dpu.rotary", "dpu.embedding",
        ),
    )
)  # fmt: skip
"""Of its rows `dynamic`, `useful` and `dark`, by component."""


def _dark(name: str, definition: str, formula: str, *entries: str) -> tuple[str, Meaning]:
    paths = _shown(f"dark.{name}", f"tiles.*.dark.{name}")
    told = f"dark while {definition}"
    return name, Meaning(f"energy.dark.{name}", told, UNIT, "", formula, ", ".join(entries), paths[1:])


DARK: Mapping[str, Meaning] = dict(
    (
        _dark(
            "idle_engines", "a shot is fired: the share of engines without a row or a column",
            "(core_shots − engine_shots / (Nh·Nv)) / C, as ticks of a tile",
            "core_shots", "engine_shots",
        ),
        _dark(
            "signs", "a shot is fired: that of another sign of what passes, once its step has had one",
            "engine_shots · (1 − steps / shots) / (C·Nh·Nv), as ticks of a tile",
            "engine_shots", "steps", "shots",
        ),
        _dark(
            "idle_wavelengths", "a shot is fired: the share of wavelengths, and cores, beyond the depth",
            "(engine_shots · steps / shots − macs / Nλ) / (C·Nh·Nv), as ticks of a tile",
            "engine_shots", "steps", "shots", "macs",
        ),
        _dark(
            "compute", "the tile waits for the shots of another tile group",
            "(ticks of cause compute − shots) of a tile",
            "shots",
        ),
        _dark("*", "something else happens: by the root cause of the tile", "static power / T · ticks of the cause / f, summed over tiles"),
    )
)  # fmt: skip
"""Static energy of the time, or the share of it, in which no MAC was done; each tile has an equal share of static power."""


def _also(name: str, definition: str, formula: str, entries: str, *paths: str) -> Meaning:
    shown = _shown(*(paths or (name,)))
    return Meaning(f"energy.{name}", definition, UNIT, "", formula, entries, shown[1:])


OF_ENERGY = (
    _also("total", "energy of the run", "dynamic + useful + Σ dark", ""),
    _also("dynamic", "energy of events: nothing happens, nothing is spent", "Σ events · energy of one", "records that count them", "dynamic", "tiles.*.dynamic"),
    _also("useful", "static energy of the time in which MACs were done, as far as engines and wavelengths had work", "static power · ticks / f · MACs / (peak MACs a tick · ticks)", "macs", "useful", "tiles.*.useful"),
    *DARK.values(),
    *COMPONENTS.values(),
    _also("parts.*", "energy of the events that the part's records count; static power belongs to no part", "Σ events · energy of one", "records of the part"),
    _also("shared", "energy of events that are no tile's own: encoders that tiles share, memories and DPU", "dynamic − dynamic of all tiles", ""),
    _also("operators.*.dynamic", "energy of the events of an operator or fused chain", "Σ events · energy of one", "records at its items"),
    _also("operators.*.static", "all static energy from the retirement of what stands before the operator in the trace to its own", "static power · ticks / f", "records of retire"),
)  # fmt: skip

NOT_COUNTED: Mapping[str, str] = {
    "HBM background": "not published; the energy of a word is taken to hold its share of refresh and PHY [A]",
    "DPU leakage": "not published; the lanes' energy is an energy an operation",
    "opaque operators": "what they compute is not known; what they move is counted",
    "controller, clock tree": "not published",
    "wires from the global SRAM": "not published; its word's energy is taken to hold them [A]",
    "optical switches": "no published energy of turning a broadcast stream",
    "phases of a mesh": "their factorisation is not published; held, they draw nothing in the released estimator",
    "warm-up": "a run begins with lasers lit and rings tuned",
    "cooling, voltage regulators": "outside the chip",
}
"""What no row counts, and why."""
