"""Do model and rows add up to the energy of the simulation, to the last fraction of a pJ, and is each row what its name says?"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import attention, gemm, layers, linear, machine, trace, vector
from strategies import runs

import lsim
from lsim import Result, load_arch, load_model, load_trace, predict
from lsim.arch import IDEALS, Arch, device_power, event_energy
from lsim.errors import InputError, LawBroken
from lsim.ledger.energy import EnergyLedger, energy_ledger
from lsim.models import Charges, Estimate
from lsim.results.energy.ledger_rows import component_of, kind_of
from lsim.trace import Kind, Operator

ARCHS = ["lt-b-4bit", "lt-l-8bit", "mrr-bank-4bit", "mzi-mesh-8bit"]


class Mine:
    """A model of odd numbers: some components of the simulation by its own names, some of the publication's, one of nobody's."""

    def __init__(self, *components: str) -> None:
        self.components = components

    def estimate(self, operator: Operator, arch: Arch) -> Estimate:
        return Estimate(
            1, {name: Fraction(len(operator.name) + i, 7) for i, name in enumerate(self.components)}
        )

    def terms(self, arch: Arch) -> dict[str, Estimate]:
        return {"more": Estimate(0, dict.fromkeys(self.components, Fraction(22, 7)))}


class Priced(Mine):
    """The same with what it charges for an event: a third of a pJ for a shot's light, nothing for a conversion."""

    def charges(self, arch: Arch) -> Charges:
        return Charges({"conversions": {"adc": Fraction(0)}}, {"core_shots": {"laser": Fraction(1, 3)}})


OF_ONES_OWN = {
    "one number": Mine("energy"),
    "own": Mine("laser", "modulator", "act_sram", "magic"),
    "alike": Mine("laser", "encoder", "local_sram", "leakage", "dpu"),
    "nothing": Mine(),
    "priced": Priced("laser", "adc", "encoder"),
}


def check(found: EnergyLedger, result: Result) -> None:
    """All sums, from the JSON alone."""
    told = json.loads(json.dumps(found.to_dict()))
    lines = told["operators"]
    for line in [told, *lines]:
        assert Fraction(line["model"]) + summed(line["rows"]) == Fraction(line["simulation"])
    for name, sides in told["components"].items():
        between = Fraction(sides["simulation"]) - Fraction(sides["model"])
        assert (
            between == summed(of(name, told["rows"])) == sum(summed(of(name, line["rows"])) for line in lines)
        )
    for side in ("model", "simulation"):
        assert Fraction(told[side]) == sum(Fraction(line[side]) for line in lines)
        assert Fraction(told[side]) == sum(Fraction(sides[side]) for sides in told["components"].values())
    assert Fraction(told["simulation"]) == result.energy().total_pj
    assert all(Fraction(pj) for line in [told, *lines] for pj in line["rows"].values())


def of(component: str, rows: dict[str, str | int]) -> dict[str, str | int]:
    return {name: pj for name, pj in rows.items() if component_of(name) == component}


def summed(rows: dict[str, str | int]) -> Fraction:
    return sum(map(Fraction, rows.values()), Fraction(0))


def ledger_of(result: Result, model: object = None, corrected: tuple[str, ...] = ()) -> EnergyLedger:
    asked = model or load_model("published", result.arch, corrected=corrected)
    found = energy_ledger(predict(asked, result.trace, result.arch), result)  # type: ignore[arg-type]
    assert found is not None
    return found


# -- sums ----------------------------------------------------------------------------------------------------------
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(runs(), st.sampled_from(["published", *OF_ONES_OWN]))
def test_is_model_and_rows_the_energy_of_the_simulation(result: Result, model: str) -> None:
    found = ledger_of(result, OF_ONES_OWN.get(model))
    check(found, result)
    told = [name for line in found.lines for name in line.operators]
    assert sorted(told) == sorted(op.name for op in result.trace.operators)


@pytest.fixture(scope="module", params=ARCHS)
def deit(request: pytest.FixtureRequest) -> Result:
    return lsim.simulate(load_trace("deit-tiny"), load_arch(request.param))


def test_is_it_so_on_each_kind_of_core_and_for_each_correction(deit: Result) -> None:
    form = load_model("published", deit.arch)
    for name in (*form.corrections, ""):  # type: ignore[union-attr]
        found = ledger_of(deit, corrected=(name,) if name else ())
        check(found, deit)
        said = predict(
            load_model("published", deit.arch, corrected=(name,) if name else ()), deit.trace, deit.arch
        )
        assert found.model == sum((said.components or {}).values())


