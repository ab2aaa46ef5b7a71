"""What the numbers of a generation mean, of its run and of what is in it."""

from __future__ import annotations

from lsim.results.meaning import PHOTONIC, Meaning, in_ticks

_STEPS = "run of each step"

OF_GENERATIONS = (
    Meaning("generation.tokens", "new tokens of all sequences, the first of each included", "tokens", "", "Σ generation.steps.tokens", "", ("trace show: tokens",)),
    Meaning("generation.tokens_per_second", "new tokens of all sequences over the length of the run", "tokens/s", PHOTONIC, "generation.tokens / seconds"),
    Meaning("generation.time_to_first_token", "time to the end of the first step that gives a new token: without a schedule, the one that reads the prompt", "s", PHOTONIC, "end of that step / core.clock; null if no step gives one"),
    Meaning("generation.time_per_output_token", "mean length of the steps after the first that gives a new token: the time between the new tokens of a sequence that is in all of them; null where there is none", "s", PHOTONIC, "(ticks − end of that step) / steps after it / core.clock"),
    Meaning("generation.requests.*.tokens", "new tokens that a request of a schedule gets", "tokens"),
    in_ticks("generation.requests.*.start", "begin of the first step that a request of a schedule is in", "generation.steps.start of that step"),
    in_ticks("generation.requests.*.end", "end of the step that gives a request of a schedule its last new token; null if it gets none", "generation.steps.start + generation.steps.ticks of that step"),
    Meaning("generation.requests.*.time_to_first_token", "time from the begin of the first step that a request is in to the end of the step that gives its first new token; a wait before that first step is not in it: a schedule does not say when a request was made; null if it gets none", "s", PHOTONIC, "(end of that step − generation.requests.*.start) / core.clock"),
    Meaning("generation.requests.*.time_per_output_token", "mean time between the new tokens of a request, steps that it is not in included; null if it gets fewer than two", "s", PHOTONIC, "(generation.requests.*.end − end of the step of its first token) / (generation.requests.*.tokens − 1) / core.clock"),
    Meaning("generation.energy_per_token", "energy of all steps, prompts included, over the new tokens of all sequences", "pJ", "", "energy.total / generation.tokens; null if there are none"),
    Meaning("generation.simulated_steps", "steps that were simulated; each other must take the ticks of the last of these before it", "steps"),
    in_ticks("generation.causes.*", "ticks of all tiles by root cause, over all steps; those of a cause are as in tiles.*", "Σ over steps of Σ tiles.*", _STEPS),
    Meaning("generation.phases.*.steps", "steps of a phase", "steps"),
    Meaning("generation.phases.*.tokens", "new tokens of all sequences in a phase", "tokens"),
    in_ticks("generation.phases.*.ticks", "length of all steps of a phase", "Σ generation.steps.ticks of its steps"),
    Meaning("generation.phases.*.macs", "multiply-accumulates of all steps of a phase", "MACs", "", "", "amounts of the cores' blocks"),
    Meaning("generation.phases.*.utilization.*", "what the cores did over what they could have done in a phase, as utilization.*", "share", PHOTONIC, "as utilization.*", "amounts of the cores' blocks"),
    in_ticks("generation.phases.*.causes.*", "ticks of all tiles by root cause in a phase; those of a cause are as in tiles.*", "Σ over its steps of Σ tiles.*", _STEPS),
    Meaning("generation.phases.*.bytes.*.*", "bytes into or out of a memory in a phase, as bytes.*", "B", "", "", "records that count them"),
    Meaning("generation.phases.*.energy.*", "energy of a phase: total, dynamic of events, useful while MACs were done", "pJ", "", "as energy.*", _STEPS),
    Meaning("generation.phases.*.energy.dark.*", "static power of a phase by what was waited for instead of doing MACs", "pJ", "", "as energy.dark.*", _STEPS),
    Meaning("generation.steps.tokens.*", "new tokens that a step gives, one a sequence", "tokens"),
    Meaning("generation.steps.macs.*", "multiply-accumulates of a step", "MACs"),
    in_ticks("generation.steps.start.*", "tick at which a step begins: when the one before has ended", "Σ generation.steps.ticks before it"),
    in_ticks("generation.steps.ticks.*", "length of a step: time per output token, of a decode step", "ticks of its trace run alone", _STEPS),
    Meaning("generation.steps.as_step.*", "number of the step that was simulated for it, from 0: its own, or one that takes the same ticks", "1, from 0"),
    Meaning("generation.steps", "steps of a generation", "steps", also=("trace show: steps",)),
    Meaning("phases.*.steps", "steps of a phase", "steps", also=("trace show: phases.*.steps",)),
    Meaning("phases.*.tokens", "new tokens that each step of the phase gives, one a sequence", "tokens", also=("trace show: phases.*.tokens",)),
    Meaning("phases.*.operators", "operators of each step of the phase", "operators", also=("trace show: phases.*.operators",)),
    *(
        Meaning(f"phases.*.{name}", f"multiply-accumulates of {said}", "MACs", also=(f"trace show: phases.*.{name}",))
        for name, said in (("first_macs", "the first step of a phase"), ("last_macs", "the last step of a phase"), ("macs", "all steps of a phase"))
    ),
)  # fmt: skip
