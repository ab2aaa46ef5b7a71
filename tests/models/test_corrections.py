"""Does each correction change what it says, by as much as it should, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil

import pytest

from lsim.arch import load_arch
from lsim.errors import InputError
from lsim.models import Prediction, load_model, predict
from lsim.models.published import FORMS
from lsim.trace import Trace, load_trace

DEIT, BERT = load_trace("deit-tiny"), load_trace("bert-large")

# What a correction may change: ticks or an energy, of a label's operators ("*": of all GEMMs) or of a term.
TOUCHES = {
    "dptc": {
        "whole-blocks": {"*": {"ticks"}},
        "first-fill": {name: {"ticks"} for name in ("embed", "qkv", "proj", "ffn1", "ffn2", "head")},
        "others-layers": {"others": {"ticks", "dpu", "global_sram"}},
        "others-bits": {"others": {"ticks", "dpu", "global_sram"}},
        "others-seconds": {"others": {"ticks"}},
        "sram-access": {"others": {"ticks"}, "qk": {"ticks"}, "sv": {"ticks"}},
        "attention-sram-energy": {"qk": {"global_sram"}, "sv": {"global_sram"}},
        "partial-sum-width": {"*": {"register", "interconnect", "local_sram", "global_sram"}},
        "tia-cycles": {"*": {"tia"}},
        "leakage": {"leakage": {"leakage"}},
    },
    "mrr-bank": {
        "whole-blocks": {"*": {"ticks"}},
        "memory-bound": {"*": {"ticks"}},
        "others-layers": {"others": {"ticks", "dpu", "global_sram"}},
        "others-bits": {"others": {"ticks", "dpu", "global_sram"}},
        "others-seconds": {"others": {"ticks"}},
        "sram-access": {"others": {"ticks"}},
        "partial-sum-width": {"*": {"register", "interconnect", "local_sram", "global_sram"}},
    },
}
TOUCHES["mzi-mesh"] = {
    name: where | ({"qkv again": where["*"]} if "*" in where else {})
    for name, where in TOUCHES["mrr-bank"].items()
} | {"qkv-once": {"qkv again": {"ticks", *["laser", "dac", "encoder", "weights", "detector", "tia", "adc", "adder"],
                               *["register", "interconnect", "local_sram", "global_sram", "hbm"]}}}  # fmt: skip


def said(arch: str, corrected: Iterable[str] = (), trace: Trace = DEIT, **settings: str) -> Prediction:
    changed = {key.replace("__", "."): value for key, value in settings.items()}
    machine = load_arch(arch).with_settings(changed)
    return predict(load_model("published", machine, corrected=corrected), trace, machine)


def numbers(prediction: Prediction) -> dict[tuple[str, str, str], Fraction]:
    """Ticks and energies by (label or term, operator, what)."""
    labelled = [(op.label or op.kind.value, op.name, e) for op, e in prediction.operators]
    labelled += [(name, name, estimate) for name, estimate in prediction.terms.items()]
    found = {}
    for label, name, estimate in labelled:
        found[label, name, "ticks"] = estimate.ticks
        for component, energy in (estimate.energy_pj or {}).items():
            found[label, name, component] = energy
    return found


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, of in TOUCHES.items() for name in of])
def test_changes_a_correction_what_it_says_and_nothing_else(kind: str, name: str, bits: int) -> None:
    arch = f"{'lt-b' if kind == 'dptc' else kind}-{bits}bit"
    tiles = {"mzi-mesh": "5"}.get(kind, "7")  # so that no number of blocks divides evenly
    of = {"core__tiles": tiles, "broadcast__groups": "1"}
    before, after = numbers(said(arch, **of)), numbers(said(arch, [name], **of))
    changed = {key for key in before.keys() | after.keys() if before.get(key, 0) != after.get(key, 0)}
    where = TOUCHES[kind][name]
    for label, operator, what in changed:
        assert what in where.get(label, set()) | where.get("*", set()), operator
        assert label in where or label not in ("others", "leakage", "qkv again", "norm", "residual"), operator
    idle = {"others-bits": 4, "sram-access": None}.get(name, 0) == bits  # 4 bits are what was published
    assert bool(changed) is not idle


def test_is_every_correction_of_every_form_tested_here() -> None:
    assert {kind: set(of) for kind, of in TOUCHES.items()} == {
        kind: set(form.corrections) for kind, form in FORMS.items()
    }
    assert all(text for form in FORMS.values() for text in form.corrections.values())


@pytest.mark.parametrize(
    ("names", "what", "arch", "deit", "bert"),
    [
        (["whole-blocks"], "ticks", "lt-b-4bit", "3.39", "1.41"),
        (["first-fill"], "ticks", "lt-b-4bit", "1.93", "0.25"),
        (["others-layers", "others-bits", "others-seconds"], "ticks", "lt-b-4bit", "1.62", "0.43"),
        (["others-layers", "others-bits", "others-seconds"], "energy", "lt-b-4bit", "1.52", "0.45"),
        (["sram-access"], "ticks", "lt-b-4bit", "0.0", "0.0"),
        (["sram-access"], "ticks", "lt-b-8bit", "3.1", "0.42"),
        (["attention-sram-energy"], "energy", "lt-b-4bit", "0.6", "0.2"),
        (["leakage"], "energy", "lt-b-4bit", "1.6", "1.7"),
    ],
)
def test_how_much_is_it_of_the_published_totals(
    names: list[str], what: str, arch: str, deit: str, bert: str
) -> None:
    """In per cent, as recomputed from the totals of the released LT hardware estimator."""
    for trace, per_cent in ((DEIT, deit), (BERT, bert)):
        before, after = (said(arch, corrected, trace) for corrected in ((), names))
        if what == "ticks":
            factor = after.ticks / before.ticks
        else:
            factor = sum((after.components or {}).values()) / sum((before.components or {}).values())
        decimals = len(per_cent.partition(".")[2])
        assert abs(float(factor - 1) * 100 - float(per_cent)) <= 0.51 * 10**-decimals


def gemm_energy(prediction: Prediction, label: str, component: str) -> Fraction:
    estimate = next(e for op, e in prediction.operators if op.label == label)
    return (estimate.energy_pj or {})[component]


def test_how_many_cycles_is_a_tia_on() -> None:
    # ffn2: 192 x 197 outputs, 768/12 = 64 depth blocks over 2 cores, sums of 3 shots
    before, after = (said("lt-b-4bit", names) for names in ((), ["tia-cycles"]))
    each = Fraction(3, 5)  # 3 mW at 5 GHz, in pJ
    assert gemm_energy(before, "ffn2", "tia") == each * 192 * 197 * ceil(ceil(64 / 3) / 2)
    assert gemm_energy(after, "ffn2", "tia") == each * 192 * 197 * 32


def test_how_wide_are_partial_sums() -> None:
    # ffn2 fills ⌈12·768·4/8/4096⌉ = 2 slots: 1 reload of partial sums of 16 bits, and results of 4
    before, after = (said("lt-b-4bit", names) for names in ((), ["partial-sum-width"]))
    conversions = 192 * 197 * 11
    assert gemm_energy(before, "ffn2", "interconnect") == 2 * conversions * Fraction(1, 4)
    assert gemm_energy(after, "ffn2", "interconnect") == 2 * conversions
    more = gemm_energy(after, "ffn2", "local_sram") - gemm_energy(before, "ffn2", "local_sram")
    assert more == Fraction("0.92") * 192 * 197 * 2 * (1 - Fraction(1, 4))


def test_how_are_whole_blocks_dealt_out() -> None:
    # qk: 3 heads of 17 x 17 x 6 blocks; 5 rows of blocks a tile, 3 depth blocks a core
    before, after = (said("lt-b-4bit", names) for names in ((), ["whole-blocks"]))
    ticks = [next(e.ticks for op, e in one.operators if op.label == "qk") for one in (before, after)]
    assert ticks == [ceil(3 * 17 * 17 * 6 / 8), 3 * 5 * 17 * 3]
    ring = [next(e.ticks for op, e in said("mrr-bank-4bit", names).operators if op.label == "sv")
            for names in ((), ["whole-blocks"])]  # fmt: skip
    # sv: V of 3 heads is 6 x 17 blocks, past which 197 rows of S stream, in one pass
    assert ring == [ceil(3 * 6 * 17 * 197 / 14), ceil(3 * 6 * 17 / 14) * 197]


def test_what_does_leakage_draw() -> None:
    after = said("lt-b-4bit", ["leakage"])
    power = Fraction("315.2512") + 5 * Fraction("0.172725") + (2 * 4 + 8 + 2) * Fraction("0.0154")
    seconds = after.ticks / (5 * 10**9)
    assert (after.terms["leakage"].energy_pj or {})["leakage"] == power * seconds * 10**9


def test_do_corrections_add_up_where_they_touch_different_things() -> None:
    names = ["attention-sram-energy", "tia-cycles", "others-layers"]
    each = sum(sum((said("lt-b-4bit", [n]).components or {}).values()) for n in names)
    none = sum((said("lt-b-4bit").components or {}).values())
    assert sum((said("lt-b-4bit", names).components or {}).values()) - none == each - 3 * none


def test_does_all_mean_all() -> None:
    machine = load_arch("mzi-mesh-4bit")
    form = load_model("published", machine, corrected=["all"])
    assert getattr(form, "corrected") == frozenset(FORMS["mzi-mesh"].corrections)  # noqa: B009
    assert predict(form, DEIT, machine).faults == {}


@pytest.mark.parametrize(
    ("arch", "options", "message"),
    [
        (
            "lt-b-4bit", {"corrected": ["whole-block"]},
            "--correct: 'whole-block' is no fault of the published model of a dptc; did you mean 'whole-blocks'?; allowed: ",
        ),
        (
            "lt-b-4bit", {"corrected": ["qkv-once"]},
            "--correct: 'qkv-once' is no fault of the published model of a dptc; ",
        ),
        (
            "mrr-bank-4bit", {"level": "arch_opt"},
            "--level: 'arch_opt' is no level of the published model of a mrr-bank; allowed: ws",
        ),
        (
            "lt-b-4bit", {"level": "crosbar"},
            "--level: 'crosbar' is no level of the published model of a dptc; did you mean 'crossbar'?;"
            " allowed: arch_opt, crossbar, broadcast",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_choice_that_is_not_there(
    arch: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as error:
        load_model("published", load_arch(arch), **options)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)


def test_is_a_machine_of_another_kind_refused() -> None:
    with pytest.raises(InputError, match=r"is a mrr-bank, and this is the published model of a dptc"):
        predict(FORMS["dptc"](), DEIT, load_arch("mrr-bank-4bit"))