def test_is_a_pj_that_is_missing_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    result = lsim.simulate(layers(2), machine())
    monkeypatch.setattr("lsim.ledger.energy._Books._terms", lambda _: iter(()))
    with pytest.raises(LawBroken, match=r"the energy of laser does not add up"):
        ledger_of(result, Mine("laser"))


def test_does_a_model_that_says_nothing_of_energy_have_no_ledger_of_it() -> None:
    found = lsim.validate(layers(2), machine(), "roofline")
    assert found.energy is None
    assert found.to_dict()["energy"] is None


@pytest.mark.parametrize(
    ("charges", "message"),
    [
        (lambda: Charges({"conversion": {"adc": 1}}), r"Wrong: charges: events: 'conversion' is no event of a dptc; did you mean 'conversions'"),
        (lambda: Charges({"conversions": {"adcs": 1}}), r"'adcs' is no component with energy of events; did you mean 'adc'"),
        (lambda: Charges({}, {"core_shots": {"adc": 1}}), r"charges: steady: 'adc' is no component with static power"),
        (lambda: Charges({"conversions": {"adc": -1}}), r"-1 is negative"),
        (lambda: {"conversions": 1}, r"Wrong: charges: .* is no Charges"),
    ],
)  # fmt: skip
def test_are_charges_of_what_no_simulation_has_refused(charges: Callable[[], object], message: str) -> None:
    class Wrong(Mine):
        def charges(self, arch: Arch) -> object:
            return charges()

    with pytest.raises(InputError, match=message):
        ledger_of(lsim.simulate(layers(2), machine()), Wrong("laser"))


