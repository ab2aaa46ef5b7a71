"""The numbers of closed forms: estimates of a trace, area and power of a chip."""

from __future__ import annotations

from collections.abc import Mapping

from lsim.results.meaning import Meaning

_COMPONENTS: Mapping[str, str] = {
    "laser": "the lasers",
    "comb": "the frequency combs",
    "dac": "the digital-to-analog converters",
    "encoder": "the modulators and the rings beside them",
    "weights": "what a core holds: hold and write",
    "detector": "the photodetectors",
    "tia": "the transimpedance amplifiers",
    "adc": "the analog-to-digital converters",
    "adder": "the adders that gather partial sums",
    "photonic_core": "the dot-product engines and the trees that spread light to them",
    "memory": "all SRAMs",
    "register": "registers at the converters",
    "interconnect": "the way from converters to buffers",
    "local_sram": "the operand and activation SRAMs",
    "global_sram": "the global SRAM",
    "hbm": "HBM",
    "dpu": "softmax, norms, residuals and GELU",
    "leakage": "the SRAMs at rest",
}
_AREA = ("laser", "comb", "dac", "encoder", "adc", "tia", "photonic_core", "adder", "memory")
_POWER = ("laser", "dac", "encoder", "adc", "tia", "detector", "adder", "memory")


def _estimates() -> tuple[Meaning, ...]:
    names = ("latency_ms", "ticks", "energy_mj")
    said = {
        "latency_ms": ("time that a model says", "ms", "ticks / core.clock"),
        "ticks": ("the same, exactly: an integer, or a fraction p/q as text", "ticks", ""),
        "energy_mj": ("energy that a model says", "mJ", "Σ components"),
    }
    found = []
    for name in names:
        definition, unit, formula = said[name]
        shown = tuple(f"estimate: {where}{name}" for where in ("", "operators.*.", "terms.*."))
        found.append(Meaning(f"estimate.{name}", definition, unit, "", formula, also=shown))
    return tuple(found)


def _components() -> tuple[Meaning, ...]:
    return tuple(
        Meaning(f"components.{name}", f"energy of {said}, by a closed form", "mJ", also=(f"estimate: components.{name}",))
        for name, said in _COMPONENTS.items()
        if name not in ("comb", "photonic_core", "memory")
    )  # fmt: skip


def _chip() -> tuple[Meaning, ...]:
    found = [
        Meaning("area_mm2.total", "area of the chip", "mm²", "", "Σ of the parts", also=("arch show --area: area_mm2.total",)),
        Meaning("power_mw.total", "peak power of the chip, everything at work in every cycle", "mW", "", "Σ of the parts", also=("arch show --area: power_mw.total",)),
    ]  # fmt: skip
    shown = (("area_mm2", "area", "mm²", _AREA), ("power_mw", "peak power", "mW", _POWER))
    for key, what, unit, components in shown:
        found += [
            Meaning(f"{key}.{name}", f"{what} of {_COMPONENTS[name]}", unit, also=(f"arch show --area: {key}.{name}",))
            for name in components
        ]  # fmt: skip
    return tuple(found)


OF_MODELS = (*_estimates(), *_components(), *_chip())
