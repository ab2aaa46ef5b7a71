"""Pictures of traces: what is in them, and that nothing lies on anything else."""

import json
import sys
from itertools import combinations
from xml.etree import ElementTree

import networkx
import pytest
from click.testing import CliRunner
from hypothesis import given
from strategies import traces

from lsim.cli import cli
from lsim.results.picture import IN, OUT, picture
from lsim.trace import Kind, Role, list_traces, load_trace, loads
from lsim.trace.layers import stretches


def test_is_a_repeated_layer_drawn_once():
    made = picture(load_trace("deit-tiny"))
    assert [frame.title for frame in made.frames] == ["× 12"]
    kinds = [box.kind for box in made.boxes.values()]
    assert kinds.count("softmax") == 1
    assert kinds.count("norm") == 3  # two of a layer, one after the last
    assert [kind for kind in kinds if kind in (IN, OUT)] == [IN, OUT]


def test_enters_a_layer_what_comes_before_and_leaves_it_what_it_hands_on():
    made = picture(load_trace("deit-tiny"))
    into, out = "layers.0.residual2.out:in", "layers.0.residual2.out:out"
    assert {one for one, other in made.arrows if other == into} == {"positions"}
    assert {other for one, other in made.arrows if one == into} == {"layers.0.norm1", "layers.0.residual1"}
    assert {one for one, other in made.arrows if other == out} == {"layers.0.residual2"}
    assert {other for one, other in made.arrows if one == out} == {"norm"}


def test_do_arrows_say_what_passes():
    made = picture(load_trace("deit-tiny"))
    assert made.arrows["layers.0.qkv", "layers.0.attn.qk"].label == "2 of 192 × 197"
    assert made.arrows["layers.0.attn.qk", "layers.0.attn.softmax"].label == "3 × 197 × 197"


def test_is_the_cache_of_a_decode_seen():
    made = picture(load_trace("llama-2-7b-decode-2048"))
    caches = [box for box in made.boxes.values() if box.kind == "kv"]
    assert [box.lines[1] for box in caches] == ["4096 × 2047", "4096 × 2047"]


@given(traces(layers=5))
def test_is_every_dependency_of_the_first_rounds_an_arrow(trace):
    made = picture(trace)
    drawn = {operator.name for stretch in stretches(trace) for operator in stretch.first}
    assert drawn <= set(made.boxes)
    for operator in trace.operators:
        for name in operator.reads if operator.name in drawn else ():
            source = trace.producer(name)
            if source is not None or trace.tensors[name].role in (Role.INPUT, Role.KV):
                assert any(other == operator.name for _, other in made.arrows)
    assert {end for arrow in made.arrows for end in arrow} <= set(made.boxes)


@pytest.mark.parametrize("name", list_traces())
def test_does_no_box_lie_on_another_and_every_arrow_point_down(name):
    pytest.importorskip("igraph")
    from lsim.results import svg

    made = picture(load_trace(name))
    width = max(map(svg._width, made.boxes.values()))
    place = svg._layout(made, width + svg.GAP)
    for one, other in combinations(made.boxes.values(), 2):
        (x0, y0), (x1, y1) = place.centres[one.name], place.centres[other.name]
        apart_x = abs(x0 - x1) >= (svg._width(one) + svg._width(other)) / 2
        apart_y = abs(y0 - y1) >= (svg._height(one) + svg._height(other)) / 2
        assert apart_x or apart_y, (one, other)
    assert all(place.centres[one][1] < place.centres[other][1] for one, other in made.arrows)


def test_is_what_only_the_first_round_has_from_itself_no_port():
    """Round 0 adds to p0 itself, the others add what the round before wrote: a port for both would make a circle."""
    lines = ['{"lsim_trace": 1, "name": "t"}', '{"tensor": "x", "role": "input", "shape": [4, 3]}']
    start = {
        "op": "start",
        "kind": "norm",
        "rows": 4,
        "columns": 3,
        "operands": ["x"],
        "outputs": {"y": [4, 3]},
    }
    lines.append(json.dumps(start))
    last = "y"
    for at in range(3):
        for name, kind, reads in (
            ("p", "activation", [last]),
            ("c", "residual", [f"p{at}.out", last if at else "p0.out"]),
        ):
            record = {"op": f"{name}{at}", "kind": kind, "rows": 4, "columns": 3, "operands": reads}
            lines.append(json.dumps(record | {"outputs": {f"{name}{at}.out": [4, 3]}}))
        last = f"c{at}.out"
    made = picture(loads("\n".join(lines)))
    assert [frame.title for frame in made.frames] == ["× 3"]
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(list(made.arrows)))


@given(traces(layers=5))
def test_is_any_picture_a_file_and_always_the_same(trace):
    pytest.importorskip("igraph")
    from lsim.results.svg import COLOURS, svg

    text = svg(picture(trace))
    assert text == svg(picture(trace))
    words = [
        element.text for element in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert words[0] == trace.name
    assert {kind.value for kind in Kind} <= set(COLOURS)


def test_does_the_command_draw_and_list(tmp_path):
    pytest.importorskip("igraph")
    path = tmp_path / "deit.svg"
    done = CliRunner().invoke(cli, ["trace", "show", "deit-tiny", "--graph", str(path)])
    assert done.exit_code == 0
    assert "layers.*.ffn1" in done.stdout
    ElementTree.fromstring(path.read_text())


def test_is_it_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "igraph", None)
    done = CliRunner().invoke(cli, ["trace", "show", "deit-tiny", "--graph", str(tmp_path / "x.svg")])
    assert done.exit_code == 2
    assert "pip install 'lsim[graph]'" in done.stderr
    assert list(tmp_path.iterdir()) == []
