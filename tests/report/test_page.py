"""Is a report one file that holds what the run says, and nothing from elsewhere?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from click.testing import CliRunner
from pages import Page, at, report
from small import attention, layers, machine, trace, vector

from lsim import Result, load_arch, load_model, load_trace, predict, simulate
from lsim.arch import IDEALS
from lsim.cli import cli
from lsim.report.blocks import Run
from lsim.report.page import page as make_page
from lsim.results.output import write_result
from lsim.trace import Kind, Trace

LIMIT = 6_000_000
ADDRESSES = ("src", "href", "action", "data", "poster", "srcset")


def refused(*arguments: object) -> str:
    done = CliRunner().invoke(cli, ["report", *map(str, arguments)])
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    return line


# -- numbers -------------------------------------------------------------------------------------------------------
def test_are_the_numbers_on_the_page_those_of_the_json(page: Page, deit: Result) -> None:
    told = deit.to_dict()
    named = [(value, path, text) for value, path, text in page.numbers if path]
    assert len(named) > 200
    for value, path, text in named:
        meant = at(told, path)
        assert json.loads(value) == meant, path
        if isinstance(meant, int):
            assert text == f"{meant:,}", path


def test_does_the_page_have_the_headline_all_tiles_and_all_parts(page: Page, deit: Result) -> None:
    paths = {path for _, path, _ in page.numbers}
    wanted = {"ticks", "seconds", "macs", *(f"utilization.{name}" for name in deit.utilization())}
    wanted |= {f"tiles.{tile}.{cause}" for tile, causes in deit.tiles().items() for cause in causes}
    for name, part in deit.parts().items():
        wanted |= {f"parts.{name}.busy", f"parts.{name}.idle"}
        wanted |= {f"parts.{name}.waiting.{cause}" for cause in part.waiting}
    wanted |= {"energy.total", *(f"energy.dark.{cause}" for cause in deit.energy().all.dark)}
    wanted |= {f"energy.components.{name}.dynamic" for name in deit.energy().components}
    wanted |= {f"bytes.{name}.{way}" for name in deit.bytes() for way in ("in", "out")}
    assert wanted <= paths


def test_does_every_bar_of_a_stack_sum_to_the_run(page: Page, deit: Result) -> None:
    figures = page.script("figures")
    for name in ("tiles", "parts", "ports"):
        rows = zip(*(trace["x"] for trace in figures[name]["data"]), strict=True)
        assert {sum(row) for row in rows} == {deit.ticks}, name


def test_do_the_energies_sum_to_that_of_the_run(page: Page, deit: Result) -> None:
    figures, energy = page.script("figures"), deit.energy()
    drawn = {
        name: sum(sum(trace["x"]) for trace in figures[name]["data"])
        for name in figures
        if name.startswith("energy-")
    }
    dark = sum(energy.all.dark.values())
    assert drawn == pytest.approx(
        {"energy-components": float(energy.total_pj) / 1e9, "energy-dark": float(dark) / 1e9}
    )


def test_is_the_power_over_time_the_energy_of_the_run(page: Page, deit: Result) -> None:
    layers = page.script("figures")["power"]["data"]
    cuts = np.array(layers[0]["x"])
    assert cuts[0] == 0 and cuts[-1] == deit.ticks
    watts = np.sum([layer["y"] for layer in layers], axis=0)[:-1]
    joules = (watts * np.diff(cuts)).sum() / deit.arch.core.clock
    assert joules * 1e12 == pytest.approx(float(deit.energy().total_pj), rel=1e-3)  # four digits of each bin


def test_do_the_bars_of_operators_sum_to_the_run(page: Page, deit: Result) -> None:
    traces = page.script("figures")["operators-tile0"]["data"]
    assert sum(sum(trace["x"]) for trace in traces) == deit.ticks


def test_is_every_operator_with_macs_under_the_flat_roof(page: Page, deit: Result) -> None:
    figures = page.script("figures")
    roof, *clouds = figures["roofline-global_sram"]["data"]
    rates = [y for cloud in clouds for y in cloud["y"]]
    assert len(rates) == sum(unit.is_gemm for unit in deit.plan.units)
    assert max(rates) <= roof["y"][-1] == deit.arch.peak_macs_per_tick * deit.arch.core.clock / 1e12


@pytest.mark.parametrize("which", ["ticks", "energy"])
def test_does_the_waterfall_lead_from_the_published_model_to_the_run(
    page: Page, deit: Result, which: str
) -> None:
    """The ends are the model's number by its own command and the run's, the steps between them what lies between."""
    said = predict(load_model("published", deit.arch), deit.trace, deit.arch)
    ends = {
        "ticks": (said.ticks, deit.ticks),
        "energy": (sum((said.components or {}).values()) / 10**9, deit.energy().total_pj / 10**9),
    }
    (bars,) = page.script("figures")[f"ledger-{which}"]["data"]
    first, *steps, last = bars["x"]
    assert (bars["measure"][0], bars["measure"][-1]) == ("absolute", "absolute")
    assert (first, last) == pytest.approx(tuple(map(float, ends[which])))
    assert first + sum(steps) == pytest.approx(last)
    assert set(bars["measure"][1:-1]) == {"relative"}


# -- a file of its own ---------------------------------------------------------------------------------------------
def test_does_the_page_ask_nobody_for_anything(page: Page) -> None:
    asked = [attributes[name] for _, attributes in page.elements for name in ADDRESSES if name in attributes]
    assert [address for address in asked if not address.startswith(("#", "data:"))] == []
    own = [content for attributes, content in page.scripts if "type" not in attributes]
    for text in [*page.styles, *own]:
        assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest|WebSocket", text)


def test_is_every_anchor_and_id_there_once(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert len(links) == 9
    assert {link[1:] for link in links} <= set(ids)
    figures = {attributes["data-figure"] for _, attributes in page.elements if "data-figure" in attributes}
    assert figures == set(page.script("figures"))


def test_has_every_cause_on_the_page_a_definition(page: Page, deit: Result) -> None:
    terms = [attributes for _, attributes in page.elements if attributes.get("class") == "term"]
    assert terms and all(term["data-definition"] for term in terms)


def test_are_equal_runs_equal_bytes(folders: list[Path], page: Page, tmp_path: Path) -> None:
    assert report(folders[:1], tmp_path / "again.html").html == page.html


def test_is_a_name_that_looks_like_html_only_a_name() -> None:
    work = evolve(attention(), description="</script><img src=x onerror=alert(1)>")
    made = Page(make_page([Run("<b>run</b>", simulate(work, machine()))]))
    assert not any(tag == "img" for tag, _ in made.elements)


@pytest.mark.parametrize(
    ("mapping", "deps", "ideal"),
    [
        ("head-parallel", "barrier", []),
        ("lockstep", "chunked", []),
        ("lockstep", "barrier", ["hbm", "gb"]),
    ],
)
def test_is_there_a_page_for_every_policy(mapping: str, deps: str, ideal: list[str]) -> None:
    arch = load_arch("lt-b-4bit") if mapping == "head-parallel" else machine()
    result = simulate(attention(), arch, mapping=mapping, deps=deps, ideal=ideal)
    made = Page(make_page([Run("run", result)]))
    for id, figure in made.script("figures").items():
        if id.startswith("operators"):
            assert sum(sum(trace["x"]) for trace in figure["data"]) == result.ticks


@pytest.mark.parametrize("ideal", [(), IDEALS])
@pytest.mark.parametrize("work", [trace(), layers(1), trace(vector(Kind.NORM, ["z"], "n", 2, 4))])
def test_is_there_a_page_for_next_to_no_work(work: Trace, ideal: tuple[str, ...]) -> None:
    result = simulate(work, machine(ideal))
    made = Page(make_page([Run("run", result)]))
    assert at(result.to_dict(), "ticks") in [json.loads(n) for n, path, _ in made.numbers if path == "ticks"]
    make_page([Run("one", result), Run("other", result)])


@pytest.mark.slow
def test_is_the_page_of_a_70b_prefill_small_and_deep(tmp_path: Path) -> None:
    result = simulate(load_trace("llama-3-70b-prefill-8192"), load_arch("lt-l-4bit"))
    html = make_page([Run("run", result)])
    assert len(html.encode()) <= LIMIT
    index = Page(html).script("timeline-index")
    assert max(bins for _, _, bins, place in index["windows"] if place < 0) >= 4096
    assert len(index["places"]) == 10


# -- what is refused -----------------------------------------------------------------------------------------------
def test_is_a_folder_without_a_run_refused(tmp_path: Path) -> None:
    assert "manifest.json: cannot be read" in refused(tmp_path, "-o", tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


def test_is_a_run_given_twice_refused(folders: list[Path], tmp_path: Path) -> None:
    assert "is given twice" in refused(folders[0], folders[0], "-o", tmp_path / "x.html")


def test_is_a_place_that_cannot_be_written_refused(folders: list[Path], tmp_path: Path) -> None:
    assert "is not a folder" in refused(folders[0], "-o", tmp_path / "none" / "x.html")


def test_is_a_broken_manifest_refused(deit: Result, tmp_path: Path) -> None:
    write_result(deit, tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text("[]")
    assert "manifest.json: is not of a result of lsim" in refused(tmp_path / "run", "-o", tmp_path / "x.html")


def test_is_it_said_what_to_install(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'lsim[report]'" in refused(folders[0], "-o", tmp_path / "x.html")