def test_does_a_model_in_a_file_say_what_it_charges(tmp_path: Path) -> None:
    """A third of a pJ for each sample, and no ADC in the rows but for how many there are: of 27, 20 counted."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from fractions import Fraction\nfrom lsim.models import Charges, Estimate\n\n\n"
        "class Mine:\n"
        "    def estimate(self, operator, arch):\n        return Estimate(1, {'adc': Fraction(20, 3)})\n\n"
        "    def charges(self, arch):\n        return Charges({'conversions': {'adc': Fraction(1, 3)}})\n"
    )
    arch = machine()
    found = lsim.validate(linear(9, 3, 3), arch, f"{path}:Mine").energy
    assert found is not None
    price = event_energy(arch, device_power(arch).adc)
    assert found.of("adc") == {"adc.counts": Fraction(7, 3), "adc.prices": 27 * price - 9}


# -- each row ------------------------------------------------------------------------------------------------------
def test_is_light_counted_by_shots_and_dark_in_all_other_ticks(deit: Result) -> None:
    """Of every tick of every core: those of shots cost what the form charges for them, the others are dark by cause."""
    found, arch = ledger_of(deit), deit.arch
    each = event_energy(arch, device_power(arch).laser)
    shots = deit.statistics.amounts["core_shots"]
    dark = sum(pj for name, pj in found.of("laser").items() if kind_of(name) == "dark")
    assert dark == each * (deit.ticks * arch.core.tiles * arch.core.cores - shots)
    model, _ = found.components["laser"]
    rows = found.of("laser")
    assert model + rows.get("laser.arithmetic", 0) + rows.get("laser.counts", 0) == each * shots
    assert "laser.shots" not in rows and "laser.prices" not in rows


def test_are_conversions_and_encodings_those_of_the_run_at_the_price_of_the_model() -> None:
    """By hand, of 9 rows, 3 of depth and 3 columns in blocks of 4 x 2 and steps of 2: 27 outputs, each a sample, where the form
    has a sample of each output too; 2 steps, so that a TIA works for 2 shots of each where the form bills 1; sums of 16 bits, not 8."""
    arch = machine()
    result = lsim.simulate(linear(9, 3, 3), arch)
    found, power = ledger_of(result), device_power(arch)
    tia, adc = (event_energy(arch, one) for one in (power.tia, power.adc))
    assert found.components["adc"] == (27 * adc, 27 * adc)
    assert found.components["tia"] == (27 * tia, 2 * 27 * tia)
    assert found.of("tia") == {"tia.prices": 27 * tia}
    word = arch.devices.word
    assert found.of("interconnect") == {"interconnect.prices": word.interconnect * 27 * Fraction(16 - 8, 16)}
    assert found.rows["register.prices"] == 2 * word.register * 27 * Fraction(16 - 8, 16)


@pytest.mark.parametrize(
    ("correction", "rows"),
    [
        ("partial-sum-width", ["interconnect.prices", "register.prices", "local_sram.prices"]),
        ("tia-cycles", ["tia.prices"]),
        ("attention-sram-energy", []),
    ],
)
def test_is_a_row_zero_where_the_model_is_corrected(correction: str, rows: list[str]) -> None:
    result = lsim.simulate(attention(), machine(core__cores="2"))
    faithful, corrected = ledger_of(result), ledger_of(result, corrected=(correction,))
    assert faithful.rows.keys() >= {*rows}
    assert not {*rows} & corrected.rows.keys()


def test_is_no_arithmetic_left_where_all_of_it_is_corrected() -> None:
    result = lsim.simulate(load_trace("deit-tiny"), load_arch("lt-b-8bit"))
    faults = ("others-layers", "others-bits", "others-seconds", "sram-access", "attention-sram-energy")
    assert {name for name in ledger_of(result).rows if kind_of(name) == "arithmetic"} == {
        "dpu.arithmetic",
        "global_sram.arithmetic",
    }
    assert not [name for name in ledger_of(result, corrected=faults).rows if kind_of(name) == "arithmetic"]


@pytest.mark.parametrize(("rows", "depth", "columns"), [(8, 8, 8), (4, 24, 2), (16, 16, 6)])
def test_is_nothing_dark_and_no_light_or_sample_beyond_the_models_where_all_is_ideal_and_divides(
    rows: int, depth: int, columns: int
) -> None:
    work = trace(gemm("w", "x", "q", rows, depth, columns))
    result = lsim.simulate(work, machine(IDEALS))
    found = ledger_of(result, corrected=("tia-cycles", "partial-sum-width"))
    assert not [name for name in found.rows if kind_of(name) == "dark"]
    assert not {"laser", "detector", "tia"} & {component_of(name) for name in found.rows}


def test_is_a_component_that_the_model_does_not_have_a_row_of_its_own() -> None:
    work = trace(vector(Kind.SOFTMAX, ["z"], "p", 4, 8))
    result = lsim.simulate(work, machine())
    found = ledger_of(result, Mine("laser"))
    assert found.components["dpu"] == (0, result.energy().components["dpu"].total)
    assert found.of("dpu") == {"dpu.absent": found.components["dpu"][1]}
    laser = found.of("laser")
    assert {kind_of(name) for name in laser} == {"otherwise", "dark"}
    magic = ledger_of(result, Mine("magic"))
    assert magic.of("magic") == {"magic.otherwise": -magic.components["magic"][0]}


def test_is_leakage_set_against_that_of_a_model_which_has_it() -> None:
    result = lsim.simulate(layers(2), machine())
    found = ledger_of(result, corrected=("leakage",))
    names = ("registers", "m1_sram", "m2_sram", "act_sram", "global_sram")
    assert found.components["leakage"][1] == sum(result.energy().components[name].static for name in names)
    assert not [
        name for name in found.rows if component_of(name) in ("register", "local_sram") and "dark" in name
    ]


# -- between runs --------------------------------------------------------------------------------------------------
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(runs(), runs())
def test_are_the_rows_of_a_diff_the_difference_of_each_component(one: Result, other: Result) -> None:
    told = lsim.diff(one, other).to_dict()["energy"]
    energies = [run.energy() for run in (one, other)]
    assert [Fraction(told[side]) for side in "ab"] == [energy.total_pj for energy in energies]
    assert Fraction(told["difference"]) == energies[1].total_pj - energies[0].total_pj == summed(told["rows"])
    for name, sides in told["components"].items():
        assert Fraction(sides["b"]) - Fraction(sides["a"]) == Fraction(sides["difference"])
        assert Fraction(sides["difference"]) == summed(of(name, told["rows"]))
    assert lsim.diff(one, one).energy.rows == {}


def test_is_only_what_is_dark_different_between_runs_that_only_wait_differently() -> None:
    one, other = (lsim.simulate(layers(3), machine(hbm__latency=latency)) for latency in ("5 ns", "50 ns"))
    found = lsim.diff(one, other).energy
    assert {kind_of(name) for name in found.rows} == {"dark"}
    assert found.difference == one.energy().prices.static_pj * (other.ticks - one.ticks)
