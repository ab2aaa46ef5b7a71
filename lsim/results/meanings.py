"""What each number means that any command shows: the one place that says it.

A new number gets a `Meaning` here; a test walks what the commands print as JSON and fails for one without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lsim.errors import InputError
from lsim.kernel.labels import Cause
from lsim.results.energy.meanings import OF_ENERGY
from lsim.results.generation_meanings import OF_GENERATIONS
from lsim.results.ledger_meanings import of_ledgers
from lsim.results.meaning import PHOTONIC, Meaning, in_ticks
from lsim.results.model_meanings import OF_MODELS

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
    Cause.DONE: "no work is left; of a port, nobody asks for it",
}

UTILIZATION: Mapping[str, str] = {
    "core_busy": "shots of all cores, over the ticks of all cores: one shot a tick is 100 %",
    "occupied": "shots of all dot-product engines that have a row and a column, over ticks of all engines",
    "useful_macs": "MACs of the trace, over the peak of all engines and wavelengths",
}


_LABELS = "states of the part's records"
_SHOTS = "blocks of all cores, by shots"


_RUN = (
    in_ticks("ticks", "length of the run, to the end of its last program", "", "tick of the last record of a program"),
    Meaning("seconds", "length of the run", "s", PHOTONIC, "ticks / core.clock"),
    Meaning("macs", "multiply-accumulates of the trace", "MACs", "", "Σ heads · rows · depth · columns of its GEMMs", "", ("run: trace.macs", "trace show: macs", "trace list: *.macs")),
    Meaning("trace.operators", "operators of the trace", "operators", also=("trace list: *.operators",)),
    Meaning("trace.masked_macs", "of the MACs, those of a query and a key that it does not need: a causal mask takes their result away, and they are computed all the same", "MACs", "", "Σ over causal attentions: macs · (1 − pairs needed / pairs computed)", also=("trace show: masked_macs",)),
    Meaning("trace.skipped_macs", "MACs of the dense products of causal attention that are not computed, since its queries are in bands; macs + skipped_macs are those of the dense trace", "MACs", "", "Σ over bands: macs · (tokens / keys − 1)", also=("trace show: skipped_macs",)),
    Meaning("arch.widths.*", "width at which weights, activations or KV entries are stored and moved; bits: which converters resolve; left out where all are one", "bit", also=("estimate: widths.*", "validate: widths.*", "arch show: widths.*", "arch show --area: widths.*")),
    Meaning("events", "events that were simulated", "events", entries="none: folding skips events and changes nothing else"),
    Meaning("folds", "stretches that were repeated without simulating them again", "folds", entries="folds of the log"),
    Meaning("cpu_s", "processor time of planning, simulating and checking; the only number that differs from run to run", "s", "CPU of this computer"),
    Meaning("utilization.core_busy", UTILIZATION["core_busy"], "share", PHOTONIC, "Σ core_shots / (core.tiles · core.cores · ticks)", _SHOTS),
    Meaning("utilization.occupied", UTILIZATION["occupied"], "share", PHOTONIC, "Σ engine_shots / (core.tiles · core.cores · core.rows · core.columns · ticks)", _SHOTS),
    Meaning("utilization.useful_macs", UTILIZATION["useful_macs"], "share", PHOTONIC, "macs / (core.tiles · core.cores · core.rows · core.columns · core.wavelengths · ticks)", _SHOTS),
    in_ticks("parts.*.busy", "ticks in which the part serves its own work", "ticks − idle − Σ waiting", _LABELS, "inspect --window: *.busy", "inspect --bins: parts.*.busy.*"),
    in_ticks("parts.*.idle", "ticks until the controller issues work to the part; of a port, until somebody asks", "", _LABELS, "inspect --window: *.idle", "inspect --bins: parts.*.idle.*"),
    Meaning("operators.*.macs", "multiply-accumulates of the operator", "MACs", "", "heads · rows · depth · columns; 0 of a vector operator", "", ("trace show: operators.*.macs",)),
    in_ticks("operators.*.start", "tick at which the operator's issue begins", "", "record of the controller at its item"),
    in_ticks("operators.*.end", "tick at which its last result is in place", "max over the processes that complete it", "first record behind its last item"),
)  # fmt: skip

_TRACE = (
    *(
        Meaning(f"trace.bytes.{role}", f"bytes of {said}, packed at so many bits an element", "B", also=(f"trace show: bytes.*.{role}",))
        for role, said in (
            ("weight", "all weights"),
            ("activation", "what operators write for others to read"),
            ("kv", "entries of the KV cache, new and old"),
            ("input", "the inputs of the model"),
        )
    ),
    Meaning("intensity", "arithmetic intensity: MACs of a byte fetched", "MACs/B", "", "macs / bytes of the weights and KV entries that GEMMs read, each once, at so many bits an element", also=("trace show: intensity.*",)),
    Meaning("repeats.*.count", "how often the same operators follow each other: what folding uses", "times", also=("trace show: repeats.*.count",)),
    Meaning("repeats.*.start", "place of the first of them among the operators, from 0", "operators", also=("trace show: repeats.*.start",)),
    Meaning("repeats.*.macs", "multiply-accumulates of one repetition", "MACs", "", "Σ macs of its operators", also=("trace show: repeats.*.macs",)),
    Meaning("parameters", "elements of all weights", "elements", also=("trace show: parameters", "trace list: *.parameters")),
    *(
        Meaning(f"operators.*.{name}", said, unit, also=(f"trace show: operators.*.{name}",))
        for name, said, unit in (
            ("heads", "GEMMs of the same size side by side, or rows' groups of a vector operator", "heads"),
            ("rows", "rows of the result, of one head", "rows"),
            ("depth", "K: terms of each sum; 0 of a vector operator", "elements"),
            ("columns", "columns of the result, of one head", "columns"),
            ("window", "keys that a query sees, its own included, where not all; else null", "tokens"),
        )
    ),
    Meaning("operators.*.band.*", "the queries of a band of causal attention: the first, the one after the last, and those of the whole sequence; null where it is in no bands", "queries", also=("trace show: operators.*.band.*",)),
)  # fmt: skip

_INSPECT = (
    Meaning("block.index", "which of the items that the part does for the operator it has in hand, from 0", "items", "", "items done − items of the operators before", "position of the part's last record", ("inspect --at: *.block.index", "inspect --blame: *.block.index")),
    Meaning("block.items", "items that the part does for the operator; of both together where two take turns", "items", "", "", "", ("inspect --at: *.block.items", "inspect --blame: *.block.items")),
    *(
        Meaning(f"block.{name}", said, "1, from 0", "", "", "position of the part's last record", (f"inspect --at: *.block.{name}", f"inspect --blame: *.block.{name}"))
        for name, said in (
            ("head", "head of the operator that the block belongs to"),
            ("outer_panel", "outer panel of the M2 operand: columns that pass all rows before the next"),
            ("row_pass", "pass over rows, a row block of every tile"),
            ("inner_panel", "inner panel: column blocks of a pass that have act slots at once"),
            ("chunk", "K chunk"),
            ("column_block", "column block, counted over all panels"),
        )
    ),
    in_ticks("begin", "first tick of a bin or a wait", "", "", "inspect --bins: begin.*", "inspect --waits: *.begin"),
    in_ticks("end", "tick after the last of a bin or a wait", "", "", "inspect --bins: end.*", "inspect --waits: *.end"),
    in_ticks("waits.*.ticks", "length of a single wait", "end − begin", "a record of waiting up to the part's next", "inspect --waits: *.ticks"),
    Meaning("waits.*.times", "how often this wait, of this length, happens: folding repeats it", "waits", also=("inspect --waits: *.times",)),
    Meaning("shots.core_shots", "shots of cores that have a row", "shots", "", "a block in part: the shots inside", _SHOTS, ("inspect --bins: shots.core_shots.*",)),
    Meaning("shots.engine_shots", "shots of dot-product engines that have a row and a column", "shots", "", "Σ core_shots · rows · columns", _SHOTS, ("inspect --bins: shots.engine_shots.*",)),
    Meaning("shots.macs", "multiply-accumulates, in the ticks of their shots", "MACs", "", "engine_shots · core.wavelengths; of a block's last shot what is left", _SHOTS, ("inspect --bins: shots.macs.*",)),
)  # fmt: skip

_MEMORIES: Mapping[str, str] = {
    "hbm": "HBM",
    "global_sram": "the global SRAM",
    "m1_sram": "the M1 operand SRAMs",
    "m2_sram": "the M2 operand SRAM",
    "act_sram": "the act SRAMs: partial sums and results of the cores",
    "dpu_in": "the DPU's input buffer",
    "dpu_out": "the DPU's output buffer",
}


def _causes() -> Iterator[Meaning]:
    for cause, said in CAUSES.items():
        shown = f"inspect --window: *.waiting.{cause}", f"inspect --bins: parts.*.waiting.{cause}.*"
        yield in_ticks(
            f"tiles.*.{cause}",
            f"ticks of a tile in which {said}",
            "",
            "states of the tile's cores; blocks by their shots",
        )
        outside = "the cores work on a block, its feed and ADC included" if cause is Cause.COMPUTE else said
        yield in_ticks(f"parts.*.waiting.{cause}", f"ticks that the part waits while {outside}", "", f"{_LABELS}, whom it waits for followed to one that is busy", *shown)  # fmt: skip


def _bytes() -> Iterator[Meaning]:
    for memory, said in _MEMORIES.items():
        for way, verb in (("in", "written to"), ("out", "read from")):
            yield Meaning(
                f"bytes.{memory}.{way}", f"bytes {verb} {said}", "B", "", "", "records that count them"
            )


MEANINGS: Mapping[str, Meaning] = {
    meaning.name: meaning
    for meaning in (
        *_RUN,
        *_causes(),
        *_bytes(),
        *OF_ENERGY,
        *_INSPECT,
        *_TRACE,
        *OF_MODELS,
        *of_ledgers(CAUSES),
        *OF_GENERATIONS,
    )
}


def explain(name: str) -> list[Meaning]:
    """The numbers of a name: in full, with names in the places of its stars, or its last words only. Raises InputError for none."""
    if name in MEANINGS:
        return [MEANINGS[name]]
    shown = [(path.count("*"), m) for m in MEANINGS.values() for path in m.paths if _stands_for(path, name)]
    least = min((stars for stars, _ in shown), default=0)  # the one that says most of it
    found = list({m.name: m for stars, m in shown if stars == least}.values())
    found = found or [m for m in MEANINGS.values() if m.name.endswith(f".{name}")]
    if not found:
        words = dict.fromkeys([*MEANINGS, *(m.name.rpartition(".")[2] for m in MEANINGS.values())])
        raise _unknown(name, words)
    return found


def _stands_for(path: str, name: str) -> bool:
    """Whether a place where a number is shown is that of the name in the JSON of a run."""
    command, _, starred = path.partition(": ")
    return command == "run" and bool(re.fullmatch(re.escape(starred).replace(r"\*", ".+"), name))


def _unknown(name: str, words: Mapping[str, None]) -> InputError:
    from lsim.errors import closest

    near = closest(name, words)
    mean = f"; did you mean {near!r}?" if near else ""
    return InputError(
        f"{name!r} is not a number that lsim shows{mean}; `lsim explain` lists them", place="lsim explain"
    )


def as_markdown() -> str:
    """The page of all numbers, `docs/numbers.md`."""
    lines = [
        "# Numbers",
        "",
        "Every number that a command shows, by its name in `lsim run --json` or in `lsim inspect`. This page is what",
        "`lsim explain --markdown` prints. A * stands for any name. Ticks are cycles of the photonic clock.",
        "",
        "| name | definition | unit | formula | sums, of the log |",
        "|---|---|---|---|---|",
    ]
    for m in MEANINGS.values():
        cells = (f"`{m.name}`", m.definition, m.unit, m.formula, m.entries)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
