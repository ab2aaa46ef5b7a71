"""Does a Perfetto trace, read with the official schema, say what every part did, to the tick?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import define, field
from exported import Case, cases
from hypothesis import HealthCheck, assume, given, settings
from small import attention, machine

from lsim import load_arch, load_trace, simulate
from lsim.errors import InputError
from lsim.export.perfetto import BINS, MOST_SLICES, Counter, write_perfetto
from lsim.export.power import power_counters
from lsim.export.rows import Row, Window

schema = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
RUNS = settings(max_examples=20, suppress_health_check=list(HealthCheck))


@define
class Slice:
    """A slice of a track."""

    begin: int
    end: int
    name: str
    category: str
    arguments: dict[str, Any]


@define
class Track:
    """A track of a trace: its slices, or the values of its counter."""

    name: str
    parent: int | None
    is_counter: bool
    slices: list[Slice] = field(factory=list)
    values: list[tuple[int, float]] = field(factory=list)
    is_open: bool = False


@define
class Parsed:
    """A trace as its reader understands it."""

    tracks: dict[int, Track] = field(factory=dict)
    attributes: dict[str, str] = field(factory=dict)
    names: dict[tuple[str, int], str] = field(factory=dict)

    @classmethod
    def of(cls, path: Path) -> Parsed:
        trace = schema.Trace.FromString(path.read_bytes())
        parsed, events = cls(), []
        for number, packet in enumerate(trace.packet):
            assert packet.trusted_packet_sequence_id == 1
            assert (packet.sequence_flags & 1) == (number == 0), "names are known from the first packet on"
            parsed.attributes |= {a.key: a.string_value for a in packet.trace_attributes.attribute}
            parsed._learn(packet.interned_data)
            if packet.HasField("track_descriptor"):
                parsed._track(packet.track_descriptor)
            if packet.HasField("track_event"):
                events.append((packet.timestamp, parsed._read(packet.track_event)))
        for time, event in sorted(
            events, key=lambda e: e[0]
        ):  # readers sort by time, and keep the order within one
            parsed._happen(time, *event)
        assert not any(track.is_open for track in parsed.tracks.values())
        return parsed

    def _learn(self, interned: Any) -> None:
        for table, entries in interned.ListFields():
            for entry in entries:
                known = (table.name, entry.iid)
                assert known not in self.names
                self.names[known] = entry.str.decode() if hasattr(entry, "str") else entry.name

    def _track(self, told: Any) -> None:
        assert told.uuid
        assert told.uuid not in self.tracks
        assert not told.HasField("parent_uuid") or told.parent_uuid in self.tracks
        self.tracks[told.uuid] = Track(told.name, told.parent_uuid or None, told.HasField("counter"))

    def _read(self, event: Any) -> tuple[Any, str, str, dict[str, Any]]:
        name = self.names["event_names", event.name_iid] if event.name_iid else ""
        category = " ".join(self.names["event_categories", iid] for iid in event.category_iids)
        return event, name, category, dict(self._arguments(event))

    def _arguments(self, event: Any) -> Iterator[tuple[str, Any]]:
        for note in event.debug_annotations:
            kind = note.WhichOneof("value")
            value = getattr(note, kind)
            if kind == "string_value_iid":
                value = self.names["debug_annotation_string_values", value]
            yield self.names["debug_annotation_names", note.name_iid], value

    def _happen(self, time: int, event: Any, name: str, category: str, arguments: dict[str, Any]) -> None:
        track = self.tracks[event.track_uuid]
        if event.type == schema.TrackEvent.TYPE_COUNTER:
            assert track.is_counter
            track.values.append((time, event.double_counter_value))
        elif event.type == schema.TrackEvent.TYPE_SLICE_BEGIN:
            assert not track.is_open, "slices of a part do not overlap"
            track.is_open = True
            track.slices.append(Slice(time, -1, name, category, arguments))
        else:
            assert event.type == schema.TrackEvent.TYPE_SLICE_END
            assert track.is_open
            track.is_open, track.slices[-1].end = False, time

    def part(self, name: str) -> tuple[Track, Track]:
        """The track of a part, and that of its busy share."""
        ((uuid, track),) = [(u, t) for u, t in self.tracks.items() if t.name == name and t.parent is not None]
        (share,) = [t for t in self.tracks.values() if t.parent == uuid]
        return track, share


@RUNS
@given(cases())
def test_are_slices_the_intervals_of_a_part_and_counters_its_busy_shares(
    tmp_path: Path, case: Case | None
) -> None:
    assume(case is not None)
    assert case is not None
    write_perfetto(case.window, tmp_path / "out.pftrace")
    parsed = Parsed.of(tmp_path / "out.pftrace")
    for name in case.names:
        track, shares = parsed.part(name)
        assert [row_of(name, s) for s in track.slices] == case.rows(name)
        assert sum(s.end - s.begin for s in track.slices) == case.window.end - case.window.begin
        are_busy_shares(shares.values, case.rows(name), case.window)
    assert {t.name for t in parsed.tracks.values() if t.slices} == {*case.names, "about this trace"}


def row_of(part: str, s: Slice) -> Row:
    told = {key: s.arguments.get(key) for key in ("operator", "block", "cause", "waits_for")}
    return Row(part=part, begin=s.begin, end=s.end, ticks=s.end - s.begin, state=s.category, **told)


@RUNS
@given(cases())
def test_do_merged_slices_have_the_sums_of_the_intervals(tmp_path: Path, case: Case | None) -> None:
    """They make the window without gap; an interval in which a part works on an operator is in a slice of its name, or of two that
    take turns."""
    assume(case is not None)
    assert case is not None
    about = write_perfetto(case.window, tmp_path / "out.pftrace", most=0)
    parsed = Parsed.of(tmp_path / "out.pftrace")
    merged = 0
    for name in case.names:
        slices, rows = parsed.part(name)[0].slices, case.rows(name)
        merged += len(slices)
        edges = [case.window.begin, *(s.end for s in slices)]
        assert [s.begin for s in slices] == edges[:-1]
        assert edges[-1] == case.window.end
        for s in slices:
            ticks = {kind: within(rows, kind, s.begin, s.end) for kind in ("busy", "wait", "idle")}
            told = [s.arguments[f"{kind}_ticks"] for kind in ("busy", "waiting", "idle")]
            assert told == list(ticks.values())
            assert s.arguments["busy_share"] == ticks["busy"] / (s.end - s.begin)
        for row in rows:
            if row.operator is not None:
                around = [s.name for s in slices if s.begin <= row.begin and row.end <= s.end]
                assert [row.operator in name.split(" + ") for name in around] == [True]
    assert f"into {merged:,} slices" in about["detail"]


def within(rows: list[Row], state: str, begin: int, end: int) -> int:
    return sum(max(0, min(row.end, end) - max(row.begin, begin)) for row in rows if row.state == state)


def are_busy_shares(values: list[tuple[int, float]], rows: list[Row], window: Window) -> None:
    """Of bins of equal length that make the window, of which a few are looked at."""
    edges = [*(time for time, _ in values), window.end]
    assert len(values) == min(BINS, window.end - window.begin)
    assert edges[0] == window.begin
    lengths = [b - a for a, b in pairwise(edges)]
    assert max(lengths) - min(lengths) <= 1
    for (begin, percent), end in list(zip(values, edges[1:], strict=True))[:: 1 + len(values) // 20]:
        assert percent == pytest.approx(100 * within(rows, "busy", begin, end) / (end - begin))


# -- what a trace says of itself, and how it is laid out ---------------------------------------------------------------
def test_does_a_trace_say_what_a_nanosecond_of_it_is(tmp_path: Path) -> None:
    result = simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))
    window = Window.of(result, 1000, 3000)
    told = write_perfetto(window, tmp_path / "out.pftrace")
    parsed = Parsed.of(tmp_path / "out.pftrace")
    assert parsed.attributes == dict(told)
    assert told["time"].startswith("1 ns shown = 1 tick = 200 ps")
    (about,) = next(t for t in parsed.tracks.values() if t.name == "about this trace").slices
    assert (about.begin, about.end, about.arguments) == (1000, 3000, dict(told))
    assert result.trace.sha256 in told["trace"]
    assert result.arch.sha256 in told["arch"]


def test_are_parts_grouped_by_their_kind_and_tiles(tmp_path: Path) -> None:
    arch = machine(core__tiles="4", broadcast__groups="2")
    result = simulate(attention(), arch, mapping="head-parallel")
    write_perfetto(Window.of(result, 0, result.ticks), tmp_path / "out.pftrace")
    parsed = Parsed.of(tmp_path / "out.pftrace")
    parents = {
        t.name: parsed.tracks[t.parent].name
        for t in parsed.tracks.values()
        if t.parent is not None and not t.is_counter
    }
    assert set(parents) == set(result.log.parts)
    assert parents["core"] == parents["dma.m1"] == "tiles 0 to 3"
    assert parents["g0.core"] == "g0 tiles 0 to 1"
    assert parents["g1.m2"] == "g1 tiles 2 to 3"
    assert parents["dpu.lanes"] == "DPU"
    assert parents["gb0"] == parents["hbm0"] == parents["broadcast"] == "global SRAM, HBM and broadcast"
    assert parents["controller"] == parents["retire"] == "control"


def test_is_a_counter_of_somebody_else_shown(tmp_path: Path) -> None:
    """Power, say: of the whole machine, and of a part."""
    result = simulate(attention(), machine())
    core = result.log.parts.index("core")
    counters = [Counter("power", "W", [(0, 1.5), (9, 0.25)]), Counter("power", "W", [(3, 1.0)], core)]
    write_perfetto(Window.of(result, 0, 50), tmp_path / "out.pftrace", counters)
    tracks = Parsed.of(tmp_path / "out.pftrace").tracks
    power = [t for t in tracks.values() if t.name == "power"]
    assert [t.values for t in power] == [[(0, 1.5), (9, 0.25)], [(3, 1.0)]]
    assert [t.parent and tracks[t.parent].name for t in power] == [None, "core"]


@pytest.mark.parametrize(("begin", "end"), [(0, None), (7, 30)])
def test_do_the_counters_of_power_come_to_the_energy(tmp_path: Path, begin: int, end: int | None) -> None:
    result = simulate(attention(), machine())
    window = Window.of(result, begin, result.ticks if end is None else end)
    write_perfetto(window, tmp_path / "out.pftrace", power_counters(window))
    found = {
        t.name: t.values for t in Parsed.of(tmp_path / "out.pftrace").tracks.values() if "power" in t.name
    }
    energies = {
        f"power of {name}": float(sum(pj)) for name, pj in result.power(1, begin, window.end).energy.items()
    }
    for name, pj in {**energies, "power": sum(energies.values())}.items():
        ticks = np.diff([tick for tick, _ in found[name]], append=window.end)
        assert sum(ticks * [mw for _, mw in found[name]]) / result.arch.core.clock * 1e9 == pytest.approx(
            pj
        ), name


def test_is_a_long_run_merged_by_itself_and_small(tmp_path: Path) -> None:
    """BERT-Large has far more intervals than a trace may: its operators are shown, each once for each part that has work."""
    result = simulate(load_trace("bert-large"), load_arch("lt-l-4bit"))
    window = Window.of(result, 0, result.ticks)
    told = write_perfetto(window, tmp_path / "out.pftrace")
    assert f"{window.count():,} intervals are merged" in told["detail"]
    assert (tmp_path / "out.pftrace").stat().st_size < 5_000_000
    slices = Parsed.of(tmp_path / "out.pftrace").part("core")[0].slices
    gemms = [o.name for o in result.trace.operators if o.is_gemm]
    assert [s.name for s in slices if s.name != "idle"] == gemms


def test_does_a_slice_take_less_than_100_bytes(tmp_path: Path) -> None:
    """So that a trace of as many slices as it may have stays below 200 MB."""
    result = simulate(load_trace("deit-tiny"), load_arch("lt-b-4bit"))
    window = Window.of(result, 0, result.ticks)
    write_perfetto(window, tmp_path / "out.pftrace")
    assert (tmp_path / "out.pftrace").stat().st_size < 100 * window.count()
    assert 100 * MOST_SLICES < 200_000_000


def test_are_the_same_bytes_written_for_the_same_window(tmp_path: Path) -> None:
    window = Window.of(simulate(attention(), machine()), 0, 200)
    for name in ("one", "two"):
        write_perfetto(window, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_is_the_schema_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "perfetto.protos.perfetto.trace", None)
    window = Window.of(simulate(attention(), machine()), 0, 200)
    with pytest.raises(InputError, match=r"--perfetto: needs perfetto: pip install 'lsim\[perfetto\]'"):
        write_perfetto(window, tmp_path / "out.pftrace")
    assert list(tmp_path.iterdir()) == []
