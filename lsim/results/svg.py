"""A picture as SVG: layered top to bottom (K. Sugiyama et al., 1981, as in igraph), the same bytes for the same picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from attrs import frozen

from lsim.errors import InputError
from lsim.results.picture import IN, INPUT, KV, OUT, Arrow, Box, Picture

FONT, SMALL, TITLE, CHARACTER, LINE = (
    12,
    10,
    18,
    7.3,
    16,
)  # pixels: sizes of letters, width of one, height of a line
WIDE, GAP, HIGH, MARGIN, PORT = (
    170,
    26,
    104,
    30,
    7,
)  # least box, between boxes, from row to row, around, radius

# Fill and border, by what a box is.
COLOURS = {
    "gemm": ("#cfe2f3", "#3d6fa5"),
    "softmax": ("#fce5cd", "#c27b2e"),
    "norm": ("#d9ead3", "#5b8c4a"),
    "activation": ("#ead1dc", "#a04f77"),
    "residual": ("#eeeeee", "#777777"),
    "multiply": ("#eeeeee", "#777777"),
    "rotary": ("#d9d2e9", "#6b5b95"),
    "embedding": ("#fff2cc", "#b8962e"),
    "opaque": ("#ffffff", "#b22222"),
    "input": ("#ffffff", "#333333"),
    "kv": ("#ffffff", "#3d6fa5"),
}

Point = tuple[float, float]


@frozen
class Layout:
    """The centre of every box, and the points that every arrow bends at."""

    centres: Mapping[str, Point]
    bends: Mapping[tuple[str, str], Sequence[Point]]


def svg(picture: Picture) -> str:
    """The text of the file. Raises InputError if igraph is not installed."""
    width = max(_width(box) for box in picture.boxes.values())
    place = _layout(picture, width + GAP)
    far = max(x for x, _ in _points(place)) + width / 2 + MARGIN
    words = CHARACTER * max(len(picture.subtitle), len(picture.title) * TITLE / FONT) + 2 * MARGIN
    high = max(y for _, y in _points(place)) + HIGH
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **_size(max(far, words), high)})
    _define_head(root)
    SubElement(root, "rect", width="100%", height="100%", fill="#ffffff")
    _text(root, MARGIN, MARGIN, picture.title, {"font-size": str(TITLE), "font-weight": "bold"})
    _text(root, MARGIN, MARGIN + 20, picture.subtitle, {"fill": "#555555"})
    for frame in picture.frames:
        inside = _inside(picture, place, frame.band)
        _frame(root, inside, width, frame.title)
    for arrow in picture.arrows.values():
        _arrow(root, picture, place, arrow)
    for box in picture.boxes.values():
        _box(root, box, place.centres[box.name])
    for arrow in picture.arrows.values():
        _label(root, picture, place, arrow)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


# -- where ---------------------------------------------------------------------------------------------------------
def _layout(picture: Picture, step: float) -> Layout:
    """Rows by the longest way from above, stretch after stretch; columns and bends by igraph."""
    try:
        from igraph import Graph
    except ImportError as error:
        raise InputError(f"a picture needs the package igraph ({error}): pip install 'lsim[graph]'") from None
    rows = _rows(picture)
    names = list(picture.boxes)
    number = {name: at for at, name in enumerate(names)}
    layers = [rows[name] for name in names]
    edges: list[tuple[int, int]] = []
    bends: dict[tuple[str, str], range] = {}
    for one, other in picture.arrows:  # a vertex in each row that an arrow crosses
        begin, crossed = len(layers), range(rows[one] + 1, rows[other])
        bends[one, other] = range(begin, begin + len(crossed))
        way = [number[one], *bends[one, other], number[other]]
        layers.extend(crossed)
        edges.extend(pairwise(way))
    graph = Graph(len(layers), edges, directed=True)
    coordinates = graph.layout_sugiyama(layers=layers, hgap=step, vgap=HIGH, maxiter=500).coords
    points = [(x + step / 2 + MARGIN, y + 1.1 * HIGH) for x, y in coordinates]
    placed = {arrow: [points[at] for at in its] for arrow, its in bends.items()}
    return Layout(dict(zip(names, points[: len(names)], strict=True)), placed)


def _rows(picture: Picture) -> dict[str, int]:
    """The row of every box: bands below each other, what a band hands on below all of it."""
    from networkx import DiGraph, topological_sort

    graph: DiGraph[str] = DiGraph()
    graph.add_nodes_from(picture.boxes)
    graph.add_edges_from(picture.arrows)
    order = list(topological_sort(graph))
    rows: dict[str, int] = {}
    begin = 0
    for band in sorted({box.band for box in picture.boxes.values()}):
        mine = [name for name in order if picture.boxes[name].band == band]
        for name in mine:
            rows[name] = max([begin, *(rows[source] + 1 for source in graph.predecessors(name))])
        for name in mine:
            if picture.boxes[name].kind == KV:  # just above its first reader
                rows[name] = max(begin, min(rows[reader] for reader in graph.successors(name)) - 1)
        begin = max(rows[name] for name in mine) + 1
        for name in mine:
            if picture.boxes[name].kind == OUT:
                rows[name] = (
                    begin
                    - 1
                    + any(rows[other] == begin - 1 and picture.boxes[other].kind != OUT for other in mine)
                )
        begin = max(rows[name] for name in mine) + 1
    return rows


# -- what ----------------------------------------------------------------------------------------------------------
def _box(root: Element, box: Box, centre: Point) -> None:
    x, y = centre
    if box.kind in (IN, OUT):
        SubElement(root, "circle", cx=_n(x), cy=_n(y), r=_n(PORT), fill="#777777")
        return
    fill, border = COLOURS[box.kind]
    width, height = _width(box), _height(box)
    corner = {"rx": "16"} if box.kind in (INPUT, KV) else {"rx": "4"}
    dash = {"stroke-dasharray": "5 3"} if box.kind == "opaque" else {}
    edges = {"x": _n(x - width / 2), "y": _n(y - height / 2), "width": _n(width), "height": _n(height)}
    SubElement(
        root, "rect", {**edges, **corner, **dash, "fill": fill, "stroke": border, "stroke-width": "1.5"}
    )
    for at, line in enumerate(box.lines):
        style = {"text-anchor": "middle", "font-weight": "bold" if at == 0 else "normal"}
        _text(root, x, y - height / 2 + LINE * (at + 1), line, style)


def _arrow(root: Element, picture: Picture, place: Layout, arrow: Arrow) -> None:
    points = _path(picture, place, arrow)
    path = " ".join(f"{'L' if at else 'M'}{_n(x)},{_n(y)}" for at, (x, y) in enumerate(points))
    style = {"fill": "none", "stroke": "#555555", "stroke-width": "1.2", "marker-end": "url(#head)"}
    SubElement(root, "path", {"d": path, **style})


def _label(root: Element, picture: Picture, place: Layout, arrow: Arrow) -> None:
    """Near the end of the arrow, where those from one box have parted; on white, to be read across other lines."""
    if not arrow.label:
        return
    (x0, y0), (x1, y1) = _path(picture, place, arrow)[-2:]
    x, y = x0 + 0.55 * (x1 - x0), y0 + 0.55 * (y1 - y0)
    width = CHARACTER * SMALL / FONT * len(arrow.label) + 4
    paper = {"x": _n(x - width / 2), "y": _n(y - SMALL + 1), "width": _n(width), "height": _n(SMALL + 2)}
    SubElement(root, "rect", {**paper, "fill": "#ffffff", "fill-opacity": "0.85", "rx": "2"})
    _text(root, x, y, arrow.label, {"font-size": str(SMALL), "fill": "#333333", "text-anchor": "middle"})


def _path(picture: Picture, place: Layout, arrow: Arrow) -> list[Point]:
    """From the lower edge of a box, straight through rows that are not its own, to the upper edge of another."""
    (x0, y0), (x1, y1) = place.centres[arrow.source], place.centres[arrow.target]
    start = x0, y0 + _height(picture.boxes[arrow.source]) / 2
    end = x1, y1 - _height(picture.boxes[arrow.target]) / 2 - 3
    through = [
        (x, y + side * HIGH / 4) for x, y in place.bends[arrow.source, arrow.target] for side in (-1, 1)
    ]
    return [start, *through, end]


def _inside(picture: Picture, place: Layout, band: int) -> list[Point]:
    """Where the boxes of a band are, and where the arrows between them bend."""
    mine = {box.name for box in picture.boxes.values() if box.band == band}
    bends = [place.bends[one, other] for one, other in picture.arrows if {one, other} <= mine]
    return [*(place.centres[name] for name in mine), *(point for its in bends for point in its)]


def _frame(root: Element, inside: Sequence[Point], width: float, title: str) -> None:
    left, right = (
        min(x for x, _ in inside) - width / 2 - GAP / 2,
        max(x for x, _ in inside) + width / 2 + GAP / 2,
    )
    top, bottom = min(y for _, y in inside) - HIGH / 2, max(y for _, y in inside) + HIGH / 4
    edges = {"x": _n(left), "y": _n(top), "width": _n(right - left), "height": _n(bottom - top), "rx": "12"}
    SubElement(root, "rect", {**edges, "fill": "#f8f8fb", "stroke": "#9999bb", "stroke-dasharray": "7 4"})
    style = {"font-size": str(TITLE), "font-weight": "bold", "fill": "#555588", "text-anchor": "end"}
    _text(root, right - 14, top + 26, title, style)


def _define_head(root: Element) -> None:
    """The head of arrows."""
    sizes = {"viewBox": "0 0 8 8", "refX": "6", "refY": "4", "markerWidth": "7", "markerHeight": "7"}
    marker = SubElement(SubElement(root, "defs"), "marker", {"id": "head", "orient": "auto", **sizes})
    SubElement(marker, "path", d="M0,0 L8,4 L0,8 z", fill="#555555")


def _text(root: Element, x: float, y: float, words: str, style: Mapping[str, str]) -> None:
    font = {"font-family": "DejaVu Sans, Helvetica, Arial, sans-serif", "font-size": str(FONT)}
    SubElement(root, "text", {"x": _n(x), "y": _n(y), **font, **style}).text = words


def _width(box: Box) -> float:
    return 0 if not box.lines else max(WIDE, CHARACTER * max(map(len, box.lines)) + 16)


def _height(box: Box) -> float:
    return LINE * len(box.lines) + 8 if box.lines else 2 * PORT


def _points(place: Layout) -> list[Point]:
    return [*place.centres.values(), *(point for bends in place.bends.values() for point in bends)]


def _size(width: float, height: float) -> dict[str, str]:
    return {
        "width": str(ceil(width)),
        "height": str(ceil(height)),
        "viewBox": f"0 0 {ceil(width)} {ceil(height)}",
    }


def _n(value: float) -> str:
    return f"{value:.1f}"
